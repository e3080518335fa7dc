import hashlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from steel_defect_detection.download import kaggle, lock, space
from steel_defect_detection.download.dataset import RECORD, Source, download
from steel_defect_detection.errors import DownloadError
from tests.download.server import behave, cut_after

FILES = {"image/001.jpg": b"strip", "groundTruth/001.mat": b"mask"}


def packed(files: dict[str, bytes], top: str = "tiles-master/") -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(top + name, content)
    return data.getvalue()


@pytest.fixture
def source(server) -> Source:
    server.contents["/master.zip"] = packed(FILES)
    return Source(
        name="tiles",
        title="Tiles",
        licence="as you like",
        citation="Somebody, 2020",
        page="https://example.org/tiles",
        address=f"{server.address}/master.zip",
        markers=("image", "groundTruth"),
    )


@pytest.fixture
def client(monkeypatch):
    """Let Kaggle send some files."""

    def behave(files: dict[str, bytes]) -> None:
        def send(handle: str, folder: Path, *, terms: str) -> None:
            for name, content in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)

        monkeypatch.setattr(kaggle, "download", send)

    return behave


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != RECORD
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_archive_becomes_a_folder_without_its_wrapping(source, tmp_path):
    assert download(source, tmp_path / "data")
    assert tree(tmp_path / "data" / "tiles") == FILES
    assert names(tmp_path / "data") == ["tiles"]


@pytest.mark.parametrize("top", ["", "a/", "a/b/"])
def test_the_data_are_found_below_what_wraps_them(source, server, tmp_path, top):
    server.contents["/master.zip"] = packed(FILES | {"x": b""}, top)
    download(source, tmp_path)
    assert tree(tmp_path / "tiles") == FILES | {"x": b""}


def test_a_second_run_asks_nobody(source, server, tmp_path):
    download(source, tmp_path)
    server.requests.clear()
    assert not download(source, tmp_path)
    assert server.requests == []


def test_data_that_are_there_are_not_written_to(source, tmp_path, monkeypatch):
    download(source, tmp_path)
    monkeypatch.setattr(lock, "held", lambda *_, **__: pytest.fail("must not lock"))
    assert not download(source, tmp_path)


def test_the_record_says_what_came_and_from_where(source, server, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        download(source, tmp_path)
    record = json.loads((tmp_path / "tiles" / RECORD).read_text())
    content = server.contents["/master.zip"]
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert record["size"] == len(content)
    assert record["files"] == 2
    assert record["source"] == source.address
    assert record["licence"] == "as you like"
    assert record["sha256_known_beforehand"] is False
    (said,) = caplog.messages
    assert said.startswith("nobody has published a SHA-256 for tiles")


def test_a_known_hash_is_compared(source, server, tmp_path, caplog):
    content = server.contents["/master.zip"]
    known = replace(source, sha256=hashlib.sha256(content).hexdigest())
    with caplog.at_level(logging.INFO):
        download(known, tmp_path)
    assert caplog.messages == []
    with pytest.raises(DownloadError, match=r"its SHA-256 is .*, expected 0000"):
        download(replace(source, sha256="0" * 64), tmp_path / "other")
    assert names(tmp_path / "other") == []


def test_an_archive_of_something_else_is_refused(source, server, tmp_path):
    server.contents["/master.zip"] = packed({"readme.txt": b"moved"})
    with pytest.raises(DownloadError, match="what came for tiles holds no image, groundTruth"):
        download(source, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("content", [b"<html>Log in</html>", b"PK\x03\x04 half"])
def test_what_is_no_archive_leaves_nothing_behind(source, server, tmp_path, content):
    server.contents["/master.zip"] = content
    with pytest.raises(DownloadError):
        download(source, tmp_path)
    assert names(tmp_path) == []


def test_a_hostile_archive_leaves_nothing_behind(source, server, tmp_path):
    server.contents["/master.zip"] = packed(FILES | {"../../escaped": b"x"})
    with pytest.raises(DownloadError, match=r"climbs out of the folder\. It was deleted"):
        download(source, tmp_path / "data")
    assert names(tmp_path) == ["data"]
    assert names(tmp_path / "data") == []


def test_a_folder_of_something_else_is_left_alone(source, tmp_path):
    (tmp_path / "tiles" / "image").mkdir(parents=True)
    with pytest.raises(DownloadError, match="is not empty, but holds no groundTruth"):
        download(source, tmp_path)
    assert names(tmp_path / "tiles") == ["image"]


def test_a_file_in_the_place_of_the_folder_is_left_alone(source, tmp_path):
    (tmp_path / "tiles").write_text("mine")
    with pytest.raises(DownloadError, match="is no folder"):
        download(source, tmp_path)
    with pytest.raises(DownloadError, match="cannot be written"):
        download(source, tmp_path / "tiles")
    assert (tmp_path / "tiles").read_text() == "mine"


def test_an_empty_folder_is_filled(source, tmp_path):
    (tmp_path / "tiles").mkdir()
    assert download(source, tmp_path)
    assert tree(tmp_path / "tiles") == FILES


def test_an_archive_put_there_by_hand_is_used_and_kept(source, server, tmp_path, caplog):
    (tmp_path / "tiles.zip").write_bytes(packed(FILES, top=""))
    with caplog.at_level(logging.INFO):
        assert download(source, tmp_path)
    assert server.requests == []
    assert names(tmp_path) == ["tiles", "tiles.zip"]
    assert "tiles.zip is there and used; nothing is downloaded" in caplog.messages[0]


def test_a_damaged_archive_put_there_by_hand_is_kept_and_named(source, tmp_path):
    (tmp_path / "tiles.zip").write_bytes(packed(FILES)[:100])
    with pytest.raises(DownloadError, match=r"tiles\.zip is damaged.*Delete it"):
        download(source, tmp_path)
    assert names(tmp_path) == ["tiles.zip"]


def test_what_kaggle_sends_becomes_the_folder(source, tmp_path, client):
    client({f"NEU/{name}": content for name, content in FILES.items()} | {".complete/x": b""})
    assert download(replace(source, address="", kaggle="owner/tiles"), tmp_path)
    assert tree(tmp_path / "tiles") == FILES
    assert names(tmp_path) == ["tiles"]
    record = json.loads((tmp_path / "tiles" / RECORD).read_text())
    assert record["source"] == "Kaggle: owner/tiles"


def test_the_marks_of_kaggles_client_are_taken_away(source, tmp_path, client):
    client(FILES | {".complete/x": b""})
    download(replace(source, address="", kaggle="tiles"), tmp_path)
    assert tree(tmp_path / "tiles") == FILES


def test_a_kaggle_transfer_that_breaks_leaves_nothing(source, tmp_path, client, monkeypatch):
    def break_off(handle: str, folder: Path, *, terms: str) -> None:
        (folder / "image").mkdir(parents=True)
        (folder / "groundTruth").mkdir()
        raise DownloadError("line cut")

    monkeypatch.setattr(kaggle, "download", break_off)
    with pytest.raises(DownloadError, match="line cut"):
        download(replace(source, address="", kaggle="tiles"), tmp_path)
    assert names(tmp_path) == []


def test_an_archive_that_finds_no_room_need_not_come_again(source, server, tmp_path, monkeypatch):
    full = type("Usage", (), {"free": 5})
    with monkeypatch.context() as patch:
        patch.setattr(space.shutil, "disk_usage", lambda _: full)
        server.script = [lambda handler, content: handler.answer(200, content, Content_Length=None)]
        with pytest.raises(DownloadError, match=r"there is no room for tiles\.download"):
            download(source, tmp_path)
    assert names(tmp_path) == ["tiles.download"]
    assert download(source, tmp_path)
    assert len(server.requests) == 1
    assert names(tmp_path) == ["tiles"]


def test_two_at_once_fetch_it_once(source, server, tmp_path, caplog):
    caplog.set_level(logging.INFO)

    def slowly(handler, content):
        time.sleep(0.3)
        behave(handler, content)

    server.script = [slowly]
    done = []
    threads = [
        threading.Thread(target=lambda: done.append(download(source, tmp_path))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, True]
    assert len(server.requests) == 1
    assert any("another process is working on" in remark for remark in caplog.messages)
    assert names(tmp_path) == ["tiles"]


KILLED = """
import os, signal, sys
from pathlib import Path
from steel_defect_detection.download import dataset, unpack
write = unpack._write
def write_and_die(*arguments):
    write(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
unpack._write = write_and_die
source = dataset.Source(name="tiles", title="", licence="", citation="", page="",
    address=sys.argv[1], markers=("image", "groundTruth"))
dataset.download(source, Path(sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_a_process_killed_while_unpacking_leaves_nothing_that_looks_complete(source, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, source.address, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "tiles").exists()
    assert names(tmp_path)[:1] == [".tiles.arriving"]
    assert download(source, tmp_path)
    assert tree(tmp_path / "tiles") == FILES
    assert names(tmp_path) == ["tiles"]


def test_an_interrupted_transfer_goes_on(source, server, tmp_path):
    server.script = [cut_after(50)]
    download(source, tmp_path)
    assert server.requests[1][1]["Range"] == "bytes=50-"
    assert tree(tmp_path / "tiles") == FILES
