import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from steel_defect_detection.download import space
from steel_defect_detection.download.unpack import Limits, unpack
from steel_defect_detection.errors import DownloadError

HOSTILE_NAMES = {
    "/etc/cron.d/job": "is an absolute path",
    "//server/share/x": "is an absolute path",
    "../outside.txt": "climbs out of the folder",
    "a/../../outside.txt": "climbs out of the folder",
    "a/b/..": "climbs out of the folder",
    "C:/Windows/x": "holds a colon",
    "c:x": "holds a colon",
    "image.jpg:hidden": "holds a colon",
    "..\\outside.txt": "holds a backslash",
    "\\\\server\\share": "holds a backslash",
    "a\\..\\..\\b": "holds a backslash",
    "line\nbreak": "holds a control character",
    "NUL": "is a device on some systems",
    "a/con.txt": "is a device on some systems",
}


def make_zip(path: Path, members, compression=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            info.compress_type = compression
            archive.writestr(info, content)
    return path


def make_tar(path: Path, members, mode="w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """An empty folder; what lies beside it would have escaped."""
    inner = tmp_path / "outer" / "folder"
    inner.mkdir(parents=True)
    return inner


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(archive: Path, folder: Path, message: str, **limits: int) -> None:
    with pytest.raises(DownloadError, match=message) as caught:
        unpack(archive, folder, limits=Limits(**limits))
    assert "\n" not in str(caught.value)
    assert list(folder.parent.iterdir()) == [folder]


MEMBERS = [("set/", b""), ("set/a.jpg", b"abc"), ("set/deep/b.png", bytes(1000)), ("c.txt", b"")]
FILES = {"set/a.jpg": b"abc", "set/deep/b.png": bytes(1000), "c.txt": b""}


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]
)
def test_a_zip_becomes_its_files(tmp_path, folder, compression):
    assert unpack(make_zip(tmp_path / "x", MEMBERS, compression), folder) == 3
    assert tree(folder) == FILES


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_becomes_its_files(tmp_path, folder, mode, form):
    with tarfile.open(tmp_path / "x", mode, format=form) as archive:
        for name, content in MEMBERS[1:]:
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    assert unpack(tmp_path / "x", folder) == 3
    assert tree(folder) == FILES


def test_a_tar_with_its_own_folder_and_long_names_is_fine(tmp_path, folder):
    (tmp_path / "in" / ("n" * 120)).mkdir(parents=True)
    (tmp_path / "in" / ("n" * 120) / ("m" * 120)).write_bytes(b"x" * 100_000)
    with tarfile.open(tmp_path / "x", "w:gz") as archive:
        archive.add(tmp_path / "in", arcname=".")
    assert unpack(tmp_path / "x", folder) == 1
    assert tree(folder) == {f"{'n' * 120}/{'m' * 120}": b"x" * 100_000}


@pytest.mark.parametrize(("name", "problem"), HOSTILE_NAMES.items())
def test_a_zip_member_that_would_end_elsewhere_is_refused(tmp_path, folder, name, problem):
    refused(make_zip(tmp_path / "x", [("fine.txt", b"x"), (name, b"bad")]), folder, problem)


@pytest.mark.parametrize(("name", "problem"), HOSTILE_NAMES.items())
def test_a_tar_member_that_would_end_elsewhere_is_refused(tmp_path, folder, name, problem):
    refused(make_tar(tmp_path / "x", [("fine.txt", b"x"), (name, b"bad")]), folder, problem)


def test_a_zip_member_whose_name_ends_early_is_refused(tmp_path, folder):
    path = make_zip(tmp_path / "x", [("image.jpgX.exe", b"x")], zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"image.jpgX", b"image.jpg\0"))
    refused(path, folder, "holds a control character")


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (tarfile.SYMTYPE, "is a link to '../../secret'"),
        (tarfile.LNKTYPE, "is a link to '../../secret'"),
        (tarfile.CHRTYPE, "is a device"),
        (tarfile.BLKTYPE, "is a device"),
        (tarfile.FIFOTYPE, "is a device"),
    ],
)
def test_a_tar_member_that_is_no_file_is_refused(tmp_path, folder, kind, problem):
    info = tarfile.TarInfo("innocent")
    info.type, info.linkname = kind, "../../secret"
    refused(make_tar(tmp_path / "x", [(info, b"")]), folder, problem)


@pytest.mark.parametrize(
    ("kind", "problem"), [(stat.S_IFLNK, "is a link"), (stat.S_IFIFO, "is a device")]
)
def test_a_zip_member_that_is_no_file_is_refused(tmp_path, folder, kind, problem):
    info = zipfile.ZipInfo("innocent")
    info.external_attr = (kind | 0o777) << 16
    refused(make_zip(tmp_path / "x", [(info, b"/etc/passwd")]), folder, problem)


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ("a.txt", "a.txt", "is there twice"),
        ("a.txt", "./a.txt", "is there twice"),
        ("a/b.txt", "a//b.txt", "is there twice"),
        ("a.txt", "A.TXT", "letter case or form only"),
        ("set/a.txt", "SET/b.txt", "letter case or form only"),
        ("caf\u00e9", "cafe\u0301", "letter case or form only"),
        ("a", "a. ", "letter case or form only"),
        ("a", "a/b", "is there twice"),
        ("a/b", "a", "is both a file and a folder"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_names_that_meet_are_refused(tmp_path, folder, make, first, second, problem):
    refused(make(tmp_path / "x", [(first, b"1"), (second, b"2")]), folder, problem)


def test_an_encrypted_zip_is_refused(tmp_path, folder):
    path = make_zip(tmp_path / "x", [("a.txt", b"x")])
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refused(path, folder, "is encrypted")


def test_a_zip_that_announces_too_much_is_refused_before_writing(tmp_path, folder):
    path = make_zip(tmp_path / "x", [("zeros", bytes(20_000_000))])
    refused(path, folder, "would become larger than 1.*at most 10 times", ratio=10)
    assert tree(folder) == {}


def test_a_zip_that_lies_about_its_size_is_stopped(tmp_path, folder):
    path = make_zip(tmp_path / "x", [("zeros", bytes(20_000_000))])
    data = path.read_bytes().replace((20_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    refused(path, folder, "damaged")
    assert sum(len(content) for content in tree(folder).values()) <= 10


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_more_bytes_than_the_limit_are_not_written(tmp_path, folder, make):
    path = make(tmp_path / "x", [(f"{n}", bytes(400_000)) for n in range(5)])
    refused(path, folder, "would become larger than 1 MB", total_bytes=1_000_000)
    assert sum(len(content) for content in tree(folder).values()) <= 1_000_000


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_bomb_is_stopped_by_its_ratio(tmp_path, folder, make):
    path = make(tmp_path / "x", [("zeros", bytes(50_000_000))])
    assert path.stat().st_size < 100_000
    refused(path, folder, "at most 100 times the archive's size")
    assert sum(len(content) for content in tree(folder).values()) <= 100 * path.stat().st_size


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_too_many_members_are_refused(tmp_path, folder, make):
    path = make(tmp_path / "x", [(f"{n}/", b"") for n in range(20)])
    refused(path, folder, "holds more than 10 members", members=10)


def test_a_tar_header_of_many_bytes_is_not_read_into_memory(tmp_path, folder):
    info = tarfile.TarInfo("a")
    info.pax_headers = {"comment": "x" * 5_000_000}
    with tarfile.open(tmp_path / "x", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    refused(tmp_path / "x", folder, "its headers are longer than any real ones")


def test_a_sparse_tar_member_is_refused(tmp_path, folder):
    info = tarfile.TarInfo("a")
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.size": "1099511627776",
        "GNU.sparse.map": "0,1",
    }
    info.size = 1
    with tarfile.open(tmp_path / "x", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"x"))
    refused(tmp_path / "x", folder, "is a sparse file")


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.99])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_that_was_cut_is_damaged(tmp_path, folder, mode, keep):
    content = bytes(range(256)) * 400
    path = make_tar(tmp_path / "x", [("a", content), ("b", content)], mode)
    data = path.read_bytes()
    end = round(len(data) * keep) if mode != "w" else round(2 * len(content) * keep)
    path.write_bytes(data[:end])
    refused(path, folder, "is damaged|neither a zip nor a tar")


def test_a_tar_with_a_broken_header_inside_is_damaged(tmp_path, folder):
    path = make_tar(tmp_path / "x", [("a", bytes(512)), ("b", b"x"), ("c", b"x")], "w")
    data = bytearray(path.read_bytes())
    data[1024:1100] = b"?" * 76
    path.write_bytes(data)
    refused(path, folder, "is damaged")


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.99])
def test_a_zip_that_was_cut_is_damaged(tmp_path, folder, keep):
    path = make_zip(tmp_path / "x", [("a", bytes(range(256)) * 400)], zipfile.ZIP_STORED)
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * keep)])
    refused(path, folder, "is damaged: File is not a zip file")


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_with_a_turned_bit_is_damaged(tmp_path, folder, compression):
    path = make_zip(tmp_path / "x", [("a", bytes(range(256)) * 400)], compression)
    data = bytearray(path.read_bytes())
    data[80] ^= 0x10
    path.write_bytes(data)
    refused(path, folder, "is damaged|cannot be unpacked")


def test_a_zip_compressed_in_an_unknown_way_is_one_clear_line(tmp_path, folder):
    path = make_zip(tmp_path / "x", [("a", b"x")], zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[8] = data[data.index(b"PK\x01\x02") + 10] = 97
    path.write_bytes(data)
    refused(path, folder, "compression")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "something else"),
        (b"\x89PNG\r\n", "something else"),
        (b"\n<!DOCTYPE html><title>Log in", "a web page"),
        (b"7z\xbc\xaf\x27\x1c", "something else"),
    ],
)
def test_what_is_no_archive_is_named(tmp_path, folder, content, what):
    (tmp_path / "x").write_bytes(content)
    refused(tmp_path / "x", folder, f"is neither a zip nor a tar archive but {what}")


def test_a_gzip_that_holds_no_tar_is_damaged(tmp_path, folder):
    import gzip

    (tmp_path / "x").write_bytes(gzip.compress(b"just text" * 500))
    refused(tmp_path / "x", folder, "is damaged")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_full_disk_is_noticed_before_unpacking(tmp_path, folder, make, monkeypatch):
    path = make(tmp_path / "x", [("a", bytes(range(256)) * 400)])
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100}))
    refused(path, folder, "there is no room for x")
    assert tree(folder) == {}


def test_a_name_that_the_disk_cannot_take_is_one_clear_line(tmp_path, folder):
    refused(make_zip(tmp_path / "x", [("n" * 300, b"x")]), folder, "cannot be unpacked")


def test_rights_are_not_taken_over(tmp_path, folder):
    info = tarfile.TarInfo("tool")
    info.mode = 0o6777
    unpack(make_tar(tmp_path / "x", [(info, b"#!/bin/sh")]), folder)
    assert not (folder / "tool").stat().st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IXUSR)
