import pytest

from steel_defect_detection.download import answer
from steel_defect_detection.download.wish import Patience, Wish
from steel_defect_detection.errors import DownloadError
from tests.download.server import cut_after, status
from tests.download.transfers import CONTENT, OTHER, SHA256, names, ranges


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


def test_a_promise_of_too_few_bytes_is_noticed_by_size_or_hash(get, server, tmp_path):
    server.always = lambda handler, content: handler.answer(
        200, content, Content_Length=str(len(content) - 7)
    )
    with pytest.raises(DownloadError, match="it has 299993 bytes, expected 300000"):
        get(size=len(CONTENT))
    with pytest.raises(DownloadError, match=f"its SHA-256 is .*, expected {SHA256}"):
        get(sha256=SHA256)
    assert names(tmp_path) == []


def test_a_size_beyond_the_limit_is_refused_before_it_comes(get, server, tmp_path):
    with pytest.raises(DownloadError, match="it has more than 1000 bytes"):
        get(most=1000)
    assert names(tmp_path) == []


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


def test_the_wait_that_a_server_asks_for_is_kept_within_reason(get, server, naps):
    server.script = [status(429, Retry_After="7"), status(429, Retry_After="86400")]
    assert get() == SHA256
    assert naps == [7, 60]


def test_leading_on_to_something_else_than_http_is_refused(get, server):
    server.always = status(302, Location="file:///etc/passwd")
    with pytest.raises(DownloadError, match="cannot fetch"):
        get()


def test_leading_in_circles_is_noticed(get, server):
    server.always = status(302, Location="/file.zip")
    with pytest.raises(DownloadError, match="leads in circles"):
        get()


def test_what_comes_compressed_unasked_is_refused(get, server):
    server.always = lambda handler, content: handler.answer(200, content, Content_Encoding="gzip")
    with pytest.raises(DownloadError, match="comes compressed although"):
        get()
    assert server.requests[0][1]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("way", [["http://host/x"], ["http://host/y", "https://host/x"]])
def test_a_secure_address_must_not_lead_over_an_open_one_without_a_hash(way):
    *before, last = (type("Response", (), {"url": url}) for url in way)
    last.history = before
    wish = Wish(address="https://host/x", sha256=None, size=None, most=1, patience=Patience())
    with pytest.raises(DownloadError, match="no SHA-256 is known to notice that"):
        answer._check_hops(wish, last)
