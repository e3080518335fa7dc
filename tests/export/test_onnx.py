"""What an ONNX file says of itself can be read with the engine's own library."""

import pytest

from steel_defect_detection.export import onnx as form
from tests.export import toys


def test_onnx_files_say_it_in_their_metadata(described):
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    path = described("onnx")
    network = onnx.load(path)
    onnx.checker.check_model(network)
    assert {entry.key: entry.value for entry in network.metadata_props} == {
        "steel_defect_detection": toys.DESCRIPTION
    }
    assert form.inspect(path)[0] == toys.DESCRIPTION
