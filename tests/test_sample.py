import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.errors import AnnotationError, ImageError
from steel_defect_detection.sample import Sample, are_defects

IMAGE = np.zeros((4, 6, 3), dtype=np.uint8)


def test_labels_are_read_from_the_masks():
    masks = np.zeros((2, 4, 6), dtype=np.bool_)
    masks[1, 0, 0] = True
    sample = Sample(name="a.png", image=IMAGE, classes=("x", "y"), masks=masks)
    assert sample.labels.tolist() == [False, True]
    assert sample.shape == (4, 6)


def test_a_sample_may_know_nothing_but_its_image():
    sample = Sample(name="a.png", image=IMAGE[..., :1], classes=())
    assert sample.masks is None
    assert sample.labels is None


@pytest.mark.parametrize(
    "image",
    [IMAGE.astype(float), IMAGE[..., 0], np.zeros((4, 6, 2), dtype=np.uint8)],
    ids=["float", "two dimensions", "two channels"],
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ImageError, match=re.escape("a.png: expected a uint8 image (height")):
        Sample(name="a.png", image=image, classes=("x",))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"masks": np.zeros((1, 4, 5), dtype=np.bool_)}, "expected bool masks of shape (1, 4, 6)"),
        ({"masks": np.zeros((1, 4, 6), dtype=np.uint8)}, "got uint8 of shape (1, 4, 6)"),
        ({"labels": np.zeros(2, dtype=np.bool_)}, "expected bool labels of shape (1,)"),
    ],
)
def test_annotations_that_do_not_fit_are_refused(part, message):
    with pytest.raises(AnnotationError, match=re.escape(message)):
        Sample(name="a.png", image=IMAGE, classes=("x",), **part)


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.sampled_from("abcdef") | st.none())
def test_every_class_but_the_good_one_is_a_defect(classes, good):
    bad = are_defects(classes, good)
    assert (bad.dtype, bad.shape) == (np.bool_, (len(classes),))
    assert [name for name, is_bad in zip(classes, bad, strict=True) if not is_bad] == (
        [good] if good in classes else []
    )
