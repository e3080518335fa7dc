import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest
import requests
from fastapi import FastAPI, Response

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.web import server
from steel_defect_detection.web.limits import Limits
from tests.web import serving
from tests.web.serving import png
from tests.web.test_bodies import FORM, form, part, post


def connect(address):
    where = urlsplit(address)
    return closing(socket.create_connection((where.hostname, where.port), timeout=20))


def rest(line):
    """What still comes, until the other side hangs up."""
    found = b""
    try:
        while piece := line.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize(
    ("host", "is_near"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.1.1.1", False),
        ("steel.example", False),
    ],
)
def test_only_this_machine_reaches_a_loopback_address(host, is_near):
    assert server.is_loopback(host) == is_near


def test_an_address_that_cannot_be_had_is_refused():
    with server.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            server.listen("127.0.0.1", port)
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1, port {port}: Address already in use. Name another one, or "
        "port 0 for any"
    )
    with pytest.raises(ConfigError, match=r"cannot listen on 203\.0\.113\.1, port 0: "):
        server.listen("203.0.113.1", 0)


def test_the_address_can_be_typed_into_a_browser():
    with server.listen("127.0.0.1", 0) as listening:
        assert server.address(listening) == f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 600_000 + b"\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Content-Length: 6\r\n\r\n",
    ],
)
def test_what_is_no_request_is_cut_off_and_the_server_goes_on(address, sent):
    with connect(address) as line:
        with suppress(OSError):  # cut off while it was still sending
            line.sendall(sent)
            line.shutdown(socket.SHUT_WR)
        assert b" 200 " not in rest(line)[:30]
    assert requests.get(f"{address}/health", timeout=20).ok


def test_a_head_that_does_not_come_to_an_end_is_not_waited_for():
    with serving.running(serving.bright_app(), head_seconds=0.6) as address:
        with connect(address) as silent, connect(address) as slow:
            started = time.monotonic()
            slow.sendall(b"GET / HTTP/1.1\r\n")
            try:
                for _ in range(20):
                    slow.sendall(b"X")
                    time.sleep(0.1)
            except OSError:
                pass
            assert rest(silent) == rest(slow) == b""
            assert time.monotonic() - started < 10
        assert requests.get(f"{address}/health", timeout=20).ok


def test_an_answer_that_nobody_fetches_is_dropped():
    app, size = FastAPI(), 40_000_000
    app.get("/")(lambda: Response(b"x" * size))
    with serving.running(app, fetch_seconds=0.3) as address, connect(address) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        time.sleep(1)
        assert 0 < len(rest(line)) < size


def test_a_connection_cut_in_the_middle_harms_nobody(address):
    for _ in range(20):
        with connect(address) as line:
            line.sendall(
                b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
                b"Content-Length: 5000\r\n\r\n" + png()[:50]
            )
    assert post(address, png(), "image/png").ok


def ask(address, number):
    """One of several kinds of requests; its status, which depends on nothing but the number."""
    kinds = (
        lambda: post(address, png(pits=number % 7), "image/png"),
        lambda: post(address, form(part(png()), part(png(pits=3))), FORM),
        lambda: post(address, b"a text", "image/png"),
        lambda: post(address, b"garbage", FORM),
        lambda: post(address, b"x" * 300_000, "image/png"),
        lambda: requests.get(f"{address}/model", timeout=60),
        lambda: requests.get(f"{address}/nothing", timeout=60),
    )
    return kinds[number % len(kinds)]()


EXPECTED = (200, 200, 422, 400, 413, 200, 404)


def mixed(address, count, clients):
    """Send mixed requests, each until it is answered; how many were turned away at first."""
    numbers = random.Random(0).sample(range(count), count)
    turned_away = []

    def until_answered(number):
        while (answer := ask(address, number)).status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1
            turned_away.append(number)
            time.sleep(0.05)
        return number, answer

    with ThreadPoolExecutor(clients) as pool:
        answers = dict(pool.map(until_answered, numbers))
    assert [answers[number].status_code for number in range(count)] == [
        EXPECTED[number % len(EXPECTED)] for number in range(count)
    ]
    return answers, len(turned_away)


def test_of_mixed_requests_of_many_clients_none_is_lost():
    few = Limits(max_bytes=200_000, max_pixels=10_000, max_images=3, queue=4, timeout=30)
    with serving.running(serving.bright_app(limits=few), few) as address:
        answers, _ = mixed(address, 140, clients=16)
        for number in range(0, 140, 7):
            (image,) = answers[number].json()["images"]
            assert image["defects"].get("pit", {}).get("area", 0) == number % 7
        assert requests.get(f"{address}/health", timeout=20).json() == {"status": "ok", "queue": 0}
        text = requests.get(f"{address}/metrics", timeout=20).text
    assert "sdd_held_bytes 0.0" in text
    assert 'sdd_images_total{verdict="error"} 20.0' in text


def test_the_server_finishes_what_is_under_way_before_it_ends():
    predictor, found = serving.Bright(), []
    predictor.go_on.clear()
    with serving.running(serving.bright_app(predictor)) as address:
        asking = threading.Thread(target=lambda: found.append(post(address, png(), "image/png")))
        asking.start()
        time.sleep(0.5)
        threading.Timer(0.5, predictor.go_on.set).start()
    asking.join(20)
    assert found[0].status_code == 200
