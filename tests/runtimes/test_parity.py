"""Whether two engines say the same."""

import numpy as np
import pytest

from steel_defect_detection.errors import ConversionError
from steel_defect_detection.runtimes import parity


def array(*values: float, shape: tuple[int, ...] = (-1,)) -> np.ndarray:
    return np.array(values, dtype=np.float32).reshape(shape)


def test_the_largest_difference_is_given_by_name():
    one = {"probabilities": array(0.2, 0.9), "feature0": array(1, 5)}
    other = {"probabilities": array(0.2, 0.9005), "feature0": array(1, 3)}
    found = parity.compare(one, other)
    assert found["probabilities"] == pytest.approx(0.0005, rel=1e-3)
    assert found["feature0"] == 2


@pytest.mark.parametrize("bad", [array(0.1, 0.102), array(0.1, np.nan), array(0.1)])
def test_another_answer_is_refused(bad):
    with pytest.raises(ConversionError, match="differs from PyTorch: probabilities by"):
        parity.compare({"probabilities": array(0.1, 0.1)}, {"probabilities": bad})


def test_agreement_on_whole_images_is_one_less_the_largest_difference():
    whole = {"defect_probability": array(0.2, 0.9)}
    assert parity.agreement(whole, whole) == 1
    close = {"defect_probability": array(0.2, 0.6)}
    assert parity.agreement(whole, close) == pytest.approx(0.7)


def test_agreement_on_pixels_is_their_dice_and_the_least_counts():
    # Three pixels and two, of which one is the same: 2 * 1 / 5.
    first = array(0.9, 0.9, 0.9, 0.1, shape=(1, 1, 2, 2))
    second = array(0.9, 0.1, 0.1, 0.9, shape=(1, 1, 2, 2))
    same = {"defect_probability": array(0.2, 0.9)}
    found = parity.agreement(same | {"probabilities": first}, same | {"probabilities": second})
    assert found == pytest.approx(0.4)


def test_agreement_where_there_is_nothing_or_no_number():
    nothing = {"probabilities": np.zeros((1, 1, 2, 2), dtype=np.float32)}
    assert parity.agreement(nothing, nothing) == 1
    no_number = {"probabilities": np.full((1, 1, 2, 2), np.nan, dtype=np.float32)}
    assert parity.agreement(nothing, no_number) == 0


@pytest.mark.parametrize("shape", [(1, 40, 70, 1), (1, 300, 1700, 3), (2, 3000, 2000, 3)])
def test_examples_have_the_images_size(shape):
    shown = list(parity.examples({"images": np.zeros(shape, dtype=np.uint8)}))
    assert shown
    for inputs in shown:
        assert inputs["images"].shape == (1, *shape[1:])
        assert inputs["images"].std() > 0


def test_where_more_than_images_is_taken_the_given_inputs_are_the_example():
    inputs = {"images": np.zeros((1, 8, 8, 3), dtype=np.uint8), "feature0": array(1)}
    (shown,) = parity.examples(inputs)
    assert shown.keys() == inputs.keys()
    assert shown["feature0"] is inputs["feature0"]


@pytest.mark.parametrize(
    ("name", "judged"),
    [
        ("probabilities", True),
        ("class_probabilities", True),
        ("defect_probability", True),
        ("familiarity", True),
        ("feature_1", False),
        ("images", False),
    ],
)
def test_what_is_said_of_an_image_is_judged_and_steps_on_the_way_are_not(name, judged):
    assert parity.is_judged(name) == judged
    compared = {name: array(0.1)}, {name: array(0.2)}
    if judged:
        with pytest.raises(ConversionError, match=f"differs from PyTorch: {name} by 0.1"):
            parity.compare(*compared)
    else:
        assert parity.compare(*compared) == {name: pytest.approx(0.1)}


def test_another_familiarity_is_no_disagreement_of_a_coarse_network():
    exact = {"defect_probability": array(0.2), "familiarity": array(0.9)}
    assert parity.agreement(exact, exact | {"familiarity": array(0.1)}) == 1
