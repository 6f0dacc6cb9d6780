"""Each figure and table of the paper as one function that returns a tidy DataFrame; one file per question."""

from labsupport.experiments.minima import minima, objective, sharpness_of

__all__ = ["minima", "objective", "sharpness_of"]
