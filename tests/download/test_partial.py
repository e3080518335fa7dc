import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.download.partial import Partial, Version
from tests.download.server import cut_after
from tests.download.transfers import CONTENT, OTHER, SHA256, names, ranges


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_validator_it_starts_again(get, server, tmp_path, etag):
    server.etag = etag
    server.script = [cut_after(100_000)]
    assert get() == SHA256
    assert ranges(server) == [None, None]


def test_without_a_validator_a_known_hash_is_enough_to_go_on(get, server):
    server.etag = None
    server.script = [cut_after(100_000)]
    assert get(sha256=SHA256) == SHA256
    assert ranges(server) == [None, "bytes=100000-"]
    assert "If-Range" not in server.requests[1][1]


def test_the_time_of_change_serves_where_there_is_no_etag(get, server):
    server.etag, server.modified = None, "Sat, 21 Nov 2026 06:00:00 GMT"
    server.script = [cut_after(100_000)]
    assert get() == SHA256
    assert server.requests[1][1]["If-Range"] == "Sat, 21 Nov 2026 06:00:00 GMT"


def test_a_part_that_is_the_whole_needs_no_request(get, server, tmp_path):
    (tmp_path / "file.zip.partial").write_bytes(CONTENT)
    note = {"address": f"{server.address}/file.zip", "etag": '"one"', "size": len(CONTENT)}
    (tmp_path / "file.zip.partial.json").write_text(json.dumps(note))
    assert get() == SHA256
    assert server.requests == []


def test_a_part_longer_than_the_file_is_thrown_away(get, server, tmp_path):
    (tmp_path / "file.zip.partial").write_bytes(CONTENT + b"more")
    note = {"address": f"{server.address}/file.zip", "etag": '"one"', "size": None}
    (tmp_path / "file.zip.partial.json").write_text(json.dumps(note))
    assert get() == SHA256
    assert ranges(server) == ["bytes=300004-", None]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "[]",
        "nonsense",
        '{"etag": "\\"one\\""}',
        '{"address": "http://elsewhere/file.zip", "etag": "\\"one\\""}',
        '{"address": 3, "etag": null, "size": "big"}',
    ],
)
def test_a_part_of_unknown_origin_is_thrown_away(get, server, tmp_path, note):
    (tmp_path / "file.zip.partial").write_bytes(OTHER[:1000])
    (tmp_path / "file.zip.partial.json").write_text(note)
    assert get() == SHA256
    assert ranges(server) == [None]


def test_the_bytes_appear_under_their_name_only_at_the_end(tmp_path):
    partial = Partial(tmp_path / "file.zip")
    assert (partial.length, partial.version()) == (0, None)
    partial.begin(Version(address="https://host/file.zip", etag='"one"', size=5))
    partial.path.write_bytes(b"12345")
    assert partial.length == 5
    assert names(tmp_path) == ["file.zip.partial", "file.zip.partial.json"]
    partial.finish()
    assert names(tmp_path) == ["file.zip"]
    assert (tmp_path / "file.zip").read_bytes() == b"12345"


def test_another_version_starts_from_nothing(tmp_path):
    partial = Partial(tmp_path / "file.zip")
    partial.begin(Version(address="https://host/file.zip", etag='"one"'))
    partial.path.write_bytes(b"12345")
    partial.begin(Version(address="https://host/file.zip", etag='"two"'))
    assert partial.length == 0
    assert partial.version().etag == '"two"'
    partial.drop()
    assert names(tmp_path) == []


texts = st.text(st.characters(codec="utf-8"), max_size=20)


@given(texts, texts, texts, st.none() | st.integers(0, 2**62))
def test_what_is_noted_is_found_again(tmp_path_factory, address, etag, modified, size):
    version = Version(address=address, etag=etag, modified=modified, size=size)
    target = tmp_path_factory.mktemp("part") / "file.zip"
    Partial(target).begin(version)
    # As the next process sees it.
    assert Partial(target).version() == version


@pytest.mark.parametrize(
    ("etag", "modified", "validator"),
    [
        ('"one"', "", '"one"'),
        ('"one"', "Sat, 21 Nov 2026 06:00:00 GMT", '"one"'),
        # RFC 9110, 13.1.5: a weak one must not stand in If-Range.
        ('W/"one"', "Sat, 21 Nov 2026 06:00:00 GMT", "Sat, 21 Nov 2026 06:00:00 GMT"),
        ('W/"one"', "", ""),
        ("", "", ""),
    ],
)
def test_the_strongest_validator_is_sent(etag, modified, validator):
    assert Version(address="https://host/x", etag=etag, modified=modified).validator == validator
