"""What a generator learns from: squares of images and masks, from -1 to 1."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, NoImagesError
from steel_defect_detection.synthesis import gan_images
from steel_defect_detection.synthesis.gan_config import GanConfig
from tests.datasets.drawn import Pixels, entry

SMALL = GanConfig(image_size=16)


def dataset(*entries: Entry, classes: tuple[str, ...] = ("pit",), good: str | None = None):
    return Dataset(classes=classes, entries=entries, good_class=good)


def strip(*boxes: tuple[slice, slice], shape: tuple[int, int] = (40, 100), number: int = 0):
    """A dark strip that is bright exactly where its mask is."""
    mask = np.zeros((1, *shape), dtype=np.bool_)
    for box in boxes:
        mask[0][box] = True
    return entry(f"{number}.png", np.where(mask[0], 200, 50), mask)


def test_the_range_of_bytes_becomes_minus_one_to_one():
    image = np.zeros((16, 16))
    image[0, :3] = (0, 51, 255)
    squares = gan_images.read(dataset(*[entry("a", image)] * 2), SMALL)
    assert squares[0].shape == (1, 16, 16)
    assert squares[0][0, 0, :3].tolist() == pytest.approx([-1, -0.6, 1])
    assert squares.masks is None


def test_masks_are_further_planes_of_one_and_minus_one():
    masks = np.zeros((2, 16, 16))
    masks[1, 3:5, 2:9] = 1
    one = entry("a", np.full((16, 16), 255), masks)
    planes = gan_images.read(dataset(one, one, classes=("pit", "rust")), SMALL)[1]
    assert planes.shape == (3, 16, 16)
    assert planes[2, 3:5, 2:9].unique().tolist() == [1]
    assert planes[1].unique().tolist() == [-1]
    assert float((planes[2] + 1).sum()) == 2 * 14


def test_a_window_keeps_the_size_of_a_defect_and_shows_it():
    squares = gan_images.read(
        dataset(strip(np.s_[2:7, 90:96]), strip(np.s_[20:26, 3:8])), GanConfig(image_size=16)
    )
    assert squares.images.shape == (2, 16, 16, 1)
    assert squares.masks.sum(axis=(1, 2, 3)).tolist() == [30, 30]
    assert np.array_equal(squares.images[..., 0] == 200, squares.masks[:, 0])


def test_a_long_defect_gives_several_windows_and_neighbours_give_one():
    long = gan_images.read(dataset(strip(np.s_[20:23, 0:64])), SMALL)
    assert len(long) == 64 // 16
    assert long.masks.any(axis=(1, 2, 3)).all()
    near = strip(np.s_[4:6, 4:6], np.s_[4:6, 12:14])
    far = strip(np.s_[4:6, 4:6], np.s_[4:6, 60:62])
    assert len(gan_images.read(dataset(near, near), SMALL)) == 2
    assert len(gan_images.read(dataset(far), SMALL)) == 2


def test_the_seed_chooses_the_windows():
    long = dataset(strip(np.s_[10:30, 0:100]))
    once, again = (gan_images.read(long, SMALL).images for _ in range(2))
    other = gan_images.read(long, GanConfig(image_size=16, seed=1)).images
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_a_small_image_is_a_window_of_its_own_size():
    squares = gan_images.read(dataset(*[strip(np.s_[0:5, 0:10], shape=(10, 10))] * 2), SMALL)
    assert squares.images.shape == (2, 16, 16, 1)
    assert 0.4 < squares.masks.mean() < 0.6


def test_a_good_class_gives_no_windows():
    masks = np.zeros((2, 16, 16))
    masks[0] = 1
    good = entry("a", np.zeros((16, 16)), masks)
    with pytest.raises(NoImagesError, match="expected at least 2 defects"):
        gan_images.read(dataset(good, good, classes=("fine", "pit"), good="fine"), SMALL)


def test_whole_images_are_made_small_with_their_masks():
    config = GanConfig(image_size=16, crops=False)
    half = strip(np.s_[0:32, 0:32], shape=(32, 64))
    squares = gan_images.read(dataset(half, half), config)
    assert squares.masks[0, 0, :, :8].all()
    assert not squares.masks[0, 0, :, 8:].any()
    assert squares.images[0, :, :8].tolist() == np.full((16, 8, 1), 200).tolist()
    alone = gan_images.read(dataset(half, half), config.model_copy(update={"masks": False}))
    assert alone.masks is None
    assert np.array_equal(alone.images, squares.images)


def test_colours_become_brightness_or_stay_and_grey_becomes_three_equal_channels():
    colour = np.zeros((16, 16, 3), dtype=np.uint8)
    colour[..., 0] = 200
    red = Entry(name="red", pixels=Pixels(colour))
    grey = entry("grey", np.full((16, 16), 90))
    dark = gan_images.read(dataset(red, grey), SMALL).images
    assert dark.shape == (2, 16, 16, 1)
    assert dark[0, 0, 0, 0] == round(0.299 * 200)
    bright = gan_images.read(dataset(red, grey), GanConfig(image_size=16, channels=3)).images
    assert bright[:, 0, 0].tolist() == [[200, 0, 0], [90, 90, 90]]


def test_too_few_images_are_refused():
    bare = entry("a", np.zeros((16, 16)))
    with pytest.raises(
        NoImagesError, match=re.escape("expected at least 2 images to learn from, got 1")
    ):
        gan_images.read(dataset(bare), SMALL)
    clean = strip()
    message = "expected at least 2 defects to take windows around, got 0 in 2 images. Learn from"
    with pytest.raises(NoImagesError, match=re.escape(message)):
        gan_images.read(dataset(clean, clean), SMALL)
    assert len(gan_images.read(dataset(clean, clean), GanConfig(image_size=16, crops=False))) == 2


def test_images_without_masks_among_others_are_named():
    bare = entry("bare.png", np.zeros((16, 16)))
    message = "1 of 2 images have no masks, first: bare.png. Leave them out, or make images without"
    with pytest.raises(AnnotationError, match=re.escape(message)):
        gan_images.read(dataset(strip(np.s_[0:5, 0:5]), bare), SMALL)


@given(
    arrays.arrays(np.float32, (2, 3, 4, 5), elements=st.floats(-1, 1, width=32)),
)
def test_made_masks_never_overlap_and_hold_only_what_is_above_zero(planes):
    found = gan_images.exclusive(planes)
    assert found.dtype == np.bool_
    assert found.sum(axis=1).max() <= 1
    assert np.array_equal(found.any(axis=1), planes.max(axis=1) > 0)
    assert (np.where(found, planes, -2).max(axis=1) >= planes.max(axis=1))[found.any(axis=1)].all()
