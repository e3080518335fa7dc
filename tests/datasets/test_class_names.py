import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.datasets import class_names
from steel_defect_detection.errors import AnnotationError


def test_names_stand_one_per_line(tmp_path):
    # As an editor on Windows saves it: a mark at the start, CR LF, an empty line at the end.
    (tmp_path / "classes.txt").write_bytes(b"\xef\xbb\xbfholes\r\n  deep scratches \r\n\r\n")
    assert class_names.read(tmp_path / "classes.txt") == ("holes", "deep scratches")


def test_without_a_file_there_are_no_names(tmp_path):
    assert class_names.read(tmp_path / "classes.txt") == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Löcher\n".encode("cp1252"), "classes.txt is no text in UTF-8"),
        (b"holes\npits\nholes\n", "classes.txt holds a class name twice"),
    ],
)
def test_what_is_no_list_of_names_is_refused(tmp_path, content, message):
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(AnnotationError, match=re.escape(message)):
        class_names.read(tmp_path / "classes.txt")


def test_numbers_are_named_by_the_file_and_without_it_by_themselves(tmp_path):
    path = tmp_path / "classes.txt"
    labels = [("2",), ("0",)]
    assert class_names.by_label(labels, path) == {"0": "class_0", "1": "class_1", "2": "class_2"}
    path.write_text("holes\npits\nrust\nscale\n")
    named = class_names.by_label(labels, path)
    assert list(named.items()) == [("0", "holes"), ("1", "pits"), ("2", "rust"), ("3", "scale")]


def test_names_keep_the_order_of_the_file_and_without_it_that_of_the_alphabet(tmp_path):
    path = tmp_path / "classes.txt"
    labels = [("rust",), ("holes", "pits")]
    assert list(class_names.by_label(labels, path).values()) == ["holes", "pits", "rust"]
    path.write_text("rust\npits\nholes\n")
    assert list(class_names.by_label(labels, path).values()) == ["rust", "pits", "holes"]


@pytest.mark.parametrize(
    ("label", "message"),
    [("2", "names 2 classes, but there is a label 2"), ("pit", "'pit' is not among the classes")],
)
def test_a_label_that_the_file_does_not_name_is_refused(tmp_path, label, message):
    (tmp_path / "classes.txt").write_text("holes\npits\n")
    with pytest.raises(AnnotationError, match=message):
        class_names.by_label([(label,)], tmp_path / "classes.txt")


@pytest.mark.parametrize("name", ["good", "Clean", "OK", "normal", "no_defect", "Defect_Free"])
def test_the_good_class_is_known_by_its_name(name):
    assert class_names.good(("rust", name, "scale")) == name


def test_a_name_that_only_begins_like_a_good_one_means_nothing():
    assert class_names.good(("goodish", "not ok", "unclean")) is None


@given(st.data(), st.integers(1, 20))
def test_one_hot_rows_are_those_of_the_unit_matrix(data, count):
    chosen = data.draw(st.integers(0, count - 1))
    row = class_names.one_hot(chosen, range(count))
    assert row == tuple(np.eye(count, dtype=bool)[chosen].tolist())
