import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.evaluation import mislabelled

CLASSES = ("pits", "rust")


def exclusive(given, percent):
    """Ask about images of two classes, and give the found ones by their numbers."""
    labels = np.eye(2, dtype=np.bool_)[given]
    names = [str(number) for number in range(len(given))]
    found = mislabelled.exclusive(names, CLASSES, labels, np.array(percent) / 100)
    return {int(one.image): one for one in found}


def test_a_confident_joint_worked_by_hand():
    # Average of pits on the three images called pits: (95 + 85 + 30) / 3 = 70.
    # Average of rust on the four images called rust: (70 + 80 + 25 + 40) / 4 = 53.75.
    percent = [(95, 5), (85, 15), (30, 70), (30, 70), (20, 80), (75, 25), (60, 40)]
    found = exclusive([0, 0, 0, 1, 1, 1, 1], percent)
    # Image 2 is seen as rust (70 >= 53.75), image 5 as pits (75 >= 70). Image 6 is called pits by
    # the model too, but with 60 < 70 it is not seen as anything.
    assert sorted(found) == [2, 5]
    assert (found[2].labelled, found[2].suggested) == ("pits", "rust")
    assert (found[5].labelled, found[5].suggested) == ("rust", "pits")
    assert (found[2].score, found[2].certainty) == pytest.approx((0.3, 0.7))
    assert (found[5].score, found[5].certainty) == pytest.approx((0.25, 0.75))
    assert {one.reason for one in found.values()} == {"other class"}


def test_a_label_that_is_the_likeliest_class_is_not_suspected():
    # Average of rust: (40 + 30 + 20) / 3 = 30; of pits (95 + 95 + 95 + 62) / 4 = 86.75. The fourth
    # image counts as seen as rust (38 >= 30) and not as pits, but is more probably pits.
    percent = [(95, 5), (95, 5), (95, 5), (62, 38), (60, 40), (70, 30), (80, 20)]
    assert 3 not in exclusive([0, 0, 0, 0, 1, 1, 1], percent)


def test_nine_in_ten_is_sure_enough_where_the_model_is_surer_on_average():
    percent = [(99.9, 0.1)] * 5 + [(0.1, 99.9)] * 5 + [(97, 3), (88, 12)]
    # The average of pits is 99.9; 97 is below it, and still no doubt. 88 is neither.
    assert sorted(exclusive([0] * 5 + [1] * 7, percent)) == [10]


def classes_of_images():
    """The class of each image, three images of each of three classes at least, in any order."""
    more = st.lists(st.integers(0, 2), max_size=12)
    return more.flatmap(lambda some: st.permutations([0, 1, 2] * 3 + some))


@given(classes_of_images(), st.integers(0, 2**32 - 1))
def test_of_a_perfect_model_exactly_the_two_labels_that_were_swapped_are_listed(truth, seed):
    random = np.random.default_rng(seed)
    truth = np.array(truth)
    rest = random.uniform(0, 0.03, (len(truth), 3))
    probabilities = rest + np.eye(3)[truth] * (1 - rest.sum(axis=1, keepdims=True))
    names = [str(number) for number in range(len(truth))]
    labels = np.eye(3, dtype=np.bool_)
    kinds = ("a", "b", "c")
    assert mislabelled.exclusive(names, kinds, labels[truth], probabilities) == []
    one = int(random.integers(len(truth)))
    other = int(random.choice(np.flatnonzero(truth != truth[one])))
    swapped = truth.copy()
    swapped[[one, other]] = truth[[other, one]]
    found = mislabelled.exclusive(names, kinds, labels[swapped], probabilities)
    assert {suspect.image for suspect in found} == {names[one], names[other]}
    for suspect in found:
        assert suspect.suggested == kinds[truth[int(suspect.image)]]


def test_classes_that_do_not_exclude_each_other_are_asked_about_one_by_one():
    labels = np.array([(1, 0), (1, 0), (1, 0), (0, 0), (0, 0), (0, 0)], dtype=np.bool_)
    # Pits: on average 58 where labelled (90, 80, 4), and 63 against where not (5, 10, 96).
    # No image is labelled with rust, so nothing is known of how it would look.
    percent = [(90, 99), (80, 1), (4, 1), (5, 1), (10, 1), (96, 1)]
    found = mislabelled.independent("abcdef", CLASSES, labels, np.array(percent) / 100)
    said = {one.image: (one.reason, one.labelled, one.suggested) for one in found}
    assert said == {
        "c": ("class not shown", "pits", "no pits"),
        "f": ("class not labelled", "no pits", "pits"),
    }
    assert [one.score for one in found] == pytest.approx([0.04, 0.04])
    assert [one.certainty for one in found] == pytest.approx([0.96, 0.96])


def test_an_image_may_be_wrong_in_several_classes():
    labels = np.array([(1, 0), (1, 0), (0, 1), (0, 1), (1, 0)], dtype=np.bool_)
    percent = [(95, 3), (96, 2), (3, 95), (2, 96), (1, 99)]
    found = mislabelled.independent("abcde", CLASSES, labels, np.array(percent) / 100)
    assert [(one.image, one.suggested) for one in found] == [("e", "no pits"), ("e", "rust")]


@pytest.mark.parametrize("given", [[0], [0, 0, 0], [1, 1]])
def test_where_all_labels_are_the_same_nothing_is_suspected(given):
    assert exclusive(given, [(1, 99)] * len(given)) == {}


def test_two_images_are_enough_and_nothing_but_the_answer_is_said(capfd):
    # Both averages are 40, so both images are seen as both classes, and the likelier one counts.
    assert sorted(exclusive([0, 1], [(40, 60), (60, 40)])) == [0, 1]
    assert capfd.readouterr() == ("", "")


def test_an_image_of_two_exclusive_classes_is_an_error():
    labels = np.array([(True, True)])
    with pytest.raises(AnnotationError, match=r"a\.png shows 2 classes, but the model gives each"):
        mislabelled.exclusive(["a.png"], CLASSES, labels, np.array([(0.5, 0.5)]))
