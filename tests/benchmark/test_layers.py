import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from steel_defect_detection import checkpoints
from steel_defect_detection.benchmark import layers, networks
from steel_defect_detection.benchmark.layers import Layer
from steel_defect_detection.benchmark.machine import Peaks
from steel_defect_detection.runtimes.convert_openvino import convert


@pytest.mark.parametrize(
    ("kind", "layer", "weights"),
    [
        ("Convolution", nn.Conv2d(8, 12, (3, 5), stride=2), (12, 8, 3, 5)),
        ("Convolution", nn.Conv2d(8, 12, 3, groups=4), (4, 3, 2, 3, 3)),
        ("Convolution", nn.Conv2d(8, 8, 3, groups=8), (8, 1, 1, 3, 3)),
        ("Deconvolution", nn.ConvTranspose2d(8, 6, 4, stride=2), (8, 6, 4, 4)),
        ("FullyConnected", nn.Linear(20, 7), (7, 20)),
    ],
)
def test_a_layer_has_the_work_that_pytorch_counts(kind, layer, weights):
    image = torch.zeros(1, 20) if kind == "FullyConnected" else torch.zeros(1, 8, 16, 24)
    with FlopCounterMode(display=False) as counter:
        output = layer(image)
    found = layers.flop_of(kind, [tuple(image.shape), weights], tuple(output.shape))
    assert found == counter.get_total_flops()


def test_what_is_no_product_has_no_work():
    assert layers.flop_of("Eltwise", [(1, 8), (1, 8)], (1, 8)) == 0
    assert layers.flop_of("Reorder", [(1, 8)], (1, 8)) == 0


def test_the_layers_that_lose_most_come_first():
    found = [
        Layer(name=name, kind="", code="", milliseconds=ms, flop=0, bytes_moved=0, bound_ms=bound)
        for name, ms, bound in [("near", 5.0, 4.5), ("far", 2.0, 0.5), ("none", 0.0, 0.0)]
    ]
    said = layers.report(found, "float32")
    assert said["share"] == pytest.approx(5 / 7)
    assert said["worst"][0]["name"] == "far"
    assert [layer["share"] for layer in said["layers"]] == [0.9, 0.25, None]


@pytest.mark.thorough
def test_the_layers_do_the_work_of_the_network(cascade):
    model = checkpoints.load(cascade)
    config = model.header.graphs["segmenter"]
    image = np.zeros((64, 96, 3), dtype=np.uint8)
    found = layers.measure(
        convert(config, model.weights("segmenter"), {"images": image[None]}),
        [image],
        Peaks(operations={"float32": 1e11}, bytes_per_second=1e10),
        precision="float32",
        threads=1,
        repeats=2,
    )
    counted = networks.count(config, (64, 96)).flop / 1e9
    assert found["gflop"] == pytest.approx(counted, rel=0.05)
    assert found["milliseconds"] > 0
    assert all(layer["bytes_moved"] > 0 for layer in found["layers"])
