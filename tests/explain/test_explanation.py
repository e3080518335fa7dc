import numpy as np
import pytest

from steel_defect_detection.errors import ImageError
from steel_defect_detection.explain import METHODS, Explanation, Target


def made(attribution: np.ndarray) -> Explanation:
    target = Target(number=0, class_name="pit", text="logit of pit", probability=0.5)
    return Explanation(
        source="a.png", method="saliency", target=target, value=1.0, attribution=attribution
    )


def test_there_are_five_methods():
    assert set(METHODS) == {
        "integrated-gradients",
        "saliency",
        "deeplift",
        "guided-backprop",
        "grad-cam",
    }


def test_a_finite_map_is_taken():
    assert made(np.zeros((3, 4), dtype=np.float32)).attribution.shape == (3, 4)


@pytest.mark.parametrize(
    "attribution",
    [
        np.zeros((3, 4)),
        np.zeros((3, 4, 1), dtype=np.float32),
        np.full((3, 4), np.nan, dtype=np.float32),
    ],
    ids=["float64", "three axes", "not a number"],
)
def test_anything_else_is_refused(attribution):
    with pytest.raises(ImageError, match=r"a\.png: expected a finite float32 attribution"):
        made(attribution)
