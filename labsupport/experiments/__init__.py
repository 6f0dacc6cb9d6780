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
from labsupport.experiments.sensitivity import (along_the_diagonal, box_slice, cost_table, definitions, finished,
                                                 hessian_table, manifold_table, naive_port, naive_table, repairs,
                                                 sharpness_table)
from labsupport.experiments.standing import MEASURES, correlations, four_measures, grid

__all__ = [
    "Cards", "FACTORS", "MEASURES", "RELATIVE", "agreement", "along_the_diagonal", "as_many_updates",
    "as_many_updates_provenance", "batch_size_sweep", "box_slice", "chosen", "closing_runs", "closing_the_gap",
    "control_provenance", "correlations", "cost_table", "definitions", "dial_exponent", "dial_map",
    "early_stopping", "edge_of_stability", "finished", "four_measures", "generalization_gap", "grid",
    "hessian_table", "manifold_table", "minima", "naive_port", "naive_table", "negative_control", "objective",
    "plain_minima", "record_as_many_updates", "record_negative_control", "repairs", "rescaled", "scorecard",
    "sharpness_of", "sharpness_table", "sweep_recipe", "sweep_runs", "valley",
]
