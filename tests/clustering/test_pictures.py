import re

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.clustering import pictures
from steel_defect_detection.errors import ImageError, NoImagesError, ResultsError
from tests.clustering import drawn


def write(paths, target, size=16):
    problems = []
    return pictures.write(paths, target, size, problems), problems


def test_crops_are_found_at_any_depth_in_the_order_of_their_names(tmp_path):
    for name in ("b/2.png", "b/deep/1.jpg", "a.tif.png", "B/1.PNG"):
        images.write(tmp_path / name, np.zeros((4, 4), np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    found = [pictures.name_of(path, tmp_path) for path in pictures.find(tmp_path)]
    assert found == ["B/1.PNG", "a.tif.png", "b/2.png", "b/deep/1.jpg"]
    assert len(pictures.find(tmp_path, skip=[tmp_path / "b"])) == 2


def test_a_folder_that_is_none_or_empty_is_refused(tmp_path):
    with pytest.raises(NoImagesError, match=r"expected a folder of crops, got '.*nowhere', which"):
        pictures.find(tmp_path / "nowhere")
    with pytest.raises(NoImagesError, match="no images in"):
        pictures.find(tmp_path)


def test_every_size_becomes_the_same_square(tmp_path):
    random = np.random.default_rng(0)
    shapes = [(3, 3), (33, 549), (16, 16), (5, 40)]
    made = [random.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    for number, picture in enumerate(made):
        images.write(tmp_path / f"{number}.png", picture)
    kept, problems = write(pictures.find(tmp_path), tmp_path / "images.npy")
    array = np.load(tmp_path / "images.npy")
    assert (len(kept), problems) == (4, [])
    assert (array.shape, array.dtype) == ((4, 16, 16, 3), np.uint8)
    # The one that has the size already stays as it is.
    assert np.array_equal(array[2], made[2])
    assert abs(array[1].mean() - made[1].mean()) < 5


def test_unreadable_crops_are_named_and_leave_no_row(tmp_path):
    drawn.crops(tmp_path, kinds={"smooth": 3})
    (tmp_path / "smooth/01.png").write_bytes(b"no picture")
    kept, problems = write(pictures.find(tmp_path), tmp_path / "images.npy")
    assert [path.name for path in kept] == ["00.png", "02.png"]
    assert [problem.image for problem in problems] == [str(tmp_path / "smooth/01.png")]
    assert np.load(tmp_path / "images.npy").shape == (2, 16, 16, 3)


def test_where_nothing_can_be_read_the_old_array_stays(tmp_path):
    (tmp_path / "1.png").write_bytes(b"no picture")
    np.save(tmp_path / "images.npy", np.arange(3))
    message = "none of 1 crops can be read, first "
    with pytest.raises(ImageError, match=re.escape(message)):
        write([tmp_path / "1.png"], tmp_path / "images.npy")
    assert np.load(tmp_path / "images.npy").tolist() == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.png", "images.npy"]


def test_an_array_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ResultsError, match=r"images\.npy cannot be written: No such file"):
        write([], tmp_path / "nowhere" / "images.npy")


def test_parts_are_the_whole(tmp_path):
    whole = np.random.default_rng(0).integers(0, 256, (70, 4, 4, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", whole)
    parts = list(pictures.batches(tmp_path / "images.npy"))
    assert [len(part) for part in parts] == [32, 32, 6]
    assert np.array_equal(np.concatenate(parts), whole)
