import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.datasets import tables
from steel_defect_detection.errors import AnnotationError


def written(folder, content: bytes):
    path = folder / "table.csv"
    path.write_bytes(content)
    return path


def test_rows_are_read_with_the_line_they_end_in(tmp_path):
    # A mark at the start, an empty line and a cell of two lines, as spreadsheets write them.
    content = b'\xef\xbb\xbfname,note\r\na.png,"one\r\ntwo"\r\n\r\nb.png,\r\n'
    path = written(tmp_path, content)
    assert tables.columns(path) == ("name", "note")
    assert list(tables.read(path)) == [
        (3, {"name": "a.png", "note": "one\r\ntwo"}),
        (5, {"name": "b.png", "note": ""}),
    ]


def test_a_row_of_another_length_has_no_cells(tmp_path):
    path = written(tmp_path, b"a,b\n1\n1,2\n1,2,3\n")
    assert list(tables.read(path)) == [(2, {}), (3, {"a": "1", "b": "2"}), (4, {})]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0\ufeff"), max_size=8)
rows = st.lists(st.tuples(cells, cells.filter(bool)), max_size=6)


@given(rows)
def test_what_pythons_own_writer_writes_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("one", "two"), *rows])
    assert [tuple(line.cells.values()) for line in tables.read(path)] == rows


def test_a_cell_may_be_longer_than_the_csv_module_usually_allows(tmp_path):
    runs = "1 1 " * 100_000
    path = written(tmp_path, f"image,runs\na.png,{runs}\n".encode())
    assert next(tables.read(path)).cells["runs"] == runs


def test_further_columns_may_follow_the_accepted_ones(tmp_path):
    path = written(tmp_path, b"image,class,remark\na.png,pits,old\n")
    assert len(list(tables.read(path, ("file",), ("image", "class")))) == 1
    message = f"{path} has the columns 'image,class,remark', expected 'file' or 'class,image'"
    with pytest.raises(AnnotationError, match=re.escape(message)):
        list(tables.read(path, ("file",), ("class", "image")))


def test_an_empty_file_has_no_columns(tmp_path):
    path = written(tmp_path, b"")
    assert tables.columns(path) == ()
    assert list(tables.read(path)) == []


@pytest.mark.parametrize("content", ["Größe\n".encode("cp1252"), b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_text_is_refused(tmp_path, content):
    with pytest.raises(AnnotationError, match=r"table\.csv is no table of text in UTF-8"):
        tables.columns(written(tmp_path, content))


def test_what_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(AnnotationError, match=r"gone\.csv cannot be read: No such file"):
        tables.columns(tmp_path / "gone.csv")


def test_groups_are_named_by_the_columns_that_name_the_image(tmp_path):
    path = written(tmp_path, b"split,stem,group\ntrain,1,7\ntest,1,8\n")
    assert tables.groups(path, "split", "stem") == {"train/1": "7", "test/1": "8"}
    assert tables.groups(tmp_path / "gone.csv", "split", "stem") == {}


@pytest.mark.parametrize("content", [b"split,stem\ntrain,1\n", b"split,stem,group\ntrain,1\n"])
def test_a_table_of_groups_without_groups_is_refused(tmp_path, content):
    path = written(tmp_path, content)
    message = f"{path} line 2: expected the columns split, stem and group"
    with pytest.raises(AnnotationError, match=re.escape(message)):
        tables.groups(path, "split", "stem")


@pytest.mark.parametrize("beginning", ["", "\ufeff"])
def test_semicolons_part_cells_where_the_first_line_has_them_alone(tmp_path, beginning):
    path = tmp_path / "table.csv"
    path.write_text(f"{beginning}image;split\r\na,b.png;train\r\n", encoding="utf-8")
    assert tables.columns(path) == ("image", "split")
    (line,) = tables.read(path)
    assert line.cells == {"image": "a,b.png", "split": "train"}
    path.write_text("image,note\na.png,one;two\n")
    (line,) = tables.read(path)
    assert line.cells == {"image": "a.png", "note": "one;two"}
