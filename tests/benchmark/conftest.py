"""A cascade of small networks with random weights, whose gate never fires, and grey strips."""

import numpy as np
import pytest
import torch

from steel_defect_detection import checkpoints, images
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


@pytest.fixture(scope="session")
def cascade(tmp_path_factory):
    """File of the cascade."""
    torch.manual_seed(0)
    seen = Preprocessing(channels=1)
    configs = {
        "classifier": GraphConfig(
            network=ClassifierConfig(classes=CLASSES, encoder="resnet18"), preprocessing=seen
        ),
        "segmenter": GraphConfig(
            network=SegmenterConfig(classes=CLASSES, encoder="resnet18"), preprocessing=seen
        ),
    }
    header = Header(
        architecture="cascade",
        graphs=configs,
        classes=CLASSES,
        thresholds=Thresholds.default(2).model_copy(update={"gate": 1.0}),
    )
    prefixes = {"classifier": "gate.", "segmenter": "segmenter."}
    tensors = {
        prefixes[kind] + name: tensor
        for kind, config in configs.items()
        for name, tensor in weights.arrays(graphs.build(config)).items()
    }
    path = tmp_path_factory.mktemp("model") / "cascade.safetensors"
    checkpoints.save(path, header, tensors)
    return path


@pytest.fixture(scope="session")
def strips(tmp_path_factory):
    """A folder of three grey strips, the last one bright."""
    folder = tmp_path_factory.mktemp("strips")
    random = np.random.default_rng(0)
    for number, brightness in enumerate((60, 70, 200)):
        image = random.integers(brightness, brightness + 40, (64, 96, 1), dtype=np.uint8)
        images.write(folder / f"strip-{number}.png", image)
    return folder
