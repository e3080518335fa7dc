import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import class_folders
from steel_defect_detection.errors import DatasetNotFoundError


def draw(*paths):
    for path in paths:
        images.write(path, np.full((6, 6), 90, dtype=np.uint8))


@pytest.mark.parametrize("form", ["{}", "train/{}", "train/images/{}"])
def test_classes_are_ordered_by_name_in_every_form(tmp_path, form):
    for name in ("scratches", "crazing"):
        draw(tmp_path / form.format(name) / "b.jpg", tmp_path / form.format(name) / "a.png")
    dataset = class_folders.read(tmp_path)
    assert dataset.classes == ("crazing", "scratches")
    assert dataset.names == tuple(
        f"{form.format(name)}/{file}"
        for name in ("crazing", "scratches")
        for file in ("a.png", "b.jpg")
    )
    assert dataset.labels().tolist() == [[True, False]] * 2 + [[False, True]] * 2
    assert {entry.part for entry in dataset.entries} == {"train" if "train" in form else None}


def test_annotations_beside_the_images_are_no_class(tmp_path):
    draw(tmp_path / "train/images/a/1.jpg", tmp_path / "validation/images/b/1.jpg")
    (tmp_path / "train/annotations").mkdir()
    (tmp_path / "train/annotations/1.xml").write_text("<annotation/>")
    dataset = class_folders.read(tmp_path)
    assert dataset.classes == ("a", "b")
    assert [entry.part for entry in dataset.entries] == ["train", "validation"]


@pytest.mark.parametrize(("name", "good"), [("Good", "Good"), ("goodyear", None)])
def test_a_class_called_good_means_free_of_defects(tmp_path, name, good):
    draw(tmp_path / name / "1.jpg", tmp_path / "pits" / "1.jpg")
    dataset = class_folders.read(tmp_path)
    assert dataset.good_class == good
    assert dataset.defective().tolist() == [good is None, True]


def test_one_folder_is_not_enough(tmp_path):
    draw(tmp_path / "pits/1.jpg", tmp_path / ".cache/1.jpg")
    (tmp_path / "empty").mkdir()
    assert not class_folders.is_layout(tmp_path)
    with pytest.raises(DatasetNotFoundError, match="holds images of 1 classes, expected at least"):
        class_folders.read(tmp_path)


@pytest.mark.real_data
def test_the_real_classes_hold_about_240_images_each(real_data):
    dataset = class_folders.read(real_data / "neu_cls")
    counts = dict(zip(dataset.classes, dataset.labels().sum(axis=0).tolist(), strict=True))
    files = {
        folder.name: len(list(folder.glob("*.jpg")))
        for folder in (real_data / "neu_cls").iterdir()
        if folder.is_dir()
    }
    assert counts == files
    assert all(entry.group for entry in dataset.entries)
