"""Each figure and table of the paper as one function that returns a tidy DataFrame; one file per question."""

from labsupport.experiments.closing import (as_many_updates, as_many_updates_provenance, closing_runs, closing_the_gap,
                                            dial_exponent, dial_map, record_as_many_updates)
from labsupport.experiments.edge import edge_of_stability
from labsupport.experiments.gap import (batch_size_sweep, control_provenance, generalization_gap, negative_control,
                                        record_negative_control, sweep_recipe, sweep_runs)
from labsupport.experiments.minima import minima, objective, sharpness_of
from labsupport.experiments.overfitting import chosen, early_stopping
from labsupport.experiments.rescaling import FACTORS, RELATIVE, agreement, plain_minima, rescaled, valley
from labsupport.experiments.scoring import Cards, scorecard
from labsupport.experiments.standing import MEASURES, correlations, four_measures, grid

__all__ = [
    "Cards", "FACTORS", "MEASURES", "RELATIVE", "agreement", "as_many_updates", "as_many_updates_provenance", "batch_size_sweep",
    "chosen", "closing_runs", "closing_the_gap", "control_provenance", "correlations", "dial_exponent", "dial_map",
    "early_stopping", "edge_of_stability", "four_measures", "generalization_gap", "grid", "minima",
    "negative_control", "objective", "plain_minima", "record_as_many_updates", "record_negative_control", "rescaled",
    "scorecard", "sharpness_of", "sweep_recipe", "sweep_runs", "valley",
]
