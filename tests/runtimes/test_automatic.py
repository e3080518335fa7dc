"""The engine that is chosen unasked."""

from functools import partial

import numpy as np
import pytest

from steel_defect_detection.errors import ConversionError
from steel_defect_detection.runtimes import automatic, convert_openvino
from steel_defect_detection.runtimes.automatic import AutomaticRuntime
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime
from tests.runtimes.contract import GRAPHS, IMAGES, RuntimeContract, tensors_of

CONFIG = GRAPHS["grey classifier at half size"]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache folder for this test alone."""
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "cache"))


class TestAutomatic(RuntimeContract):
    make = partial(AutomaticRuntime, precision="float32")


@pytest.fixture
def tensors():
    return tensors_of(CONFIG)


def of_height(height: int) -> np.ndarray:
    return IMAGES[:1, :height]


def test_two_sizes_are_converted_and_further_ones_only_when_many_come(
    tensors, monkeypatch, own_cache
):
    monkeypatch.setattr(automatic, "_CONVERTED_AFTER", 3)
    made = []
    real = convert_openvino.convert

    def counted(config, tensors, inputs):
        made.append(inputs["images"].shape[1])
        return real(config, tensors, inputs)

    monkeypatch.setattr(convert_openvino, "convert", counted)
    runtime = AutomaticRuntime(CONFIG, tensors)
    for height in (32, 33, 34, 35, 32, 33):
        runtime.run(of_height(height))
    assert made == [32, 33]
    assert set(runtime.name.split(" + ")) > {"pytorch cpu float32"}
    for _ in range(3):
        runtime.run(of_height(34))
    assert made == [32, 33, 34]
    # Known from now on, so a new start takes it at once, whatever came before.
    again = AutomaticRuntime(CONFIG, tensors)
    for height in (36, 37, 34):
        again.run(of_height(height))
    assert made == [32, 33, 34, 36, 37]
    assert "pytorch" not in again.name


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
