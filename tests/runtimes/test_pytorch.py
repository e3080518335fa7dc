import numpy as np
import pytest
import torch

from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime, find_device
from tests.runtimes.contract import RuntimeContract

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 40, 70, 3), dtype=np.uint8)


def runtime(config, **settings) -> PyTorchRuntime:
    torch.manual_seed(0)
    return PyTorchRuntime(config, weights.arrays(graphs.build(config)), **settings)


class TestPyTorch(RuntimeContract):
    make = PyTorchRuntime


def test_a_classifier_gives_named_probabilities(gate_config):
    output = runtime(gate_config).run(IMAGES)
    assert {name: array.shape for name, array in output.items()} == {
        "probabilities": (2, 4),
        "defect_probability": (2,),
    }
    assert all(array.dtype == np.float32 for array in output.values())


def test_a_segmenter_gives_a_probability_for_each_pixel(segmenter_config):
    output = runtime(segmenter_config).run(IMAGES)
    assert output["probabilities"].shape == (2, 4, 40, 70)
    assert output["probabilities"].dtype == np.float32


def test_the_runtime_says_what_the_graph_says(segmenter_config):
    torch.manual_seed(0)
    graph = graphs.build(segmenter_config).eval()
    with torch.inference_mode():
        expected = graph(torch.from_numpy(IMAGES))[0].numpy()
    found = PyTorchRuntime(segmenter_config, weights.arrays(graph)).run(IMAGES)["probabilities"]
    assert np.allclose(found, expected, atol=1e-5)


def test_bfloat16_is_close_to_float32(segmenter_config):
    full = runtime(segmenter_config).run(IMAGES)["probabilities"]
    low = runtime(segmenter_config, precision="bfloat16").run(IMAGES)["probabilities"]
    assert np.abs(full - low).max() < 0.05
    assert "bfloat16" in runtime(segmenter_config, precision="bfloat16").name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_cuda_says_what_the_processor_says(segmenter_config):
    here = runtime(segmenter_config, device="cpu").run(IMAGES)["probabilities"]
    there = runtime(segmenter_config, device="cuda", precision="float32").run(IMAGES)
    assert np.allclose(here, there["probabilities"], atol=1e-3)


def test_auto_takes_a_cuda_device_where_there_is_one():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert find_device("auto").type == expected
