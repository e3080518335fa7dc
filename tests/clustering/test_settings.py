import re

import pytest

from steel_defect_detection.clustering import Settings
from steel_defect_detection.errors import ConfigError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "dbscan"}, "method must be one of kmeans, minibatch, agglomerative, hdbscan,"),
        ({"weights": "good"}, "weights must be one of imagenet, random, got 'good'"),
        ({"features": "all"}, "features must be one of penultimate, logits, got 'all'"),
        ({"pca": -1}, "pca must be 0 or more, got -1"),
        ({"most_clusters": 1}, "most_clusters must be 2 or more, got 1"),
        ({"size": 7}, "size must be 8 or more, got 7"),
        ({"size": 1001}, "size must be 1000 pixels or less, got 1001"),
        ({"clusters": 1}, "clusters must be 2 or more, or chosen by themselves, got 1"),
        (
            {"method": "hdbscan", "clusters": 3},
            "hdbscan finds the number of clusters itself: leave out clusters",
        ),
    ],
)
def test_impossible_settings_are_refused(changes, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Settings(**changes)
