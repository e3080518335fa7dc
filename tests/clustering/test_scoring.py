import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.clustering import score
from steel_defect_detection.clustering.methods import NOISE
from steel_defect_detection.clustering.scoring import Purity


def test_two_ways_to_part_four_crops_by_hand():
    crossed = score(["a", "a", "b", "b"], [0, 1, 0, 1])
    # No pair is together in both, 2 of 6 pairs in each: (0 - 2/3) / (2 - 2/3).
    assert crossed.adjusted_rand == pytest.approx(-0.5)
    assert crossed.normalised_mutual_information == pytest.approx(0, abs=1e-9)
    assert crossed.purity == 0.5


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=30))
def test_the_truth_itself_is_perfect_whatever_its_numbers(truth):
    found = score(truth, ["cab".index(name) for name in truth])
    assert found.adjusted_rand == found.purity == 1
    assert found.normalised_mutual_information == pytest.approx(1)


def test_each_cluster_says_what_it_mostly_holds_and_noise_is_last():
    found = score(["a", "a", "b", "b", "c", "c"], [0, 0, 0, NOISE, 1, NOISE])
    assert found.clusters == (
        Purity(cluster=0, label="a", purity=2 / 3),
        Purity(cluster=1, label="c", purity=1.0),
        Purity(cluster=NOISE, label="b", purity=0.5),
    )
    assert found.purity == pytest.approx(4 / 6)
