"""Fixtures of the tests of training."""

import pytest

from tests.conftest import draw_sheets


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Folder of eight sheets, which no test changes."""
    return draw_sheets(tmp_path_factory.mktemp("data"))
