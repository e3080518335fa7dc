"""The engine that is chosen unasked."""

from functools import partial
from typing import ClassVar

import numpy as np
import pytest

from steel_defect_detection.errors import ConversionError
from steel_defect_detection.runtimes import automatic, convert_openvino
from steel_defect_detection.runtimes.automatic import AutomaticRuntime
from steel_defect_detection.runtimes.converted import MOST_SIZES
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime
from tests.runtimes.contract import GRAPHS, IMAGES, RuntimeContract, tensors_of

CONFIG = GRAPHS["grey classifier at half size"]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache folder for this test alone."""
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "cache"))


class TestAutomatic(RuntimeContract):
    """On PyTorch; what OpenVINO says, its own tests tell."""

    make = partial(AutomaticRuntime, precision="float32")

    @pytest.fixture(autouse=True)
    def _nothing_is_converted(self, monkeypatch):
        monkeypatch.setattr(automatic, "_CONVERTED_AT_ONCE", 0)


class Converting:
    """Stands for OpenVINO: notes what is converted, and knows it at the next start."""

    name = "openvino cpu float32"
    precision = "float32"
    parallel = 2
    kept: ClassVar[list[int]] = []

    def __init__(self, config, tensors, *, precision, threads):
        self._pytorch = PyTorchRuntime(config, tensors, device="cpu")

    def knows(self, images, **_features):
        return images.shape[1] in self.kept

    def run(self, images):
        if images.shape[1] not in self.kept:
            self.kept.append(images.shape[1])
        return self._pytorch.run(images)


@pytest.fixture
def tensors():
    return tensors_of(CONFIG)


def of_height(height: int) -> np.ndarray:
    return IMAGES[:1, :height]


@pytest.fixture
def kept(monkeypatch):
    """Heights of the images that a network was converted for, in order."""
    monkeypatch.setattr(automatic, "OpenVINORuntime", Converting)
    monkeypatch.setattr(Converting, "kept", [])
    return Converting.kept


def test_two_sizes_are_converted_and_further_ones_only_when_many_come(tensors, monkeypatch, kept):
    monkeypatch.setattr(automatic, "_CONVERTED_AFTER", 3)
    runtime = AutomaticRuntime(CONFIG, tensors)
    for height in (32, 33, 34, 35, 32, 33):
        runtime.run(of_height(height))
    assert kept == [32, 33]
    assert set(runtime.name.split(" + ")) == {"openvino cpu float32", "pytorch cpu float32"}
    for _ in range(3):
        runtime.run(of_height(34))
    assert kept == [32, 33, 34]
    # Known from now on, so a new start takes it at once, whatever came before.
    again = AutomaticRuntime(CONFIG, tensors)
    for height in (36, 37, 34):
        again.run(of_height(height))
    assert kept == [32, 33, 34, 36, 37]
    assert "pytorch" not in again.name


def test_more_sizes_than_are_held_ready_go_to_pytorch(tensors, kept):
    kept += range(20, 40)
    runtime = AutomaticRuntime(CONFIG, tensors)
    for height in range(20, 20 + MOST_SIZES):
        runtime.run(of_height(height))
    assert runtime.name == "openvino cpu float32"
    runtime.run(of_height(39))
    assert "pytorch" in runtime.name


def test_a_network_that_cannot_be_converted_runs_on_pytorch(tensors, monkeypatch, own_cache):
    asked = []

    def refuse(*_arguments):
        asked.append(1)
        raise ConversionError("no rule for this layer")

    monkeypatch.setattr(convert_openvino, "convert", refuse)
    runtime = AutomaticRuntime(CONFIG, tensors)
    expected = PyTorchRuntime(CONFIG, tensors, device="cpu").run(IMAGES)
    for _ in range(2):
        found = runtime.run(IMAGES)
        assert np.array_equal(found["probabilities"], expected["probabilities"])
    assert len(asked) == 1
    assert runtime.name == "pytorch cpu float32"


def test_it_says_what_it_will_be_before_it_has_run(tensors):
    assert AutomaticRuntime(CONFIG, tensors, precision="float32").name == "openvino cpu float32"
