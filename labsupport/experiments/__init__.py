"""Each figure and table of the paper as one function that returns a tidy DataFrame; one file per question."""

from labsupport.experiments.batch_sizes import (
    batch_size_sweep,
    control_provenance,
    generalization_gap,
    negative_control,
    sweep_recipe,
    sweep_runs,
)
from labsupport.experiments.during_training import (
    changed_adam,
    long_run,
    record_changed_adam,
    record_long_history,
)
from labsupport.experiments.handover import late_handover, record_late_handover
from labsupport.experiments.images import (
    real_images,
    real_images_provenance,
    record_real_images,
)
from labsupport.experiments.instability import adams_limit, look_before_spike
from labsupport.experiments.interventions import (
    both_ways,
    both_ways_provenance,
    sam_groups,
    sam_groups_provenance,
)
from labsupport.experiments.landscapes import between
from labsupport.experiments.minima import iterates, minima
from labsupport.experiments.recipes import (
    as_many_updates,
    as_many_updates_provenance,
    closing_runs,
    closing_the_gap,
    dial_map,
    record_as_many_updates,
)
from labsupport.experiments.reproduction import reproduced, without_the_one
from labsupport.experiments.scorecards import Cards, scorecard, verdicts
from labsupport.experiments.tables import KEYS, finals, sharpness_of, sharpness_table
from labsupport.experiments.tuned import (
    record_tuned,
    tuned,
    tuned_gaps,
    tuned_provenance,
    tuned_rates,
)

__all__ = [
    "Cards",
    "KEYS",
    "adams_limit",
    "as_many_updates",
    "as_many_updates_provenance",
    "batch_size_sweep",
    "between",
    "both_ways",
    "both_ways_provenance",
    "changed_adam",
    "closing_runs",
    "closing_the_gap",
    "control_provenance",
    "dial_map",
    "finals",
    "generalization_gap",
    "iterates",
    "late_handover",
    "long_run",
    "look_before_spike",
    "minima",
    "negative_control",
    "real_images",
    "real_images_provenance",
    "record_as_many_updates",
    "record_changed_adam",
    "record_late_handover",
    "record_long_history",
    "record_real_images",
    "record_tuned",
    "reproduced",
    "sam_groups",
    "sam_groups_provenance",
    "scorecard",
    "sharpness_of",
    "sharpness_table",
    "sweep_recipe",
    "sweep_runs",
    "tuned",
    "tuned_gaps",
    "tuned_provenance",
    "tuned_rates",
    "verdicts",
    "without_the_one",
]
