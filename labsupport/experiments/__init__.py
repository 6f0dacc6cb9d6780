"""Each figure and table of the paper as one function that returns a tidy DataFrame; one file per question."""

from labsupport.experiments.gap import (batch_size_sweep, control_provenance, generalization_gap, negative_control,
                                        record_negative_control, sweep_recipe, sweep_runs)
from labsupport.experiments.minima import minima, objective, sharpness_of
from labsupport.experiments.overfitting import chosen, early_stopping

__all__ = [
    "batch_size_sweep", "chosen", "control_provenance", "early_stopping", "generalization_gap", "minima",
    "negative_control", "objective", "record_negative_control", "sharpness_of", "sweep_recipe", "sweep_runs",
]
