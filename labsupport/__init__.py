"""The bench behind the course *Large Batches and Sharp Minima*.

A network is a point ``x`` in R^n. Training moves it; everything afterwards (sharpness, lines, surfaces,
curvature) is arithmetic on vectors and calls of the loss ``f(x)``. Start with `data.load`, `networks.build`,
`training.train` and `objective.Objective`; the chapters of the book say why.
"""

__version__ = "0.1.0"
