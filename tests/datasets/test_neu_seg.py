import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import neu_seg
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError


@pytest.fixture
def folder(tmp_path):
    """One image in each published part, both called 000201."""
    for part, number in (("training", 1), ("test", 3)):
        images.write(tmp_path / f"images/{part}/000201.jpg", np.full((8, 8), 90, dtype=np.uint8))
        label_map = np.zeros((8, 8), dtype=np.uint8)
        label_map[2:4] = number
        images.write(tmp_path / f"annotations/{part}/000201.png", label_map)
    (tmp_path / "groups.csv").write_text("split,stem,group,classes\ntraining,000201,7,1\n")
    return tmp_path


def test_both_parts_are_read_and_kept_apart(folder):
    dataset = neu_seg.read(folder)
    assert dataset.names == ("training/000201", "test/000201")
    assert [sample.labels.tolist() for sample in dataset] == [
        [True, False, False],
        [False, False, True],
    ]
    assert [entry.group for entry in dataset.entries] == ["7", None]


def test_groups_are_not_needed(folder):
    (folder / "groups.csv").unlink()
    assert neu_seg.read(folder).entries[0].group is None


def test_an_image_without_a_mask_is_named(folder):
    (folder / "annotations/test/000201.png").unlink()
    with pytest.raises(AnnotationError, match=r"test.000201\.jpg has no mask"):
        neu_seg.read(folder)


def test_another_folder_is_refused(tmp_path, folder):
    with pytest.raises(DatasetNotFoundError, match="no NEU-Seg data in"):
        neu_seg.read(tmp_path / "images")
    assert neu_seg.is_layout(folder)
    assert not neu_seg.is_layout(tmp_path / "images")


@pytest.mark.real_data
def test_the_real_folder_has_3584_images_of_three_classes(real_data):
    dataset = neu_seg.read(real_data / "neu_seg")
    assert len(dataset) == 3584
    assert dataset[0].masks.shape == (3, 200, 200)
    assert all(entry.group for entry in dataset.entries)
