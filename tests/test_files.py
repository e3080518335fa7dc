import errno
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from steel_defect_detection import files
from steel_defect_detection.errors import ResultsError


@pytest.fixture
def full_disk(monkeypatch):
    """A disk that takes the bytes and fails when they are to be kept."""

    def refuse(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)


def test_bytes_are_written_as_they_are(tmp_path):
    files.write_bytes(tmp_path / "mask.png", b"\x00\r\n\xff")
    assert (tmp_path / "mask.png").read_bytes() == b"\x00\r\n\xff"


def test_text_is_utf_8_and_keeps_its_line_ends(tmp_path):
    files.write_text(tmp_path / "run.json", "Größe\n缺陷\r\n")
    assert (tmp_path / "run.json").read_bytes() == "Größe\n缺陷\r\n".encode()


def test_a_table_keeps_commas_line_breaks_and_bytes_that_are_no_text(tmp_path):
    files.write_table(tmp_path / "t.csv", ("a", "b"), [("x,y", 1), ("\udc80", "p\nq")])
    text = (tmp_path / "t.csv").read_bytes().decode()
    assert text == 'a,b\n"x,y",1\n\\udc80,"p\nq"\n'


def test_a_table_without_rows_has_its_columns(tmp_path):
    files.write_table(tmp_path / "new/t.csv", ("a", "ä"), [])
    assert (tmp_path / "new/t.csv").read_bytes() == "a,ä\n".encode()


def test_a_path_may_be_a_string(tmp_path):
    files.write_text(str(tmp_path / "run.json"), "{}")
    assert (tmp_path / "run.json").read_text() == "{}"


def test_missing_folders_are_made(tmp_path):
    files.write_text(tmp_path / "a" / "b" / "c.txt", "x")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "x"


def test_an_old_file_is_replaced_and_nothing_else_is_left(tmp_path):
    files.write_text(tmp_path / "run.json", "a long old text")
    files.write_text(tmp_path / "run.json", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("run.json", "new")]


def test_the_longest_file_name_can_be_written(tmp_path):
    name = "x" * 251 + ".csv"
    files.write_text(tmp_path / name, "x")
    assert (tmp_path / name).read_text() == "x"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, full_disk):
    (tmp_path / "run.json").write_text("old")
    with pytest.raises(ResultsError):
        files.write_text(tmp_path / "run.json", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("run.json", "old")]


def test_an_interruption_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_text(tmp_path / "run.json", "new")
    assert list(tmp_path.iterdir()) == []


def test_the_bytes_lie_on_the_disk_before_the_file_appears(tmp_path, monkeypatch):
    seen = []

    def watch(descriptor):
        seen.append((os.fstat(descriptor).st_size, (tmp_path / "run.json").exists()))

    monkeypatch.setattr(os, "fsync", watch)
    files.write_bytes(tmp_path / "run.json", b"12345")
    assert seen == [(5, False)]


def test_a_full_disk_is_one_line_with_the_path(tmp_path, full_disk):
    text = f"{tmp_path / 'run.json'} cannot be written: No space left on device"
    with pytest.raises(ResultsError, match=f"^{re.escape(text)}$"):
        files.write_text(tmp_path / "run.json", "new")


def test_a_folder_in_the_way_is_one_line_with_the_path(tmp_path):
    (tmp_path / "run.json").mkdir()
    text = f"{tmp_path / 'run.json'} cannot be written: Is a directory"
    with pytest.raises(ResultsError, match=f"^{re.escape(text)}$"):
        files.write_text(tmp_path / "run.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_file_where_a_folder_should_be_is_one_line_with_the_path(tmp_path):
    (tmp_path / "outputs").write_text("a file")
    target = tmp_path / "outputs" / "run.json"
    with pytest.raises(ResultsError, match=rf"^{re.escape(str(target))} cannot be written: \w"):
        files.write_text(target, "new")


def test_a_forbidden_folder_is_one_line_with_the_path(tmp_path, monkeypatch):
    # Tests may run as a user whom no permission stops.
    def forbid(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", forbid)
    text = f"{tmp_path / 'run.json'} cannot be written: Permission denied"
    with pytest.raises(ResultsError, match=f"^{re.escape(text)}$"):
        files.write_text(tmp_path / "run.json", "new")


def test_the_error_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="cannot be written"):
        files.write_text(tmp_path, "a folder")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        files.write_text(tmp_path / "run.json", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == mode


def test_writers_of_the_same_file_do_not_mix(tmp_path):
    contents = [bytes([number]) * 50_000 for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: files.write_bytes(tmp_path / "x", content), contents))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_bytes() in contents


@pytest.mark.parametrize("name", ["new.txt", "a/b/new.txt", "old.txt"])
def test_a_file_that_can_be_written_is_left_alone(tmp_path, name):
    (tmp_path / "old.txt").write_text("old")
    files.refuse_unwritable(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("folder", "it is a folder"),
        ("file/new.txt", "file is no folder"),
        ("file/a/b/new.txt", "file is no folder"),
    ],
)
def test_a_place_that_is_no_place_for_a_file_is_told_beforehand(tmp_path, name, reason):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    message = rf"{re.escape(str(tmp_path / name))} cannot be written: .*{reason}"
    with pytest.raises(ResultsError, match=message):
        files.refuse_unwritable(tmp_path / name)


def test_a_folder_that_must_not_be_written_is_told_beforehand(tmp_path, monkeypatch):
    # Whoever runs the tests may be allowed everything.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ResultsError, match="nothing may be written in"):
        files.refuse_unwritable(tmp_path / "new.txt")
