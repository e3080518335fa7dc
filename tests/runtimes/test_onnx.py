"""ONNX Runtime, converted once and kept."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from steel_defect_detection.errors import DeviceError, InferenceError, MissingExtraError
from steel_defect_detection.runtimes import convert_onnx
from steel_defect_detection.runtimes.onnx import OnnxRuntime
from tests.runtimes.contract import GRAPHS, IMAGES, RuntimeContract, tensors_of

CONFIG = GRAPHS["grey classifier at half size"]


@pytest.fixture(scope="module")
def common_cache(tmp_path_factory):
    """Converting takes seconds: what one test of the contract has converted serves the others."""
    return tmp_path_factory.mktemp("cache")


class TestOnnx(RuntimeContract):
    make = OnnxRuntime

    @pytest.fixture(autouse=True)
    def _share(self, common_cache, monkeypatch):
        monkeypatch.setenv("SDD_CACHE", str(common_cache))


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache folder for this test alone."""
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def conversions(monkeypatch, own_cache):
    """The conversions that were made, which still are made."""
    made = []
    real = convert_onnx.convert

    def counted(config, tensors, inputs):
        made.append({name: array.shape for name, array in inputs.items()})
        return real(config, tensors, inputs)

    monkeypatch.setattr(convert_onnx, "convert", counted)
    return made


def test_a_network_is_converted_once_for_each_size(conversions):
    tensors = tensors_of(CONFIG)
    first = OnnxRuntime(CONFIG, tensors).run(IMAGES)
    again = OnnxRuntime(CONFIG, tensors).run(IMAGES)
    assert len(conversions) == 1
    assert np.array_equal(first["probabilities"], again["probabilities"])
    OnnxRuntime(CONFIG, tensors).run(IMAGES[:, :32])
    assert len(conversions) == 2


def test_other_weights_are_another_network(conversions):
    tensors = tensors_of(CONFIG)
    first = OnnxRuntime(CONFIG, tensors).run(IMAGES)
    other = OnnxRuntime(CONFIG, tensors | {"fc.bias": tensors["fc.bias"] + 1}).run(IMAGES)
    assert len(conversions) == 2
    assert not np.allclose(first["probabilities"], other["probabilities"])


def test_threads_may_run_it_at_the_same_time(conversions):
    runtime = OnnxRuntime(CONFIG, tensors_of(CONFIG), threads=1)
    images = [np.roll(IMAGES, shift, axis=2) for shift in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: runtime.run(image)["probabilities"], images))
    assert len(conversions) == 1
    for image, array in zip(images, found, strict=True):
        assert np.array_equal(runtime.run(image)["probabilities"], array)


def test_a_broken_conversion_is_refused_and_not_kept(monkeypatch, own_cache):
    honest = convert_onnx.to_onnx

    def broken(graph, inputs):
        graph.network.network.fc.bias.data += 1  # as if a layer had been converted wrongly
        return honest(graph, inputs)

    monkeypatch.setattr(convert_onnx, "to_onnx", broken)
    with pytest.raises(InferenceError, match="differs from PyTorch: probabilities by"):
        OnnxRuntime(CONFIG, tensors_of(CONFIG)).run(IMAGES)
    assert not list(own_cache.glob("*"))


def test_a_network_that_cannot_be_converted_is_one_line(monkeypatch, own_cache):
    def refuse(*_arguments, **_settings):
        raise TypeError("no rule\nfor this layer")

    monkeypatch.setattr("torch.onnx.export", refuse)
    with pytest.raises(InferenceError, match=r"resnet18 cannot be converted: no rule for this la"):
        OnnxRuntime(CONFIG, tensors_of(CONFIG)).run(IMAGES)


def test_another_precision_is_refused():
    with pytest.raises(DeviceError, match="must be auto or float32 on ONNX Runtime, got 'bfloat"):
        OnnxRuntime(CONFIG, tensors_of(CONFIG), precision="bfloat16")


def test_without_the_extra_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"steel-defect-detection\[onnx\]\""):
        OnnxRuntime(CONFIG, tensors_of(CONFIG))
