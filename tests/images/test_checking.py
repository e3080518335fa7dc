import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.errors import ImageError


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_passes(channels):
    images.check(np.zeros((4, 5, channels), dtype=np.uint8), "a.png")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5), dtype=np.uint8),
        np.zeros((4, 5, 2), dtype=np.uint8),
        np.zeros((4, 5, 4), dtype=np.uint8),
        np.zeros((4, 5, 3), dtype=np.float32),
        np.zeros((1, 4, 5, 3), dtype=np.uint8),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_anything_else_is_named_with_its_kind_and_shape(array):
    with pytest.raises(ImageError) as error:
        images.check(array, "a.png")
    assert str(error.value) == (
        "a.png: expected a uint8 image (height, width, 1 or 3 channels), "
        f"got {array.dtype} of shape {array.shape}"
    )
