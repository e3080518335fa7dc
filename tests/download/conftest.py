import pytest

from steel_defect_detection.download.transfer import fetch
from steel_defect_detection.download.wish import Patience
from tests.download.transfers import CONTENT


@pytest.fixture
def naps():
    """Seconds waited between attempts."""
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
