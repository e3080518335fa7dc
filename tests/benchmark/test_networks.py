import numpy as np
import pytest
import torch
from torch import nn

from steel_defect_detection import checkpoints
from steel_defect_detection.benchmark import networks, topologies
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.predictors.load import load_predictor

PICTURES = list(np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), dtype=np.uint8))


def flop_by_hand(graph, image) -> int:
    """Of all convolutions and linear layers, from the shapes that pass them."""
    found = []

    def note(layer, _inputs, output):
        per_output = layer.weight.numel() / layer.weight.shape[0]
        found.append(2 * output.numel() * per_output)

    for layer in graph.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(note)
    with torch.inference_mode():
        graph.eval()(image)
    return int(sum(found))


def test_a_classifier_has_the_work_that_its_shapes_say(cascade):
    config = checkpoints.load(cascade).header.graphs["classifier"]
    work = networks.count(config, (64, 96))
    graph = graphs.build(config)
    assert work.flop == flop_by_hand(graph, torch.zeros(1, 64, 96, 3, dtype=torch.uint8))
    assert work.parameters == sum(weight.numel() for weight in graph.parameters())


def test_the_halves_of_a_shared_backbone_work_as_much_as_two_heads(cascade):
    found = topologies.of(checkpoints.load(cascade))
    assert list(found) == ["cascade", "two_head", "shared_backbone"]
    flop = {
        name: sum(networks.count(config, (64, 96)).flop for config in model.header.graphs.values())
        for name, model in found.items()
    }
    assert flop["two_head"] == flop["shared_backbone"] < flop["cascade"]


@pytest.mark.parametrize(
    ("topology", "names"),
    [
        ("cascade", ["gate", "segmenter"]),
        ("two_head", ["two_head"]),
        ("shared_backbone", ["encoder_gate", "decoder"]),
    ],
)
def test_each_network_of_a_topology_is_measured(cascade, topology, names):
    model = topologies.of(checkpoints.load(cascade))[topology]
    predictor = load_predictor(model, runtime="pytorch", precision="float32", device="cpu")
    work = [networks.count(config, (64, 96)) for config in model.header.graphs.values()]
    found = networks.measure(predictor, PICTURES, work, repeats=2)
    assert list(found) == names
    for row, task in zip(found.values(), work, strict=True):
        assert row["gflop"] == task.flop / 1e9
        assert row["images_per_second"] > 0
        assert row["runtime"] == "pytorch cpu float32"


@pytest.mark.parametrize(("flips", "times"), [("vertical", 2), ("both", 4)])
def test_with_flips_a_network_has_several_times_the_work(cascade, flips, times):
    model = topologies.of(checkpoints.load(cascade))["shared_backbone"]
    work = [networks.count(config, (64, 96)) for config in model.header.graphs.values()]
    predictor = load_predictor(model, runtime="pytorch", device="cpu", flips=flips)
    found = networks.measure(predictor, PICTURES, work, repeats=1)
    for row, task in zip(found.values(), work, strict=True):
        assert row["gflop"] == times * task.flop / 1e9


def test_a_model_that_is_no_cascade_stands_alone(cascade):
    two_head = topologies.of(checkpoints.load(cascade))["two_head"]
    assert list(topologies.of(two_head)) == ["two_head"]
