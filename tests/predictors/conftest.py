"""Predictors with random weights, and runtimes that answer what a test tells them."""

import numpy as np
import pytest
import torch

from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import Preprocessing
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime


class FixedRuntime:
    """Answers the same for every image and counts how often it was asked."""

    def __init__(self, **answers: np.ndarray) -> None:
        self.name = "fixed"
        self.parallel = 2
        self.precision = "bfloat16"
        self.preprocessing = Preprocessing(channels=3)
        self.answers = answers
        self.calls = 0

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        self.calls += 1
        return {name: answer[None] for name, answer in self.answers.items()}


def runtime_of(config) -> PyTorchRuntime:
    torch.manual_seed(0)
    return PyTorchRuntime(config, weights.arrays(graphs.build(config)), device="cpu")


@pytest.fixture(scope="session")
def gate_runtime(gate_config) -> PyTorchRuntime:
    return runtime_of(gate_config)


@pytest.fixture(scope="session")
def segmenter_runtime(segmenter_config) -> PyTorchRuntime:
    return runtime_of(segmenter_config)
