import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from steel_defect_detection.errors import MissingExtraError
from steel_defect_detection.runtimes.onnx_network import OnnxNetwork

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")


def doubling() -> bytes:
    """A network of one layer: the sum of what it is given with itself."""
    kind = onnx.TensorProto.FLOAT
    ports = [onnx.helper.make_tensor_value_info(name, kind, ["n", 3]) for name in ("images", "sum")]
    node = onnx.helper.make_node("Add", ["images", "images"], ["sum"])
    graph = onnx.helper.make_graph([node], "doubling", ports[:1], ports[1:])
    opset = onnx.helper.make_opsetid("", 18)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()


@pytest.mark.parametrize("threads", [0, 1])
def test_arrays_go_in_and_out_by_name(threads):
    network = OnnxNetwork(doubling(), threads=threads)
    found = network.run({"images": np.ones((2, 3), dtype=np.float32), "unwanted": np.zeros(1)})
    assert list(found) == ["sum"]
    assert found["sum"].tolist() == [[2, 2, 2], [2, 2, 2]]


def test_threads_get_their_own_answers():
    network = OnnxNetwork(doubling(), threads=1)
    images = [np.full((1, 3), number, dtype=np.float32) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda image: network.run({"images": image})["sum"], images))
    assert all((array == 2 * number).all() for number, array in enumerate(found))


def test_without_the_library_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"steel-defect-detection\[onnx\]"):
        OnnxNetwork(doubling())
