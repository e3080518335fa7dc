import numpy as np
import pytest
from scipy.io import savemat

from steel_defect_detection import images
from steel_defect_detection.datasets import crack_forest
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

VALUES = np.array([[1, 2, 1], [3, 2, 4], [1, 1, 2], [1, 1, 1]], dtype=np.uint16)


@pytest.fixture
def folder(tmp_path):
    """One road with a crack of three pixels."""
    images.write(tmp_path / "image/001.jpg", np.full((4, 3), 90, dtype=np.uint8))
    (tmp_path / "groundTruth").mkdir()
    savemat(tmp_path / "groundTruth/001.mat", {"groundTruth": {"Segmentation": VALUES}})
    return tmp_path


def test_only_two_is_crack(folder):
    sample = crack_forest.read(folder)[0]
    assert np.argwhere(sample.masks[0]).tolist() == [[0, 1], [1, 1], [2, 2]]


def test_a_mask_of_another_size_is_refused(folder):
    images.write(folder / "image/001.jpg", np.full((5, 3), 90, dtype=np.uint8))
    with pytest.raises(AnnotationError, match=r"has the shape \(4, 3\), its image \(5, 3\)"):
        crack_forest.read(folder)[0]


@pytest.mark.parametrize("content", [b"", b"no mat file at all", b"MATLAB 5.0" * 20])
def test_a_damaged_mask_is_named(folder, content):
    (folder / "groundTruth/001.mat").write_bytes(content)
    with pytest.raises(AnnotationError, match=r"001\.mat holds no groundTruth\.Segmentation"):
        crack_forest.read(folder)[0]


def test_images_and_masks_without_each_other_are_named(folder):
    images.write(folder / "image/002.jpg", np.full((4, 3), 90, dtype=np.uint8))
    (folder / "groundTruth/001.mat").rename(folder / "groundTruth/003.mat")
    message = r"001\.jpg has no mask; .*002\.jpg has no mask; .*003\.mat has no image"
    with pytest.raises(AnnotationError, match=message):
        crack_forest.read(folder)


def test_two_images_of_one_stem_are_named(folder):
    images.write(folder / "image/001.png", np.full((4, 3), 90, dtype=np.uint8))
    with pytest.raises(AnnotationError, match=r"001\.jpg and .*001\.png have the same stem"):
        crack_forest.read(folder)


def test_images_in_folders_of_their_own_do_not_replace_each_other(folder):
    for home in ("a", "b"):
        images.write(folder / f"image/{home}/001.jpg", np.full((4, 3), 90, dtype=np.uint8))
    message = r"a/001\.jpg has no mask; .*b/001\.jpg has no mask$"
    with pytest.raises(AnnotationError, match=message):
        crack_forest.read(folder)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="no CrackForest data in"):
        crack_forest.read(tmp_path)


@pytest.mark.real_data
def test_real_cracks_are_thin(real_data):
    dataset = crack_forest.read(real_data / "crackforest")
    assert len(dataset) == 88
    shares = [sample.masks.mean() for sample in dataset]
    # "> 1" would count the road that cracks enclose, which is most of some pictures.
    assert min(shares) > 0
    assert max(shares) < 0.1
