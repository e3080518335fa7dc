import numpy as np
import pytest

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.evaluation import misoutlined
from steel_defect_detection.sample import Sample
from tests.evaluation.toys import Painted

CLASSES = ("pits", "rust", "scale")
SIDE = 50  # 2,500 pixels: an outlined region counts from 3 pixels on, one that was found from 13
HERE, THERE = np.s_[5:15, 5:15], np.s_[30:40, 30:40]


def judged(outlined=(), painted=(), *, labels=None, **settings):
    """Suspects of an image outlined at (class, place) and painted at (class, place, percent)."""
    masks = np.zeros((3, SIDE, SIDE), dtype=np.bool_)
    for number, place in outlined:
        masks[number][place] = True
    image = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    for number, place, percent in painted:
        image[(*place, number)] = percent
    known = {"masks": masks} if labels is None else {"labels": np.array(labels, dtype=np.bool_)}
    sample = Sample(name="a.png", image=image, classes=CLASSES, **known)
    found = misoutlined.find(sample, Painted(CLASSES, **settings).predict(image))
    return {(one.reason, one.labelled, one.suggested): one for one in found}


def test_right_outlines_are_not_suspected():
    assert judged([(0, HERE), (1, THERE)], [(0, HERE, 97), (1, THERE, 95)]) == {}
    assert judged() == {}


def test_an_outline_where_the_model_sees_nothing_is_suspected():
    found = judged([(0, HERE)], [(0, THERE, 60), (0, HERE, 7)])
    assert list(found) == [("outline not found", "pits", "nothing")]
    (one,) = found.values()
    assert (one.image, one.area_pixels) == ("a.png", 100)
    assert (one.score, one.certainty) == pytest.approx((0.07, 0.93))


def test_one_likely_pixel_clears_an_outline():
    pixel = np.s_[9:10, 9:10]
    assert judged([(0, HERE)], [(0, pixel, 21)]) == {}
    assert judged([(0, HERE)], [(0, pixel, 19)]) != {}


def test_what_is_seen_one_pixel_beside_the_outline_clears_it():
    assert judged([(0, HERE)], [(0, np.s_[5:15, 15:16], 80)]) == {}
    assert judged([(0, HERE)], [(0, np.s_[5:15, 18:19], 80)]) != {}


def test_an_outline_of_another_class_is_told_from_one_of_nothing():
    found = judged([(0, HERE)], [(2, HERE, 96)])
    assert list(found) == [("outline of another class", "pits", "scale")]
    (one,) = found.values()
    assert (one.score, one.certainty) == pytest.approx((0, 0.96))
    # If less than half of it is of another class, that one is not suggested.
    assert list(judged([(0, HERE)], [(2, np.s_[5:9, 5:15], 60)])) == [
        ("outline not found", "pits", "nothing")
    ]


def test_what_is_found_for_sure_where_nothing_is_outlined_is_suspected():
    found = judged([(0, HERE)], [(0, HERE, 97), (1, THERE, 94)])
    assert list(found) == [("defect not outlined", "nothing", "rust")]
    (one,) = found.values()
    assert (one.score, one.certainty, one.area_pixels) == (
        pytest.approx(0.06),
        pytest.approx(0.94),
        100,
    )


@pytest.mark.parametrize(
    ("painted", "outlined"),
    [
        pytest.param([(1, THERE, 89)], [], id="not sure enough"),
        pytest.param([(1, np.s_[30:33, 30:34], 99)], [], id="12 pixels are too small"),
        pytest.param(
            [(1, THERE, 99), (0, HERE, 99)], [(0, HERE), (1, np.s_[30:31, 30:40])], id="10 of 100"
        ),
    ],
)
def test_what_is_found_is_not_suspected_without_reason(painted, outlined):
    assert judged(outlined, painted) == {}


def test_regions_of_one_class_are_joined_with_the_worst_score():
    found = judged([(0, HERE), (0, THERE), (0, np.s_[0:1, 45:47])], [(0, HERE, 10), (0, THERE, 4)])
    # The two pixels in the corner are too few to count.
    (one,) = found.values()
    assert one.area_pixels == 200
    assert one.score == pytest.approx(0.04)


def test_where_a_gate_let_the_image_pass_its_probability_counts():
    (one,) = judged([(0, HERE)], [(0, HERE, 97)], gate=0.05).values()
    assert one.score == pytest.approx(0.05)
    assert judged([(0, HERE)], [(0, HERE, 97)], gate=0.45) == {}
    assert judged([], [(0, HERE, 97)], gate=0.05) == {}


def test_an_image_with_labels_only_is_looked_at_as_a_whole():
    found = judged(labels=(1, 0, 1), painted=[(0, HERE, 40), (1, THERE, 99)])
    assert {key: one.score for key, one in found.items()} == {
        ("class not labelled", "no rust", "rust"): pytest.approx(0.01, abs=1e-6),
        ("class not shown", "scale", "no scale"): 0,
    }


def test_a_model_without_probabilities_is_an_error():
    with pytest.raises(ConfigError, match="load the model with keep_probabilities"):
        judged([(0, HERE)], [(0, HERE, 97)], kept=False)
