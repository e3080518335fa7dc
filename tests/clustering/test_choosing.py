import numpy as np
import pytest

from steel_defect_detection.clustering import choosing
from steel_defect_detection.clustering.choosing import Tried
from steel_defect_detection.clustering.methods import NOISE, Grouping, group
from steel_defect_detection.errors import ConfigError
from tests.clustering.test_methods import heaps

LINE = np.array([[0.0], [1.0], [10.0], [11.0]], dtype=np.float32)


def grouped(labels):
    labels = np.array(labels, dtype=np.int32)
    return Grouping(labels=labels, centres=np.zeros((labels.max() + 1, 1), np.float32))


def test_silhouette_and_spread_of_four_points_by_hand():
    (found,) = choosing.judge(LINE, [grouped([0, 0, 1, 1])])
    # Of the outer points a = 1 and b = 10.5, of the inner ones b = 9.5.
    assert found.silhouette == pytest.approx((9.5 / 10.5 + 8.5 / 9.5) / 2)
    # Between: 4 * 5^2 over 1; within: 4 * 0.5^2 over 2.
    assert found.calinski_harabasz == pytest.approx(100 / 0.5)
    assert found.clusters == 2


def test_noise_counts_for_nothing():
    points = np.concatenate([LINE, [[500.0]]]).astype(np.float32)
    (found,) = choosing.judge(points, [grouped([0, 0, 1, 1, NOISE])])
    (without,) = choosing.judge(LINE, [grouped([0, 0, 1, 1])])
    assert found == without


def test_one_cluster_has_no_silhouette():
    assert choosing.judge(LINE, [grouped([0, 0, 0, 0])]) == [Tried(1, None, None)]


def test_the_number_of_heaps_is_found():
    points = heaps((9, 8, 7, 6))
    counts = choosing.counts(points, 10)
    tried = choosing.judge(points, group(points, "kmeans", counts))
    assert counts == range(2, 11)
    assert tried[choosing.best(tried)].clusters == 4


def test_silhouettes_are_taken_over_a_bounded_sample(monkeypatch):
    lengths = []

    def note(points, labels):
        lengths.append(len(points))
        return 0.5

    monkeypatch.setattr(choosing, "silhouette_score", note)
    points = np.random.default_rng(0).normal(size=(2500, 2)).astype(np.float32)
    choosing.judge(points, group(points, "kmeans", [2, 3]))
    assert lengths == [2000, 2000]


def test_among_few_crops_nothing_can_be_chosen():
    with pytest.raises(ConfigError, match="2 different crops are too few to choose a number of"):
        choosing.counts(LINE[[0, 0, 1]], 10)
    with pytest.raises(ConfigError, match=r"expected 2 or more clusters at most, got 1. Name"):
        choosing.counts(LINE, 1)
    assert choosing.counts(LINE, 10) == range(2, 4)
