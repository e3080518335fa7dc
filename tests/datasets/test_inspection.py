import tracemalloc
from time import perf_counter

import numpy as np
import pandas as pd
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import layouts, severstal_annotations
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.inspection import GRID, inspect
from tests.datasets.drawn import Masks, Pixels, entry

NOTHING = [[0, 0, 0], [0, 0, 0], [0, 0, 0]]
SPOT = [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
ROW = [[1, 1, 1], [0, 0, 0], [0, 0, 0]]


def grey(value):
    return np.full((3, 3), value)


@pytest.fixture
def dataset():
    """Six images whose every number can be counted by eye."""
    return Dataset(
        classes=("pit", "scratch"),
        entries=(
            entry("clean.png", grey(1), [NOTHING, NOTHING]),
            entry("pit.png", grey(2), [SPOT, NOTHING]),
            entry("both.png", grey(3), [SPOT, ROW]),
            entry("label.png", grey(4), labels=(False, True)),
            entry("unknown.png", grey(5)),
            entry("again.png", grey(2), [SPOT, NOTHING]),
        ),
    )


def test_a_small_set_is_counted_as_by_hand(dataset):
    found = inspect(dataset)
    assert (found.images, found.clean, found.defective, found.unlabelled) == (6, 1, 4, 1)
    assert found.types == (1, 3, 1)
    assert found.class_images == (3, 2)
    assert found.together == ((3, 1), (1, 2))
    assert found.masked == 4
    assert found.pixels == (3, 3)
    assert found.annotated_pixels == 4 * 9
    assert found.background_pixels == 9 + 8 + 6 + 8
    assert (found.shared_pixels, found.shared) == (1, ("both.png",))
    assert found.sizes == {(3, 3): 6}
    assert found.duplicates == (("pit.png", "again.png"),)
    assert (found.empty, found.problems) == ((), ())


def test_the_example_of_a_class_shows_no_other_class_if_there_is_such_an_image(dataset):
    assert inspect(dataset).examples == (1, 3)
    assert inspect(dataset.subset([0, 2])).examples == (1, 1)
    assert inspect(dataset.subset([0])).examples == (None, None)


def test_a_good_class_is_no_defect():
    entries = tuple(
        entry(f"{number}.png", grey(number), labels=(number < 2, number >= 2))
        for number in range(5)
    )
    found = inspect(Dataset(classes=("good", "pit"), entries=entries, good_class="good"))
    assert (found.clean, found.defective) == (2, 3)
    assert found.types == (2, 3)
    assert found.class_images == (2, 3)


def test_an_empty_set_is_counted_as_nothing():
    found = inspect(Dataset(classes=("pit",), entries=()))
    assert (found.images, found.types, found.sizes) == (0, (0,), {})


def test_only_equal_pixels_of_equal_shape_are_duplicates():
    wide, high = np.zeros((3, 4)), np.zeros((4, 3))
    almost = np.zeros((3, 4))
    almost[2, 3] = 1
    drawn = {"wide": wide, "high": high, "almost": almost, "copy": wide, "third": wide}
    entries = tuple(entry(name, image) for name, image in drawn.items())
    assert inspect(Dataset(classes=("pit",), entries=entries)).duplicates == (
        ("wide", "copy", "third"),
    )


def test_a_file_saved_in_two_formats_is_a_duplicate(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    images.write(tmp_path / "a.png", picture)
    (tmp_path / "b.bmp").write_bytes(bmp(picture))
    entries = tuple(Entry(name=path.name, path=path) for path in sorted(tmp_path.iterdir()))
    assert inspect(Dataset(classes=("pit",), entries=entries)).duplicates == (("a.png", "b.bmp"),)


def bmp(picture) -> bytes:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, format="BMP")
    return buffer.getvalue()


def test_positions_are_the_mean_of_the_masks_over_each_place():
    random = np.random.default_rng(0)
    drawn = [random.random((2, 64, 128)) < share for share in (0.2, 0.7)]
    entries = tuple(
        entry(f"{number}", np.zeros((64, 128)), stack) for number, stack in enumerate(drawn)
    )
    found = inspect(Dataset(classes=("pit", "scratch"), entries=entries))
    blocks = np.mean(drawn, axis=0).reshape(2, GRID[0], 2, GRID[1], 2).mean(axis=(2, 4))
    # Shares are rounded to 1/255.
    np.testing.assert_allclose(found.positions, blocks, atol=1 / 510 + 1e-6)


def test_positions_of_images_of_different_size_lie_over_each_other():
    left_halves = []
    for shape in ((40, 300), (64, 64), (10, 12)):
        mask = np.zeros((1, *shape))
        mask[:, :, : shape[1] // 2] = 1
        left_halves.append(entry(str(shape), np.zeros(shape), mask))
    positions = inspect(Dataset(classes=("pit",), entries=tuple(left_halves))).positions[0]
    assert positions[:, : GRID[1] // 2 - 4].min() > 0.99
    assert positions[:, GRID[1] // 2 + 4 :].max() < 0.01


def broken_entries(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    small = [[[1, 1], [1, 1]]]
    return {
        "broken": (Entry(name="broken", path=tmp_path / "broken.png"), "broken.png"),
        "missing": (Entry(name="missing", path=tmp_path / "missing.png"), "missing.png"),
        "too small a mask": (
            entry("mask", grey(1), small),
            "expected bool masks of shape (1, 3, 3), got bool of shape (1, 2, 2)",
        ),
        "grey mask": (
            Entry(
                name="g",
                pixels=Pixels(grey(1)[..., None].astype(np.uint8)),
                masks=Masks(np.ones((1, 3, 3), dtype=np.uint8)),
            ),
            "got uint8 of shape (1, 3, 3)",
        ),
        "two labels": (
            entry("labels", grey(1), labels=(True, False)),
            "expected a label for each of 1 classes, got (True, False)",
        ),
        "denied": (
            entry("denied", grey(1), [SPOT], labels=(False,)),
            "denied: its masks show pit, which its labels deny",
        ),
        "masks without a size": (
            Entry(name="nowhere", masks=Masks(np.ones((1, 3, 3), dtype=np.bool_))),
            "not the image itself",
        ),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "broken",
        "missing",
        "too small a mask",
        "grey mask",
        "two labels",
        "denied",
        "masks without a size",
    ],
)
def test_an_image_with_a_problem_is_named_and_the_rest_goes_on(tmp_path, kind):
    bad, message = broken_entries(tmp_path)[kind]
    good = [entry(f"good-{number}", grey(number), [SPOT]) for number in range(2)]
    found = inspect(Dataset(classes=("pit",), entries=(good[0], bad, good[1])))
    assert [problem.image for problem in found.problems] == [bad.name]
    assert message in found.problems[0].problem
    assert (found.images, found.defective, found.clean, found.masked) == (3, 2, 0, 2)
    assert sum(found.sizes.values()) == 2


def test_a_mask_that_is_empty_although_a_class_is_claimed_is_named():
    entries = (
        entry("label.png", grey(1), [NOTHING, SPOT], labels=(True, True)),
        entry("folder.png", grey(2), [NOTHING, NOTHING], claim="scratch"),
        entry("both.png", grey(3), [NOTHING, NOTHING], labels=(True, False), claim="pit"),
        entry("fine.png", grey(4), [SPOT, NOTHING], claim="pit"),
    )
    found = inspect(Dataset(classes=("pit", "scratch"), entries=entries))
    assert found.empty == (("label.png", "pit"), ("folder.png", "scratch"), ("both.png", "pit"))
    assert found.problems == ()


class Noise:
    """An image that is made when it is asked for, of another content each time."""

    def __init__(self, seed):
        self.seed = seed

    def read(self):
        random = np.random.default_rng(self.seed)
        return random.integers(0, 256, (200, 200, 3), dtype=np.uint8)


class Half:
    def read(self, shape):
        masks = np.zeros((2, *shape), dtype=np.bool_)
        masks[0, : shape[0] // 2] = True
        return masks


def peak_bytes(count):
    entries = tuple(Entry(name=str(n), pixels=Noise(n), masks=Half()) for n in range(count))
    dataset = Dataset(classes=("pit", "scratch"), entries=entries)
    inspect(dataset[:2])
    tracemalloc.start()
    try:
        inspect(dataset)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_images():
    one_image = 200 * 200 * 3
    # What stays per image is a hash; 200 further images may cost less than one.
    assert peak_bytes(220) - peak_bytes(20) < one_image


@pytest.mark.real_data
def test_the_annotations_of_severstal_have_the_published_counts(real_data):
    folder = real_data / "severstal_annotations"
    found = inspect(severstal_annotations.read(folder))
    # As published with the original system, over all 12,568 images of the competition.
    assert found.types == (5902, 6239, 425, 2)
    assert found.class_images == (897, 247, 5150, 801)
    assert (found.clean, found.defective, found.unlabelled) == (5902, 6666, 0)
    assert (found.problems, found.empty, found.shared_pixels) == ((), (), 0)
    assert found.sizes == {(256, 1600): 12568}
    labels = pd.read_csv(folder / "image_level_labels_all_12568.csv", index_col=0)
    assert np.array_equal(found.together, labels.T.to_numpy() @ labels.to_numpy())
    rows = pd.read_csv(folder / "train_rle_5028_images.csv")
    areas = rows.EncodedPixels.map(lambda runs: sum(map(int, runs.split()[1::2])))
    assert found.pixels == tuple(areas.groupby(rows.ClassId).sum())
    assert found.masked == 5028
    assert found.annotated_pixels == 5028 * 256 * 1600
    assert found.background_pixels == found.annotated_pixels - areas.sum()


@pytest.mark.real_data
@pytest.mark.slow
def test_all_masks_of_5028_images_are_read_and_counted_within_eight_seconds(real_data):
    started = perf_counter()
    found = inspect(severstal_annotations.read(real_data / "severstal_annotations"))
    assert perf_counter() - started < 8
    assert found.masked == 5028


@pytest.mark.real_data
def test_the_magnetic_tiles_have_two_empty_masks(real_data):
    found = inspect(layouts.read(real_data / "magnetic_tile"))
    assert (found.images, found.defective, found.clean) == (1002, 292, 710)
    assert {name for _, name in found.empty} == {"uneven"}
    # The folder of tiles that are free of defects holds 708.
    assert found.clean - len(found.empty) == 708
