import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from steel_defect_detection.download import answer, space
from steel_defect_detection.download.transfer import fetch
from steel_defect_detection.download.wish import Patience, Wish
from steel_defect_detection.errors import DownloadError
from tests.download.server import behave, cut_after, status

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = random.Random(1).randbytes(300_000)


@pytest.fixture
def naps():
    return []


@pytest.fixture
def get(server, tmp_path, naps):
    """Fetch the file of the server."""
    server.contents["/file.zip"] = CONTENT

    def call(**options):
        patience = Patience(sleep=naps.append, read_seconds=0.5)
        address = f"{server.address}/file.zip"
        return fetch(address, tmp_path / "file.zip", patience=patience, **options)

    return call


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def ranges(server) -> list[str | None]:
    return [headers.get("Range") for _, headers in server.requests]


def test_a_file_arrives_alone_and_its_hash_is_said(get, tmp_path, naps):
    assert get() == SHA256
    assert (tmp_path / "file.zip").read_bytes() == CONTENT
    assert names(tmp_path) == ["file.zip"]
    assert naps == []


def test_a_file_that_is_there_is_not_asked_for(get, server, tmp_path):
    (tmp_path / "file.zip").write_bytes(CONTENT)
    assert get(sha256=SHA256) == SHA256
    assert server.requests == []


def test_a_file_that_is_there_and_wrong_is_left_alone(get, tmp_path):
    (tmp_path / "file.zip").write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"is not the file that it should be.*Delete it"):
        get(sha256=SHA256)
    assert (tmp_path / "file.zip").read_bytes() == b"mine"


def test_a_cut_line_goes_on_where_it_stopped(get, server, tmp_path, naps):
    server.script = [cut_after(100_000)]
    assert get() == SHA256
    assert ranges(server) == [None, "bytes=100000-"]
    assert server.requests[1][1]["If-Range"] == '"one"'
    assert naps == [1]


def test_another_run_goes_on_where_the_first_stopped(get, server, tmp_path):
    server.script = [cut_after(100_000)] + [status(503)] * 4
    with pytest.raises(DownloadError, match=r"503.*100 kB are kept in .*file\.zip\.partial"):
        get()
    assert names(tmp_path) == ["file.zip.partial", "file.zip.partial.json"]
    assert get() == SHA256
    assert ranges(server)[-1] == "bytes=100000-"
    assert names(tmp_path) == ["file.zip"]


def test_a_server_without_ranges_sends_the_whole_again(get, server, tmp_path):
    server.script = [
        cut_after(100_000),
        lambda handler, content: handler.answer(200, content, ETag='"one"'),
    ]
    assert get() == SHA256


def test_a_file_that_changed_in_between_arrives_in_its_new_version(get, server, tmp_path):
    def change(handler, content):
        cut_after(100_000)(handler, content)
        server.contents["/file.zip"] = OTHER
        server.etag = '"two"'

    server.script = [change]
    get()
    assert (tmp_path / "file.zip").read_bytes() == OTHER


def test_a_changed_file_is_noticed_where_the_server_ignores_the_condition(get, server, tmp_path):
    def change(handler, content):
        cut_after(100_000)(handler, content)
        server.contents["/file.zip"] = OTHER
        server.etag = '"two"'

    def continue_blindly(handler, content):
        rest = f"bytes 100000-{len(content) - 1}/{len(content)}"
        handler.answer(206, content[100_000:], Content_Range=rest, ETag='"two"')

    server.script = [change, continue_blindly]
    get()
    assert (tmp_path / "file.zip").read_bytes() == OTHER


def test_a_mixture_of_two_versions_is_noticed_by_its_hash(get, server, tmp_path):
    server.contents["/file.zip"] = OTHER
    server.script = [cut_after(100_000)]
    server.always = lambda handler, _: behave(handler, CONTENT)
    assert get(sha256=SHA256) == SHA256
    assert ranges(server) == [None, "bytes=100000-", None]


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


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 0-299999/300000",
        "bytes 99999-299999/300000",
        "bytes 100000-299999/300001",
        "items 100000-299999/300000",
        "bytes 100000-299999/many",
        None,
    ],
)
def test_a_wrong_content_range_is_not_believed(get, server, content_range):
    def lie(handler, content):
        handler.answer(206, content[100_000:], Content_Range=content_range, ETag='"one"')

    server.script = [cut_after(100_000), lie]
    assert get() == SHA256
    assert ranges(server) == [None, "bytes=100000-", None]


def test_a_part_without_the_etag_of_the_whole_is_not_believed(get, server):
    def forget(handler, content):
        rest = f"bytes 100000-{len(content) - 1}/{len(content)}"
        handler.answer(206, content[100_000:], Content_Range=rest)

    server.script = [cut_after(100_000), forget]
    assert get() == SHA256
    assert ranges(server) == [None, "bytes=100000-", None]


def test_a_piece_of_the_rest_is_not_taken_for_all_of_it(get, server):
    def piece(handler, content):
        handler.answer(
            206, content[100_000:150_000], Content_Range="bytes 100000-149999/300000", ETag='"one"'
        )

    server.script = [cut_after(100_000), piece]
    assert get() == SHA256
    assert ranges(server) == [None, "bytes=100000-", "bytes=150000-"]


def test_a_part_that_nobody_asked_for_is_an_error(get, server):
    server.always = lambda handler, content: handler.answer(206, content[5:])
    with pytest.raises(DownloadError, match="the server answered 206"):
        get()


def test_a_promise_of_too_many_bytes_ends_in_an_error(get, server, tmp_path, naps):
    def promise(handler, content):
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        size = len(content) + 1000
        code = 206 if start else 200
        said = {"Content_Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
        rest = content[start:]
        handler.answer(code, rest, Content_Length=str(size - start), ETag='"one"', **said)

    server.always = promise
    with pytest.raises(DownloadError, match="the line was cut"):
        get()
    assert not (tmp_path / "file.zip").exists()
    assert len(naps) == 4


def test_a_promise_of_too_few_bytes_is_noticed_by_size_or_hash(get, server, tmp_path):
    server.always = lambda handler, content: handler.answer(
        200, content, Content_Length=str(len(content) - 7)
    )
    with pytest.raises(DownloadError, match="it has 299993 bytes, expected 300000"):
        get(size=len(CONTENT))
    with pytest.raises(DownloadError, match=f"its SHA-256 is .*, expected {SHA256}"):
        get(sha256=SHA256)
    assert names(tmp_path) == []


def test_more_bytes_than_expected_are_not_written(get, server, tmp_path):
    def endless(handler, _):
        handler.answer(200, Content_Length=None)
        while True:
            handler.wfile.write(bytes(100_000))

    server.always = endless
    with pytest.raises(DownloadError, match=r"it has more than 500000 bytes\. Nothing was kept"):
        get(most=500_000)
    assert names(tmp_path) == []


def test_a_size_beyond_the_limit_is_refused_before_it_comes(get, server, tmp_path):
    with pytest.raises(DownloadError, match="it has more than 1000 bytes"):
        get(most=1000)
    assert names(tmp_path) == []


def test_chunks_without_a_length_arrive(get, server):
    def chunks(handler, content):
        handler.answer(200, Content_Length=None, Transfer_Encoding="chunked")
        for start in range(0, len(content), 70_000):
            chunk = content[start : start + 70_000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        handler.wfile.write(b"0\r\n\r\n")

    server.script = [chunks]
    assert get() == SHA256


def test_chunks_that_break_off_are_not_taken_for_the_whole(get, server):
    def chunks(handler, content):
        handler.answer(200, Content_Length=None, Transfer_Encoding="chunked")
        handler.wfile.write(b"%x\r\n%s\r\n" % (50_000, content[:50_000]))

    server.script = [chunks]
    assert get() == SHA256
    assert len(server.requests) == 2


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


@pytest.mark.parametrize(
    ("code", "advice"),
    [(404, "look at the address"), (403, "needs a permission"), (400, "Bad Request"), (204, "204")],
)
def test_a_refusal_is_one_clear_line_without_another_try(get, server, naps, code, advice):
    server.always = status(code)
    with pytest.raises(DownloadError, match=advice) as caught:
        get()
    assert f"the server answered {code}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert naps == []


def test_trouble_that_may_pass_is_waited_for_ever_longer(get, server, naps):
    server.script = [status(503)] * 3
    assert get() == SHA256
    assert naps == [1, 2, 4]


def test_the_wait_that_a_server_asks_for_is_kept_within_reason(get, server, naps):
    server.script = [status(429, Retry_After="7"), status(429, Retry_After="86400")]
    assert get() == SHA256
    assert naps == [7, 60]


def test_a_line_that_brings_a_little_each_time_is_not_given_up(get, server):
    def a_little_more(handler, content):
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        code = 206 if start else 200
        said = {"Content_Range": f"bytes {start}-299999/300000"} if start else {}
        rest = content[start : start + 20_000]
        handler.answer(code, rest, Content_Length=str(300_000 - start), ETag='"one"', **said)

    server.always = a_little_more
    assert get() == SHA256
    assert len(server.requests) == 15


def test_a_line_that_is_always_cut_at_the_same_place_is_given_up(get, server, naps):
    server.etag = None
    server.always = cut_after(1000)
    with pytest.raises(DownloadError, match="cannot fetch"):
        get()
    assert len(server.requests) == 5


def test_a_server_that_falls_silent_is_given_up(get, server):
    def fall_silent(handler, content):
        handler.answer(200, content[:1000], Content_Length="300000")
        time.sleep(1)

    server.script = [fall_silent]
    assert get() == SHA256


def test_a_server_that_hangs_up_is_asked_again(get, server):
    server.script = [lambda handler, _: handler.connection.shutdown(socket.SHUT_RDWR)]
    assert get() == SHA256


def test_nobody_at_the_address_is_one_clear_line(tmp_path, naps):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://user:hunter2@127.0.0.1:{free.getsockname()[1]}/file.zip?token=hunter2"
        with pytest.raises(DownloadError, match="refused") as caught:
            fetch(address, tmp_path / "file.zip", patience=Patience(sleep=naps.append))
    assert "hunter2" not in str(caught.value)
    assert naps == [1, 2, 4]


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://host/file", "file.zip", "http://", "http://[1", "http://h:port/"],
)
def test_only_http_and_https_are_addresses(tmp_path, address):
    with pytest.raises(DownloadError, match="is no address"):
        fetch(address, tmp_path / "file.zip")


def test_leading_on_to_something_else_than_http_is_refused(get, server):
    server.always = status(302, Location="file:///etc/passwd")
    with pytest.raises(DownloadError, match="cannot fetch"):
        get()


def test_leading_in_circles_is_noticed(get, server):
    server.always = status(302, Location="/file.zip")
    with pytest.raises(DownloadError, match="leads in circles"):
        get()


def test_secrets_of_an_address_are_written_nowhere(get, server, tmp_path):
    server.script = [cut_after(100_000)] + [status(503)] * 4
    address = server.address.replace("//", "//user:hunter2@") + "/file.zip?token=hunter2"
    with pytest.raises(DownloadError) as caught:
        fetch(address, tmp_path / "file.zip", patience=Patience(sleep=lambda _: None))
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in (tmp_path / "file.zip.partial.json").read_text()


def test_what_comes_compressed_unasked_is_refused(get, server):
    server.always = lambda handler, content: handler.answer(200, content, Content_Encoding="gzip")
    with pytest.raises(DownloadError, match="comes compressed although"):
        get()
    assert server.requests[0][1]["Accept-Encoding"] == "identity"


def test_a_full_disk_is_noticed_before_the_transfer(get, monkeypatch, tmp_path):
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(DownloadError, match=r"there is no room for .*300 kB, .* has 1 kB free"):
        get()
    assert not (tmp_path / "file.zip").exists()


def test_a_folder_that_cannot_be_written_is_one_clear_line(get, tmp_path, server):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(DownloadError, match="cannot be written"):
        fetch(f"{server.address}/file.zip", tmp_path / "folder" / "file.zip")


@pytest.mark.parametrize("way", [["http://host/x"], ["http://host/y", "https://host/x"]])
def test_a_secure_address_must_not_lead_over_an_open_one_without_a_hash(way):
    *before, last = (type("Response", (), {"url": url}) for url in way)
    last.history = before
    wish = Wish(address="https://host/x", sha256=None, size=None, most=1, patience=Patience())
    with pytest.raises(DownloadError, match="no SHA-256 is known to notice that"):
        answer._check_hops(wish, last)


def test_two_at_once_fetch_it_once(get, server, tmp_path):
    def slowly(handler, content):
        time.sleep(0.3)
        behave(handler, content)

    server.script = [slowly]
    done = []
    threads = [threading.Thread(target=lambda: done.append(get())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [SHA256, SHA256]
    assert len(server.requests) == 1
    assert names(tmp_path) == ["file.zip"]


KILLED = """
import sys
from pathlib import Path
from steel_defect_detection.download.transfer import fetch
fetch(sys.argv[1], Path(sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_a_killed_process_leaves_nothing_that_looks_complete(get, server, tmp_path):
    def stop_half_way(handler, content):
        handler.answer(200, content[:150_000], Content_Length="300000", ETag='"one"')
        handler.wfile.flush()
        half_way.set()
        time.sleep(5)

    half_way = threading.Event()
    server.script = [stop_half_way]
    target = tmp_path / "file.zip"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, f"{server.address}/file.zip", str(target)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert half_way.wait(30)
    part = tmp_path / "file.zip.partial"
    for _ in range(500):
        if part.exists() and part.stat().st_size:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    assert 0 < part.stat().st_size <= 150_000
    assert get() == SHA256
    assert ranges(server)[1] is not None
    assert names(tmp_path) == ["file.zip"]
