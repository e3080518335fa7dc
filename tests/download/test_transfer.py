import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from steel_defect_detection.download.transfer import fetch
from steel_defect_detection.download.wish import Patience
from steel_defect_detection.errors import DownloadError
from tests.download.server import behave, cut_after, status
from tests.download.transfers import CONTENT, OTHER, SHA256, names, ranges


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


def test_a_mixture_of_two_versions_is_noticed_by_its_hash(get, server, tmp_path):
    server.contents["/file.zip"] = OTHER
    server.script = [cut_after(100_000)]
    server.always = lambda handler, _: behave(handler, CONTENT)
    assert get(sha256=SHA256) == SHA256
    assert ranges(server) == [None, "bytes=100000-", None]


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


def test_more_bytes_than_expected_are_not_written(get, server, tmp_path):
    def endless(handler, _):
        handler.answer(200, Content_Length=None)
        while True:
            handler.wfile.write(bytes(100_000))

    server.always = endless
    with pytest.raises(DownloadError, match=r"it has more than 500000 bytes\. Nothing was kept"):
        get(most=500_000)
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


def test_trouble_that_may_pass_is_waited_for_ever_longer(get, server, naps):
    server.script = [status(503)] * 3
    assert get() == SHA256
    assert naps == [1, 2, 4]


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


def test_a_folder_that_cannot_be_written_is_one_clear_line(get, tmp_path, server):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(DownloadError, match="cannot be written"):
        fetch(f"{server.address}/file.zip", tmp_path / "folder" / "file.zip")


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
