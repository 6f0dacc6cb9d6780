"""The published numbers, to set beside ours: Keskar et al. 2017 (arXiv 1609.04836), and two replies.

Every function returns a new tidy DataFrame. Its first columns are those of our own tables, network and
dataset, so that they can be joined. **Printed** numbers stand in the paper's tables. **Digitized** numbers
were read off the vector graphics of its figures and are approximate: accuracies to about 0.1 points.
Spreads are standard deviations over five runs.
"""

from __future__ import annotations

from labsupport.paper.figures import AXES, about, curve, figure
from labsupport.paper.networks import DATASETS, NETWORKS
from labsupport.paper.replies import goyal, hoffer
from labsupport.paper.tables import DISTANCE_RATIO, appendix_e, table1, table2, table3, table4

__all__ = [
    "AXES",
    "DATASETS",
    "DISTANCE_RATIO",
    "NETWORKS",
    "about",
    "appendix_e",
    "curve",
    "figure",
    "goyal",
    "hoffer",
    "table1",
    "table2",
    "table3",
    "table4",
]
