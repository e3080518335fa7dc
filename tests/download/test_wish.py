import pytest

from steel_defect_detection.download.transfer import fetch
from steel_defect_detection.download.wish import Patience, Wish, check_scheme, public
from steel_defect_detection.errors import DownloadError
from tests.download.server import cut_after, status


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://host/file", "file.zip", "http://", "http://[1", "http://h:port/"],
)
def test_only_http_and_https_are_addresses(tmp_path, address):
    with pytest.raises(DownloadError, match="is no address"):
        fetch(address, tmp_path / "file.zip")


def test_secrets_of_an_address_are_written_nowhere(get, server, tmp_path):
    server.script = [cut_after(100_000)] + [status(503)] * 4
    address = server.address.replace("//", "//user:hunter2@") + "/file.zip?token=hunter2"
    with pytest.raises(DownloadError) as caught:
        fetch(address, tmp_path / "file.zip", patience=Patience(sleep=lambda _: None))
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in (tmp_path / "file.zip.partial.json").read_text()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://host/data.zip", "https://host/data.zip"),
        ("https://me:secret@host:8443/a/b.zip?key=secret#secret", "https://host:8443/a/b.zip"),
        ("http://me@secret@host/x", "http://host/x"),
    ],
)
def test_people_are_shown_an_address_without_its_secrets(address, shown):
    assert public(address) == shown
    wish = Wish(address=address, sha256=None, size=None, most=1, patience=Patience())
    assert wish.name == shown


@pytest.mark.parametrize(
    "address", ["http://host", "https://host:8443/x?y=z", "HTTPS://user:word@[::1]/x"]
)
def test_addresses_of_the_web_are_fine(address):
    check_scheme(address)


@pytest.mark.parametrize("address", ["ftp://me:secret@host/x", "http://me:secret@h:port/?secret"])
def test_what_is_no_address_is_named_without_its_secrets(address):
    with pytest.raises(DownloadError, match="is no address") as caught:
        check_scheme(address)
    assert "secret" not in str(caught.value)
