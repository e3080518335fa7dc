import json
import re

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import label_files
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError


@pytest.fixture
def folder(tmp_path):
    """Three images without labels."""
    for name in ("a.png", "b.png", "c.png"):
        images.write(tmp_path / "images" / name, np.full((6, 6), 90, dtype=np.uint8))
    return tmp_path


def table(folder, *rows):
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_a_table_may_give_several_classes_to_an_image(folder):
    table(folder, "image,pits,scratches", "b.png,1,1", "a.png,0,0", "c.png,0,1")
    dataset = label_files.read(folder)
    assert dataset.classes == ("pits", "scratches")
    assert dataset.names == ("a.png", "b.png", "c.png")
    assert dataset.labels().tolist() == [[False, False], [True, True], [False, True]]


def test_a_table_may_name_one_class_per_image(folder):
    table(folder, "file,class", "a.png,pits", "b.png,good", "c.png,pits")
    dataset = label_files.read(folder)
    assert (dataset.classes, dataset.good_class) == (("good", "pits"), "good")
    assert dataset.labels().tolist() == [[False, True], [True, False], [False, True]]


def test_json_may_count_classes(folder):
    (folder / "labels.json").write_text(json.dumps({"c.png": 2, "a.png": 0}))
    dataset = label_files.read(folder)
    assert dataset.classes == ("class_0", "class_1", "class_2")
    assert dataset.labels().tolist() == [[True, False, False], [False, False, True]]


def test_numbered_classes_are_named_by_a_file(folder):
    (folder / "labels.json").write_text(json.dumps({"c.png": 1, "a.png": 0}))
    (folder / "classes.txt").write_text("holes\nscratches\n\nbulges\n")
    assert label_files.read(folder).classes == ("holes", "scratches", "bulges")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["image,pits", "a.png,2"], "labels.csv line 2: pits '2', expected 0 or 1"),
        (["image,pits,dirt", "a.png,1"], "line 2: the count of cells differs from the header's 3"),
        (["image,p,q", "a.png,1,0", "a.png,1,0"], "line 3: a.png has a row already"),
        (["image,p,p", "a.png,1,0"], "needs one column per class, each of another name"),
        (["image,class", "a.png,"], "labels.csv line 2: expected an image and its class"),
        (["image,class", "a.png,x", "a.png,y"], "labels.csv line 3: a.png has a row already"),
        (["image,p,q"], "holds no labels"),
        (["image,p,q", "z.png,1,0"], "labels.csv names z.png, which is not in"),
    ],
)
def test_a_bad_row_is_named(folder, rows, message):
    table(folder, *rows)
    with pytest.raises(AnnotationError, match=re.escape(message)):
        label_files.read(folder)


def test_ten_problems_are_named_and_the_others_counted(folder):
    table(folder, "image,p,q", *[f"{number}.png,3,0" for number in range(13)])
    with pytest.raises(AnnotationError, match=r"line 11: p '3'.*; and 3 more problems"):
        label_files.read(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "must be a JSON object"),
        ('{"a.png": 1.5}', "must be a JSON object"),
        ('{"a.png": -1}', "must be a JSON object"),
        ('{"a.png": {"x": 1}}', "must be a JSON object"),
        ("{", "is no JSON"),
        ("{}", "holds no labels"),
        ('{"a.png": 1, "a.png": 2}', "names a.png more than once"),
        ('{"../a.png": 1}', "names ../a.png, which is not in"),
    ],
)
def test_bad_json_is_named(folder, text, message):
    (folder / "labels.json").write_text(text)
    with pytest.raises(AnnotationError, match=re.escape(message)):
        label_files.read(folder)


def test_more_classes_than_names_are_refused(folder):
    (folder / "labels.json").write_text('{"a.png": 2}')
    (folder / "classes.txt").write_text("one\ntwo\n")
    with pytest.raises(AnnotationError, match="names 2 classes, but there is a label 2"):
        label_files.read(folder)


def test_a_class_outside_the_list_is_named(folder):
    table(folder, "image,class", "a.png,pit", "b.png,holes")
    (folder / "classes.txt").write_text("holes\npits\n")
    with pytest.raises(AnnotationError, match="'pit' is not among the classes of"):
        label_files.read(folder)


def test_a_name_that_leads_out_of_the_folder_is_refused(folder):
    images.write(folder / "secret.png", np.full((6, 6), 90, dtype=np.uint8))
    (folder / "labels.json").write_text('{"../secret.png": 1}')
    with pytest.raises(AnnotationError, match=re.escape("../secret.png, which is not in")):
        label_files.read(folder)


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"labels\.csv or labels\.json is missing"):
        label_files.read(tmp_path)


@pytest.mark.real_data
def test_the_real_labels_are_those_of_pandas(real_data):
    import pandas as pd

    dataset = label_files.read(real_data / "severstal_image_labels")
    truth = pd.read_csv(real_data / "severstal_image_labels/labels.csv").set_index("ImageId")
    assert dataset.labels().sum(axis=0).tolist() == truth.sum().tolist()
    assert dataset[0].labels.tolist() == truth.loc[dataset.names[0]].astype(bool).tolist()
