"""A clustering that several tests look at."""

import pytest

from steel_defect_detection.clustering import cluster
from tests.clustering import drawn


@pytest.fixture(scope="session")
def crops(tmp_path_factory):
    """Folder of drawn crops, which no test changes."""
    return drawn.crops(tmp_path_factory.mktemp("crops"))


@pytest.fixture(scope="session")
def finished(crops, tmp_path_factory):
    """Its clustering, which no test changes."""
    return cluster(crops, tmp_path_factory.mktemp("clusters"), drawn.QUICK, truth=True)


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of its folder, to be changed."""
    import shutil

    return shutil.copytree(finished.output, tmp_path / "copied")
