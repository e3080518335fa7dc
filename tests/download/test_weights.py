import hashlib
import json
import logging

import pytest

from steel_defect_detection.download import weights
from steel_defect_detection.errors import DownloadError

MODEL = b"weights" * 1000


@pytest.fixture
def base(server) -> str:
    entry = {
        "file": "line-7.safetensors",
        "sha256": hashlib.sha256(MODEL).hexdigest(),
        "size": len(MODEL),
    }
    server.contents["/models/index.json"] = json.dumps({"line-7": entry}).encode()
    server.contents["/models/line-7.safetensors"] = MODEL
    return f"{server.address}/models"


def test_the_index_says_what_there_is(base):
    assert list(weights.index(base)) == ["line-7"]
    assert weights.index(f"{base}/")["line-7"].size == len(MODEL)


def test_a_model_arrives_under_the_name_of_its_file(base, tmp_path):
    path = weights.download("line-7", base, tmp_path)
    assert path == tmp_path / "line-7.safetensors"
    assert path.read_bytes() == MODEL
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_that_is_there_is_not_fetched_again(base, server, tmp_path, caplog):
    weights.download("line-7", base, tmp_path)
    server.requests.clear()
    with caplog.at_level(logging.INFO):
        weights.download("line-7", base, tmp_path)
    assert [path for path, _ in server.requests] == ["/models/index.json"]
    assert "is there already" in caplog.messages[0]


def test_another_file_of_that_name_is_left_alone(base, tmp_path):
    (tmp_path / "line-7.safetensors").write_bytes(b"mine")
    with pytest.raises(DownloadError, match="is not the file that it should be"):
        weights.download("line-7", base, tmp_path)
    assert (tmp_path / "line-7.safetensors").read_bytes() == b"mine"


@pytest.mark.parametrize("content", [b"forged!" * 1000, b"too short", b""])
def test_other_bytes_than_the_index_says_are_refused(base, server, tmp_path, content):
    server.contents["/models/line-7.safetensors"] = content
    with pytest.raises(DownloadError, match="is not the file that it should be"):
        weights.download("line-7", base, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_is_answered_with_the_known_ones(base, tmp_path):
    with pytest.raises(DownloadError, match="has no model 'line-8'; it has: line-7"):
        weights.download("line-8", base, tmp_path)


def test_a_query_in_the_address_is_passed_on_and_not_told(base, server, tmp_path):
    weights.download("line-7", f"{base}?token=hunter2", tmp_path)
    assert [path for path, _ in server.requests] == [
        "/models/index.json?token=hunter2",
        "/models/line-7.safetensors?token=hunter2",
    ]
    with pytest.raises(DownloadError) as caught:
        weights.download("line-8", f"{base}?token=hunter2", tmp_path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../line-7.safetensors"},
        {"file": "/etc/line-7.safetensors"},
        {"file": "a/b.safetensors"},
        {"file": "line-7.pt"},
        {"file": "line-7.safetensors\n"},
        {"file": ""},
        {"sha256": "abc"},
        {"sha256": None},
        {"size": 0},
        {"size": -1},
        {"size": "many"},
        {"size": 2**60},
    ],
)
def test_an_entry_that_cannot_be_trusted_is_refused(base, server, tmp_path, change):
    index = json.loads(server.contents["/models/index.json"])
    index["line-7"] |= change
    server.contents["/models/index.json"] = json.dumps(index).encode()
    with pytest.raises(DownloadError, match=f"is no index of models: line-7.{next(iter(change))}"):
        weights.download("line-7", base, tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"<html>", b"\xff", b'{"a": 3}', b"[" * 100_000])
def test_what_is_no_index_is_named(base, server, content):
    server.contents["/models/index.json"] = content
    with pytest.raises(DownloadError, match=r"index\.json is no index of models") as caught:
        weights.index(base)
    assert "\n" not in str(caught.value)


def test_an_endless_index_is_not_read(base, server):
    server.contents["/models/index.json"] = b" " * 2_000_000
    with pytest.raises(DownloadError, match="has more than 1048576 bytes"):
        weights.index(base)


def test_a_server_without_an_index_is_named(base, server):
    with pytest.raises(DownloadError, match=r"nothing/index\.json: the server answered 404"):
        weights.index(f"{server.address}/nothing")


@pytest.mark.parametrize("base", ["", "models", "ftp://host", "http://[1", "https://"])
def test_what_is_no_address_is_named(base):
    with pytest.raises(DownloadError, match="is no address"):
        weights.index(base)
