"""A running server."""

import pytest

from tests.web import serving


@pytest.fixture(scope="module")
def address():
    """Where a server with few rights and a toy predictor listens."""
    with serving.running(serving.bright_app()) as where:
        yield where
