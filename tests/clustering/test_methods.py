import re
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from steel_defect_detection.clustering import methods
from steel_defect_detection.clustering.methods import NOISE, Method, group
from steel_defect_detection.errors import ConfigError

SIZES = (6, 9, 7)


def heaps(sizes=SIZES, seed=0):
    """Points around far corners, and the corner of each."""
    random = np.random.default_rng(seed)
    corners = np.repeat(np.arange(len(sizes)), sizes)
    return (corners[:, None] * 100 + random.normal(size=(len(corners), 4))).astype(np.float32)


@pytest.mark.parametrize("method", get_args(Method))
def test_heaps_are_found_and_the_largest_is_0(method):
    (found,) = group(heaps(), method, [3], least_members=4)
    assert found.labels.tolist() == [2] * 6 + [0] * 9 + [1] * 7
    assert found.labels.dtype == np.int32
    assert np.allclose(found.centres.mean(axis=1), [100, 200, 0], atol=2)


@pytest.mark.parametrize("method", get_args(Method))
def test_of_equal_heaps_the_one_with_the_first_crop_is_first(method):
    points = heaps((6, 6))[::-1]
    (found,) = group(points, method, [2], least_members=4)
    assert found.labels.tolist() == [0] * 6 + [1] * 6


@given(st.permutations(range(sum(SIZES))), st.sampled_from(["kmeans", "agglomerative"]))
def test_the_order_of_crops_makes_no_difference_to_the_groups(order, method):
    points, order = heaps(), np.array(order)
    (found,), (shuffled,) = (group(rows, method, [3]) for rows in (points, points[order]))
    assert np.array_equal(shuffled.labels, found.labels[order])


@pytest.mark.parametrize("method", ["kmeans", "minibatch"])
def test_the_same_seed_gives_the_same_clusters(method):
    points = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    one, same = (group(points, method, [7], seed=3)[0].labels for _ in range(2))
    assert np.array_equal(one, same)


def test_agglomerative_clusters_are_those_of_scikit_learn():
    points = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    for count, found in zip((2, 5, 9), group(points, "agglomerative", (2, 5, 9)), strict=True):
        reference = AgglomerativeClustering(count).fit_predict(points)
        assert adjusted_rand_score(reference, found.labels) == 1
        assert len(found.centres) == count


def test_what_lies_far_from_dense_regions_is_noise():
    points = np.concatenate([heaps(), np.full((1, 4), 1000, np.float32)])
    (found,) = group(points, "hdbscan", (), least_members=4)
    assert found.labels[-1] == NOISE
    assert (found.labels[:-1] != NOISE).all()
    assert len(found.centres) == 3


def test_noise_alone_is_told_with_what_to_do():
    line = np.linspace(0, 1, 12, dtype=np.float32)[:, None] ** 3
    message = "hdbscan found no dense region among 12 crops: all are noise. Take a smaller --least"
    with pytest.raises(ConfigError, match=re.escape(message)):
        group(line, "hdbscan", (), least_members=12)


@pytest.mark.parametrize(
    ("method", "counts", "message"),
    [
        ("kmeans", [23], "expected 1 to 22 clusters, as many as there are crops that differ, got"),
        ("agglomerative", [0, 2], "expected 1 to 22 clusters, as many as there are crops that di"),
        ("dbscan", [2], "there is no method 'dbscan'; there are kmeans, minibatch, agglomerative"),
        ("hdbscan", (), "expected clusters of at least 2 to 22 crops, got 1"),
    ],
)
def test_impossible_wishes_are_refused(method, counts, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        group(heaps(), method, counts, least_members=1)


def test_equal_crops_are_no_two_clusters():
    with pytest.raises(ConfigError, match=r"expected 1 to 1 clusters, .*, got 2"):
        group(np.ones((5, 3), np.float32), "kmeans", [2])


def test_what_does_not_fit_into_memory_is_refused_before_any_work():
    message = (
        "agglomerative clustering compares all pairs of crops, which fits into memory up to "
        "10,000 crops, got 10,001. Use --method kmeans, minibatch or hdbscan"
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        methods.check(10_001, "agglomerative")
    methods.check(10_001, "kmeans")
