"""ONNX Runtime, converted once and kept."""

import sys

import pytest

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from steel_defect_detection.errors import DeviceError, MissingExtraError
from steel_defect_detection.runtimes import convert_onnx
from steel_defect_detection.runtimes.onnx import OnnxRuntime
from tests.runtimes.contract import GRAPHS, tensors_of
from tests.runtimes.converted import ConvertedContract

CONFIG = GRAPHS["grey classifier at half size"]


# As thorough as that of OpenVINO, which is the usual engine.
@pytest.mark.thorough
class TestOnnx(ConvertedContract):
    make = OnnxRuntime
    converter = convert_onnx
    translate = "to_onnx"
    library = "torch.onnx.export"


def test_another_precision_is_refused():
    with pytest.raises(DeviceError, match="must be auto or float32 on ONNX Runtime, got 'bfloat"):
        OnnxRuntime(CONFIG, tensors_of(CONFIG), precision="bfloat16")


def test_without_the_extra_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"steel-defect-detection\[onnx\]\""):
        OnnxRuntime(CONFIG, tensors_of(CONFIG))
