import ctypes

import pytest

from steel_defect_detection.errors import ConfigError, DeviceError
from steel_defect_detection.runtimes.automatic import AutomaticRuntime
from steel_defect_detection.runtimes.choose import choose
from steel_defect_detection.runtimes.onnx import OnnxRuntime
from steel_defect_detection.runtimes.openvino import OpenVINORuntime
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime
from tests.runtimes.contract import GRAPHS, tensors_of

CONFIG = GRAPHS["grey classifier at half size"]


@pytest.fixture(scope="module")
def tensors():
    return tensors_of(CONFIG)


@pytest.mark.parametrize(
    ("engine", "kind"), [("pytorch", PyTorchRuntime), ("openvino", OpenVINORuntime)]
)
def test_an_engine_that_is_named_runs_the_graph(tensors, engine, kind):
    assert type(choose(CONFIG, tensors, engine=engine, device="cpu")) is kind


def test_onnx_runs_the_graph_where_it_is_installed(tensors):
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    assert type(choose(CONFIG, tensors, engine="onnx")) is OnnxRuntime


def test_on_the_processor_the_choice_is_left_to_what_pays(tensors):
    assert type(choose(CONFIG, tensors, device="cpu", threads=2)) is AutomaticRuntime


@pytest.mark.parametrize("asked", ["auto", "bfloat16"])
@pytest.mark.parametrize("engine", ["pytorch", "auto"])
def test_distances_are_computed_exactly_unless_somebody_asks_for_less(asked, engine, monkeypatch):
    monkeypatch.setattr("steel_defect_detection.runtimes.openvino.has_bfloat16", lambda: True)
    config = GRAPHS["distances to centroids"]
    runtime = choose(config, tensors_of(config), engine=engine, device="cpu", precision=asked)
    assert runtime.precision == ("float32" if asked == "auto" else asked)


class Driver:
    """A driver of CUDA that sees one device."""

    def cuInit(self, _flags):  # noqa: N802 -- CUDA's own name
        return 0

    def cuDeviceGetCount(self, count):  # noqa: N802 -- CUDA's own name
        count._obj.value = 1
        return 0


@pytest.mark.parametrize(("pytorch_sees_it", "kind"), [(False, AutomaticRuntime), (True, None)])
def test_a_device_counts_only_if_pytorch_sees_it_too(tensors, monkeypatch, pytorch_sees_it, kind):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Driver())
    monkeypatch.setattr("torch.cuda.is_available", lambda: pytorch_sees_it)
    if kind is None:  # and then PyTorch is taken, which wants no number of threads
        with pytest.raises(ConfigError, match="threads is not for PyTorch, got 2"):
            choose(CONFIG, tensors, threads=2)
    else:
        assert type(choose(CONFIG, tensors, threads=2)) is kind


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"engine": "tpu"}, ConfigError, "must be auto, pytorch, openvino or onnx, got 'tpu'"),
        ({"engine": "openvino", "device": "cuda"}, DeviceError, "OpenVINO runs on the processor"),
        ({"engine": "onnx", "device": "cuda"}, DeviceError, "ONNX Runtime runs on the processor"),
        ({"threads": -1}, ConfigError, "threads must be 0 or more, got -1"),
        ({"engine": "pytorch", "threads": 2}, ConfigError, "threads is not for PyTorch, got 2"),
        ({"device": "toaster"}, DeviceError, "device must be 'auto', 'cpu' or 'cuda', got 'toas"),
        ({"device": "cpu", "precision": "float16"}, DeviceError, "needs a CUDA device"),
        ({"precision": "f8"}, DeviceError, "precision must be"),
    ],
)
def test_what_cannot_run_is_refused(tensors, settings, error, message):
    with pytest.raises(error, match=message):
        choose(CONFIG, tensors, **settings)
