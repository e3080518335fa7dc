"""Fixtures: small strips drawn by code, and small networks."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from steel_defect_detection import images, rle
from steel_defect_detection.models.config import (
    ClassifierConfig,
    GraphConfig,
    Preprocessing,
    SegmenterConfig,
)
from tests.download.server import Server

# How long an example takes says more about the machine than about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

CLASSES = ("defect_1", "defect_2", "defect_3", "defect_4")


@pytest.fixture(scope="session", autouse=True)
def no_cache_of_the_user(tmp_path_factory):
    """Converted networks are kept for this session, and none of the user's are read."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # what one process has converted serves the others
        place = place.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDD_CACHE", str(place / "cache"))
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real images; tests that need it skip without it."""
    folder = Path(os.environ.get("SDD_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images in {folder}; set SDD_DATA to their folder")
    return folder


def draw_sheets(folder: Path) -> Path:
    """Draw eight grey sheets of 64 x 96; every other one has a bright square of class 3."""
    random = np.random.default_rng(0)
    rows = ["ImageId,ClassId,EncodedPixels"]
    for number in range(8):
        image = random.integers(60, 100, size=(64, 96, 1), dtype=np.uint8)
        if number % 2:
            mask = np.zeros((64, 96), dtype=np.bool_)
            mask[16:48, 24:56] = True
            image[mask] = 220
            rows.append(f"sheet-{number}.png,3,{rle.encode(mask)}")
        images.write(folder / "train_images" / f"sheet-{number}.png", image)
    (folder / "train.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def tiny_severstal(tmp_path) -> Path:
    """A folder of eight sheets in the layout of the competition."""
    return draw_sheets(tmp_path / "severstal")


@pytest.fixture(scope="session")
def gate_config() -> GraphConfig:
    """The smallest gate there is."""
    return GraphConfig(network=ClassifierConfig(classes=CLASSES), preprocessing=Preprocessing())


@pytest.fixture(scope="session")
def segmenter_config() -> GraphConfig:
    """The smallest segmenter there is."""
    return GraphConfig(network=SegmenterConfig(classes=CLASSES), preprocessing=Preprocessing())


@pytest.fixture
def server():
    """An HTTP server on this machine."""
    with Server() as running:
        running.start()
        yield running
        running.shutdown()
