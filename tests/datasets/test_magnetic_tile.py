import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import magnetic_tile
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError


@pytest.fixture
def folder(tmp_path):
    """A crack and a clean tile."""
    mask = np.zeros((8, 9), dtype=np.uint8)
    mask[3] = 255
    for kind, values in (("MT_Crack", mask), ("MT_Free", mask * 0)):
        images.write(tmp_path / kind / "Imgs/exp1.jpg", np.full((8, 9), 90, dtype=np.uint8))
        images.write(tmp_path / kind / "Imgs/exp1.png", values)
    (tmp_path / "groups.csv").write_text("class,stem,group\nMT_Crack,exp1,12\n")
    return tmp_path


def test_the_folder_names_the_class_and_the_mask_the_place(folder):
    dataset = magnetic_tile.read(folder)
    assert dataset.names == ("MT_Crack/exp1", "MT_Free/exp1")
    crack, clean = dataset
    assert crack.labels.tolist() == [name == "crack" for name in magnetic_tile.CLASSES]
    assert crack.masks.sum() == 9
    assert not clean.labels.any()
    assert [entry.group for entry in dataset.entries] == ["12", None]


def test_an_image_without_a_mask_is_named(folder):
    (folder / "MT_Free/Imgs/exp1.png").unlink()
    with pytest.raises(AnnotationError, match=r"exp1\.jpg has no mask: exp1\.png is missing"):
        magnetic_tile.read(folder)


def test_another_folder_is_refused(tmp_path, folder):
    with pytest.raises(DatasetNotFoundError, match="no magnetic tile data in"):
        magnetic_tile.read(tmp_path / "MT_Crack")
    assert magnetic_tile.is_layout(folder)
    assert not magnetic_tile.is_layout(tmp_path / "MT_Crack")


@pytest.mark.real_data
def test_the_real_folder_has_1002_images_708_of_them_free(real_data):
    dataset = magnetic_tile.read(real_data / "magnetic_tile")
    assert len(dataset) == 1002
    assert sum(name.startswith("MT_Free/") for name in dataset.names) == 708
    assert len({entry.group for entry in dataset.entries}) == 152
