"""Each figure and table of the paper as one function that returns a tidy DataFrame; one file per question."""

from labsupport.experiments.batch_sizes import (
    batch_size_sweep,
    control_provenance,
    generalization_gap,
    negative_control,
    record_negative_control,
    sweep_recipe,
    sweep_runs,
)
from labsupport.experiments.during_training import (
    long_run,
    record_changed_adam,
    record_long_history,
)
from labsupport.experiments.full_batch import edge_of_stability
from labsupport.experiments.handover import record_late_handover
from labsupport.experiments.landscapes import between
from labsupport.experiments.minima import iterates, minima
from labsupport.experiments.overfitting import chosen, early_stopping
from labsupport.experiments.rank_correlation import (
    MEASURES,
    correlations,
    four_measures,
    grid,
    partial_correlation,
    partial_difference,
)
from labsupport.experiments.real_images import (
    real_images,
    real_images_provenance,
    record_real_images,
)
from labsupport.experiments.recipes import (
    as_many_updates,
    as_many_updates_provenance,
    closing_runs,
    closing_the_gap,
    dial_map,
    record_as_many_updates,
)
from labsupport.experiments.rescaling import FACTORS, RELATIVE, plain_minima, rescaled, valley
from labsupport.experiments.scorecards import Cards, scorecard, verdicts
from labsupport.experiments.tables import KEYS, finals, sharpness_of, sharpness_table

__all__ = [
    "Cards",
    "FACTORS",
    "KEYS",
    "MEASURES",
    "RELATIVE",
    "as_many_updates",
    "as_many_updates_provenance",
    "batch_size_sweep",
    "between",
    "chosen",
    "closing_runs",
    "closing_the_gap",
    "control_provenance",
    "correlations",
    "dial_map",
    "early_stopping",
    "edge_of_stability",
    "finals",
    "four_measures",
    "generalization_gap",
    "grid",
    "iterates",
    "long_run",
    "minima",
    "negative_control",
    "partial_correlation",
    "partial_difference",
    "plain_minima",
    "real_images",
    "real_images_provenance",
    "record_as_many_updates",
    "record_changed_adam",
    "record_late_handover",
    "record_long_history",
    "record_negative_control",
    "record_real_images",
    "rescaled",
    "scorecard",
    "sharpness_of",
    "sharpness_table",
    "sweep_recipe",
    "sweep_runs",
    "valley",
    "verdicts",
]
