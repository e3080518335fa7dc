import re

import pytest

from steel_defect_detection.datasets import layouts
from steel_defect_detection.errors import ConfigError, DatasetNotFoundError

# Folder of the real data, its layout, its images and its classes, as its README says.
REAL = [
    ("crackforest", "crack-forest", 88, 1),
    ("magnetic_tile", "magnetic-tile", 1002, 5),
    ("neu_cls", "class-folders", 1459, 6),
    ("neu_seg", "neu-seg", 3584, 3),
    ("severstal", "severstal", 26, 4),
    ("severstal_annotations", "severstal-annotations", 12568, 4),
    ("severstal_image_labels", "label-files", 18, 4),
    ("tig_ss304", "tig-ss304", 120, 6),
]


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "layout", "images", "classes"), REAL)
def test_every_real_set_is_recognised_and_read(real_data, name, layout, images, classes):
    assert layouts.recognise(real_data / name) == layout
    dataset = layouts.read(real_data / name)
    assert (len(dataset), len(dataset.classes)) == (images, classes)
    if layout != "severstal-annotations":
        sample = dataset[len(dataset) // 2]
        assert sample.image.shape[:2] == dataset.entries[len(dataset) // 2].read_shape()


def test_a_layout_can_be_forced(tiny_severstal):
    with pytest.raises(DatasetNotFoundError, match="no CrackForest data in"):
        layouts.read(tiny_severstal, "crack-forest")


def test_an_unknown_layout_is_refused_with_the_known_ones(tiny_severstal):
    with pytest.raises(ConfigError, match=r"no layout 'coco'\. Layouts: severstal, neu-seg"):
        layouts.read(tiny_severstal, "coco")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    message = f"there is no folder {str(tmp_path / 'nowhere')!r}"
    with pytest.raises(DatasetNotFoundError, match=re.escape(message)):
        layouts.read(tmp_path / "nowhere")


def test_a_folder_of_nothing_known_says_what_is_known(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="mask-folders: images/ and masks/"):
        layouts.read(tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "data.zip").write_bytes(b"PK")
    with pytest.raises(DatasetNotFoundError, match=r"data\.zip' is a file"):
        layouts.read(tmp_path / "data.zip")
