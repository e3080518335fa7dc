import asyncio
import socket
from contextlib import closing
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from steel_defect_detection.web import bodies
from steel_defect_detection.web.bodies import Room
from steel_defect_detection.web.limits import Limits
from steel_defect_detection.web.refusals import RefusedError
from tests.web import serving
from tests.web.serving import png

BOUNDARY = "a-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(data=b"", disposition='form-data; name="images"; filename="strip.png"', *more):
    lines = [f"--{BOUNDARY}", f"Content-Disposition: {disposition}", *more, "", ""]
    return "\r\n".join(lines).encode() + data + b"\r\n"


def form(*parts):
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post(address, data, kind=FORM):
    headers = {} if kind is None else {"Content-Type": kind}
    return requests.post(f"{address}/predict", data=data, headers=headers, timeout=20)


def raw(address, *pieces):
    """Send bytes as they are; what comes back until the other side hangs up."""
    where = urlsplit(address)
    with closing(socket.create_connection((where.hostname, where.port), timeout=20)) as line:
        for piece in pieces:
            line.sendall(piece)
        found = b""
        while piece := line.recv(65536):
            found += piece
        return found


class Sent:
    """A request as the reader sees it."""

    def __init__(self, kind: str, *chunks: bytes) -> None:
        self.headers = {"content-type": kind}
        self._chunks = chunks

    async def stream(self):
        for chunk in self._chunks:
            yield chunk


def read(kind, *chunks, limits=serving.FEW, room=None):
    async def reading():
        with (room or Room(limits.held_bytes)).share() as share:
            return await bodies.read(Sent(kind, *chunks), limits, share)

    return asyncio.run(reading())


def test_one_image_is_a_body_as_it_is():
    (upload,) = read("image/png", b"one", b"two")
    assert (upload.name, upload.data) == ("image", b"onetwo")


def test_a_form_holds_several_in_order():
    data = form(part(b"first"), part(b"second", 'form-data; name="images"; filename="2.bmp"'))
    uploads = read(FORM, data)
    assert [(one.name, one.data) for one in uploads] == [
        ("strip.png", b"first"),
        ("2.bmp", b"second"),
    ]


@settings(max_examples=60)
@given(content=st.binary(max_size=300), cuts=st.lists(st.integers(0, 600), max_size=8))
def test_it_does_not_matter_how_a_form_is_cut_into_pieces(content, cuts):
    data = form(part(content), part(b"\r\n--a-bound"))
    ends = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    chunks = [data[start:end] for start, end in pairwise(ends)]
    expected = [content, b"\r\n--a-bound"]
    if f"\r\n--{BOUNDARY}".encode() not in content:
        assert [one.data for one in read(FORM, *chunks)] == expected


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "../../etc/passwd"),
        ("a\x00b.png", r"a\x00b.png"),
        ("gnp.\u202estrip.exe", r"gnp.\u202estrip.exe"),
        ("a\u2028b.png", r"a\u2028b.png"),
        ("полоса.png", "полоса.png"),
        ("x" * 300, "x" * 255),
        ("", "image"),
    ],
)
def test_a_name_is_a_text_to_give_back_and_nothing_else(
    address, tmp_path, monkeypatch, name, shown
):
    monkeypatch.chdir(tmp_path)
    header = f'form-data; name="images"; filename="{name}"'
    answer = post(address, form(part(png(), header)))
    if "\x00" in name:
        assert answer.status_code in {200, 400}
    else:
        assert answer.json()["images"][0]["name"] == shown
    assert list(tmp_path.iterdir()) == []


def test_a_field_without_a_file_name_is_an_image_too(address):
    answer = post(address, form(part(png(), 'form-data; name="images"')))
    assert answer.json()["images"][0]["name"] == "image"


@pytest.mark.parametrize(
    ("data", "kind", "status", "said"),
    [
        (b"", None, 415, "expected a form (multipart/form-data) with fields called 'images', or"),
        (
            b"{}",
            "application/json",
            415,
            "as image/png, image/jpeg and the like, got 'application/json'",
        ),
        (b"{}", "multipart/form-data", 400, "the form cannot be read: its boundary is missing"),
        (form(part()), "multipart/form-data; boundary=other", 400, "the form cannot be read"),
        (
            form(part()),
            f"multipart/form-data; boundary={'x' * 999}",
            400,
            "the form cannot be read",
        ),
        (b"", FORM, 400, "the form cannot be read: it ends before its last boundary"),
        (part(png()), FORM, 400, "the form cannot be read: it ends before its last boundary"),
        (form(), FORM, 400, "the form has no images. Send each in a field called 'images'"),
        (b"\x00\xff garbage", FORM, 400, "the form cannot be read"),
        (
            form(part(b"", "form-data")),
            FORM,
            400,
            "expected fields called 'images', each with one image, got ''",
        ),
        (form(part(b"", 'form-data; name="file"')), FORM, 400, "got 'file'"),
        (form(part(b"", 'form-data; name="a\u202eb"')), FORM, 400, r"got 'a\u202eb'"),
        (
            form(part(b"mask", 'form-data; name="include"'), part(png())),
            FORM,
            400,
            "got 'include'. It belongs into the address: /predict?include=mask",
        ),
        (
            b"images=strip.png",
            "application/x-www-form-urlencoded",
            415,
            "expected a form (multipart/form-data) with fields called 'images', or one image",
        ),
        (form(part(b"", "x", f"X-Long: {'x' * 9999}")), FORM, 400, "the form cannot be read"),
        (
            form(*[part(png())] * 4),
            FORM,
            400,
            "the form has more than the most of 3 images. Send fewer",
        ),
        (
            form(part(b"x" * 200_000)),
            FORM,
            413,
            "more than the most of 200,000 bytes. Send fewer images",
        ),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(address, data, kind, status, said):
    answer = post(address, data, kind)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


def test_a_body_without_announced_length_is_cut_off_at_the_limit(address):
    sent = 0

    def endless():
        nonlocal sent
        while sent < 50_000_000:
            sent += 10_000
            yield b"x" * 10_000

    try:
        answer = post(address, endless(), "image/png")
        assert answer.status_code == 413
    except requests.ConnectionError:  # cut off while it was still sending
        pass
    assert requests.get(f"{address}/health", timeout=20).json()["status"] == "ok"


def test_a_sender_who_is_too_slow_is_told(tmp_path):
    hasty = Limits(max_bytes=1000, max_images=1, queue=1, timeout=0.5)
    with serving.running(serving.bright_app(limits=hasty), hasty) as address:
        head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        found = raw(address, head.encode() + b"Content-Length: 500\r\nConnection: close\r\n\r\nx")
    assert b"HTTP/1.1 408" in found
    assert b"the request did not arrive within 0.5 seconds" in found


def test_all_requests_together_have_so_much_memory():
    room = Room(10)
    with room.share() as first, room.share() as second:
        first.take(6)
        with pytest.raises(RefusedError) as caught:
            second.take(5)
        assert str(caught.value) == "there is no memory for more images now. Try again in 5 seconds"
        second.take(4)
        assert room.held == 10
    assert room.held == 0


def test_memory_is_given_back_when_a_request_fails():
    room = Room(100)
    with pytest.raises(RefusedError):
        read(FORM, b"garbage that is no form", room=room)
    assert room.held == 0
