import re

import pytest

from steel_defect_detection.datasets import severstal_annotations
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

LABELS = (
    "ImageId,defect_1,defect_2,defect_3,defect_4\na.jpg,0,0,1,0\nb.jpg,0,0,0,0\nc.jpg,1,0,0,0\n"
)
RUNS = "ImageId,ClassId,EncodedPixels\na.jpg,3,1 3 300 2\n"


@pytest.fixture
def folder(tmp_path):
    """Three images with labels; of two the masks are known too."""
    (tmp_path / "labels_of_all.csv").write_text(LABELS)
    (tmp_path / "runs.csv").write_text(RUNS)
    (tmp_path / "runs.txt").write_text("a.jpg\nb.jpg\n")
    return tmp_path


def test_masks_and_labels_are_put_together(folder):
    dataset = severstal_annotations.read(folder)
    assert dataset.names == ("a.jpg", "b.jpg", "c.jpg")
    assert dataset.labels().sum(axis=0).tolist() == [1, 0, 1, 0]
    masks = [entry.read_masks() for entry in dataset.entries]
    assert masks[0].shape == (4, 256, 1600)
    assert [mask if mask is None else int(mask.sum()) for mask in masks] == [5, 0, None]


def test_an_image_that_is_not_here_is_said_to_be_missing(folder):
    with pytest.raises(DatasetNotFoundError, match=re.escape("a.jpg: its annotations are here")):
        severstal_annotations.read(folder)[0]


def test_without_a_list_the_rows_name_the_images(folder):
    (folder / "runs.txt").unlink()
    (folder / "labels_of_all.csv").unlink()
    assert severstal_annotations.read(folder).names == ("a.jpg",)


def test_tables_that_contradict_each_other_are_named(folder):
    (folder / "runs.csv").write_text(RUNS + "b.jpg,1,1 1\n")
    with pytest.raises(AnnotationError, match=r"b\.jpg has runs of other classes than its labels"):
        severstal_annotations.read(folder)


def test_a_folder_with_images_is_another_layout(folder):
    assert severstal_annotations.is_layout(folder)
    (folder / "images").mkdir()
    assert not severstal_annotations.is_layout(folder)


def test_a_table_in_another_encoding_is_no_sign_of_anything(folder):
    (folder / "notes.csv").write_bytes("Größe,Maß\n".encode("cp1252"))
    assert severstal_annotations.is_layout(folder)
    with pytest.raises(AnnotationError, match=r"notes\.csv is no table of text in UTF-8"):
        severstal_annotations.read(folder)
    for name in ("runs.csv", "labels_of_all.csv"):
        (folder / name).unlink()
    assert not severstal_annotations.is_layout(folder)


def test_images_that_the_list_leaves_out_are_named_with_the_files_that_are_there(folder):
    (folder / "runs.txt").write_text("b.jpg\n")
    message = "1 images of runs.csv are not in runs.txt, first: a.jpg"
    with pytest.raises(AnnotationError, match=f"^{re.escape(message)}$"):
        severstal_annotations.read(folder)


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="there is no table of runs or labels"):
        severstal_annotations.read(tmp_path)


@pytest.mark.real_data
def test_the_real_tables_hold_the_published_counts(real_data):
    dataset = severstal_annotations.read(real_data / "severstal_annotations")
    labels = dataset.labels()
    assert labels.sum(axis=0).tolist() == [897, 247, 5150, 801]
    assert [int((labels.sum(axis=1) == count).sum()) for count in range(4)] == [5902, 6239, 425, 2]
    assert sum(entry.masks is not None for entry in dataset.entries) == 5028
