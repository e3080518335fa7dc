"""A cascade of small networks with random weights, whose gate never fires, and grey strips."""

import numpy as np
import pytest
import torch

from steel_defect_detection import checkpoints, images
from steel_defect_detection.benchmark.run import run
from steel_defect_detection.benchmark.settings import Settings
from steel_defect_detection.checkpoints import Header, Thresholds
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import (
    ClassifierConfig,
    GraphConfig,
    Preprocessing,
    SegmenterConfig,
)

CLASSES = ("pit", "scratch")

TINY = {
    "count": 8,
    "each": 2,
    "repeats": 1,
    "size": (64, 96),
    "runtimes": ("pytorch",),
    "precisions": ("float32", "float16"),
    "reference_images": 2,
    "mixes": ("clean",),
    "side": 64,
    "starts": 0,
}


@pytest.fixture(scope="session")
def cascade(tmp_path_factory):
    """File of the cascade."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("model")
    seen = Preprocessing(channels=1)
    networks = {
        "classifier": ClassifierConfig(classes=CLASSES, encoder="resnet18"),
        "segmenter": SegmenterConfig(classes=CLASSES, encoder="resnet18"),
    }
    thresholds = Thresholds.default(2).model_copy(update={"gate": 1.0})
    parts = []
    for kind, network in networks.items():
        config = GraphConfig(network=network, preprocessing=seen)
        header = Header(
            architecture=kind, graphs={kind: config}, classes=CLASSES, thresholds=thresholds
        )
        path = place / f"{kind}.safetensors"
        checkpoints.save(path, header, weights.arrays(graphs.build(config)))
        parts.append(checkpoints.load(path))
    joined = checkpoints.join(*parts)
    checkpoints.save(place / "cascade.safetensors", joined.header, joined.tensors)
    return place / "cascade.safetensors"


@pytest.fixture(scope="session")
def strips(tmp_path_factory):
    """A folder of three grey strips, the last one bright."""
    folder = tmp_path_factory.mktemp("strips")
    random = np.random.default_rng(0)
    for number, brightness in enumerate((60, 70, 200)):
        image = random.integers(brightness, brightness + 40, (64, 96, 1), dtype=np.uint8)
        images.write(folder / f"strip-{number}.png", image)
    return folder


@pytest.fixture(scope="session")
def found(cascade, strips):
    """What a small benchmark finds."""
    return run(Settings(model=str(cascade), images=strips, **TINY))
