import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.datasets import output_folder
from steel_defect_detection.errors import ResultsError

# From https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
FORBIDDEN = set('<>:"/\\|?*') | {chr(code) for code in range(32)}
RESERVED = {"con", "prn", "aux", "nul", "com1", "com9", "lpt1", "lpt9"}


@given(st.text(max_size=300))
def test_any_text_becomes_a_name_that_windows_and_posix_take(text):
    name = output_folder.safe_name(text)
    assert name
    assert not FORBIDDEN & set(name)
    assert not name.startswith(".")
    assert not name.endswith((".", " "))
    assert name.split(".")[0].lower() not in RESERVED
    assert len(name.encode()) <= 151


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("0002cc93b", "0002cc93b"),
        ("MT_Free/exp1_num_1", "MT_Free-exp1_num_1"),
        ("Übergröße", "Übergröße"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("Aux.tar", "_Aux.tar"),
        ("a\udcff", "a_"),
        ("x" * 400, "x" * 150),
    ],
)
def test_plain_names_stay_and_others_change_as_little_as_needed(text, name):
    assert output_folder.safe_name(text) == name


def test_names_that_differ_only_in_case_get_numbers():
    taken: set[str] = set()
    names = [output_folder.unique_name(text, taken) for text in ("a", "A", "a-2", "a?", "a*")]
    assert names == ["a", "A-2", "a-2-2", "a_", "a_-2"]


def test_a_new_folder_is_made_with_those_above_it(tmp_path):
    output_folder.prepare(tmp_path / "a/b", overwrite=False)
    assert (tmp_path / "a/b").is_dir()


def test_a_folder_in_use_is_refused_unless_asked_otherwise(tmp_path):
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(ResultsError, match=r"it holds x\.txt\. Name another folder or add --over"):
        output_folder.prepare(tmp_path, overwrite=False)
    output_folder.prepare(tmp_path, overwrite=True)
    assert (tmp_path / "x.txt").read_text() == "x"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultsError, match="cannot be made or read"):
        output_folder.prepare(tmp_path / "file", overwrite=True)


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="permissions bind neither Windows nor root"
)
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ResultsError, match="cannot be written"):
        output_folder.prepare(tmp_path, overwrite=True)


def test_files_that_would_be_mixed_with_the_new_ones_are_refused(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/old.png").write_text("x")
    output_folder.refuse_strangers(tmp_path, [tmp_path / "images/old.png"])
    with pytest.raises(ResultsError, match=r"first: images/old\.png\. Nothing is deleted"):
        output_folder.refuse_strangers(tmp_path, [tmp_path / "images/new.png"])


def test_a_folder_within_the_data_is_refused(tmp_path):
    output_folder.refuse_inside(tmp_path / "data-2", tmp_path / "data")
    with pytest.raises(ResultsError, match=r"whose images are read, lies in .*name another"):
        output_folder.refuse_inside(tmp_path, tmp_path / "data")
    for inside in ("data", "data/a/b", "data/../data/c"):
        with pytest.raises(ResultsError, match="whose images are read"):
            output_folder.refuse_inside(tmp_path / inside, tmp_path / "data")
