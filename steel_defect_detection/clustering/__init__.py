"""Clustering: find classes in crops that nobody has labelled.

A network looks at each crop, what it sees becomes a point, and points that lie
together become a cluster. Whoever knows the steel looks at the clusters and
names them; the crops are then a data set to train a classifier on, whose labels
are those of the clustering and not the truth.
"""

from steel_defect_detection.clustering.assigning import Assigned, assign
from steel_defect_detection.clustering.cluster import cluster
from steel_defect_detection.clustering.names import Named, Names
from steel_defect_detection.clustering.names import read as read_names
from steel_defect_detection.clustering.renaming import rename
from steel_defect_detection.clustering.report import Clusters
from steel_defect_detection.clustering.scoring import Score, score
from steel_defect_detection.clustering.settings import Settings

__all__ = [
    "Assigned",
    "Clusters",
    "Named",
    "Names",
    "Score",
    "Settings",
    "assign",
    "cluster",
    "read_names",
    "rename",
    "score",
]
