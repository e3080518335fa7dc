import re

import pytest
import requests

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.web import bodies
from steel_defect_detection.web.guards import SAFETY_HEADERS, Access
from tests.web import serving
from tests.web.serving import png

TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def locked():
    with serving.running(serving.bright_app(token=TOKEN, hosts=("Strip.Example",))) as where:
        yield where


@pytest.mark.parametrize("path", ["/", "/page.js", "/health", "/nothing", "/openapi.json"])
def test_every_answer_has_the_headers_of_safety(address, path):
    headers = requests.get(address + path, timeout=20).headers
    for name, value in SAFETY_HEADERS.items():
        assert headers[name] == value
    assert "server" not in headers


def test_scripts_styles_and_addresses_are_this_servers_own():
    policy = dict(
        part.split(" ", 1) for part in SAFETY_HEADERS["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "", "[::1", "127.0.0.1.evil.example"]
)
def test_a_name_that_is_not_this_servers_is_refused(address, host):
    answer = requests.get(f"{address}/model", headers={"Host": host}, timeout=20)
    assert answer.status_code == 421 or not host
    if answer.status_code == 421:
        assert answer.json()["error"]["message"] == (
            f"this server is not called {host!r}. Start it with --allow-host NAME if it is meant "
            "to be"
        )


@pytest.mark.parametrize(
    "host", ["localhost:9", "127.0.0.1", "[::1]:8000", "10.0.0.7", "LOCALHOST"]
)
def test_numbers_and_localhost_cannot_be_another_sites_names(address, host):
    assert requests.get(f"{address}/model", headers={"Host": host}, timeout=20).ok


def test_a_name_that_is_allowed_is_answered(locked):
    headers = {"Host": "strip.example", "Authorization": f"Bearer {TOKEN}"}
    assert requests.get(f"{locked}/model", headers=headers, timeout=20).ok


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://["]
)
def test_pages_from_elsewhere_are_refused(address, origin):
    answer = requests.post(
        f"{address}/predict",
        data=png(),
        headers={"Origin": origin, "Content-Type": "image/png"},
        timeout=20,
    )
    assert answer.status_code == 403
    assert answer.json()["error"]["message"].startswith(
        f"requests of pages from elsewhere are refused, got one of {origin!r}"
    )
    assert "access-control-allow-origin" not in answer.headers


def test_this_servers_own_page_is_let_in(address):
    headers = {"Origin": address, "Content-Type": "image/png"}
    assert requests.post(f"{address}/predict", data=png(), headers=headers, timeout=20).ok


@pytest.mark.parametrize(
    "sent",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ключ"],
)
@pytest.mark.parametrize("path", ["/model", "/metrics"])
def test_without_the_token_nothing_is_told(locked, sent, path):
    headers = {} if sent is None else {"Authorization": sent.encode()}
    answer = requests.get(locked + path, headers=headers, timeout=20)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["message"] == (
        "expected the header 'Authorization: Bearer TOKEN' with this server's token"
    )


def test_with_the_token_images_are_judged(locked):
    headers = {"Authorization": f"bearer {TOKEN}", "Content-Type": "image/png"}
    assert requests.post(f"{locked}/predict", data=png(), headers=headers, timeout=20).ok
    del headers["Authorization"]
    assert (
        requests.post(f"{locked}/predict", data=png(), headers=headers, timeout=20).status_code
        == 401
    )


@pytest.mark.parametrize("path", ["/", "/page.css", "/health"])
def test_the_page_that_asks_for_the_token_needs_none(locked, path):
    assert requests.get(locked + path, timeout=20).ok


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("short", "a token needs at least 16 letters, got 5"),
        ("ключ" * 8, "a token consists of ASCII letters, digits and signs, without spaces"),
        ("with a space in between", "a token consists of ASCII"),
    ],
)
def test_tokens_that_are_of_no_use_are_refused(token, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        Access(token=token)


def test_requests_are_counted_whatever_becomes_of_them(address):
    requests.get(f"{address}/nothing", timeout=20)
    text = requests.get(f"{address}/metrics", timeout=20).text
    assert re.search(r'sdd_requests_total\{method="GET",path="other",status="404"\} \d', text)


def test_a_failure_of_the_server_tells_nothing_of_itself(caplog, monkeypatch):
    def broken(*_, **__):
        msg = "secret path"
        raise RuntimeError(msg)

    monkeypatch.setattr(bodies, "read", broken)
    with serving.running(serving.bright_app()) as where:
        answer = requests.post(f"{where}/predict", data=png(), timeout=20)
        counts = requests.get(f"{where}/metrics", timeout=20).text
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == "the server failed. Its log says why"
    assert answer.headers["cache-control"] == "no-store"
    assert "secret path" in caplog.text
    assert 'path="/predict",status="500"} 1.0' in counts
