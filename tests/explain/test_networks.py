from collections import Counter

import pytest
import torch
from torch import nn
from torch.nn import functional

from steel_defect_detection.errors import ExplanationError
from steel_defect_detection.explain import networks
from tests.explain import toys

WITH_RELU = ["resnet18", "mobilenet_v2", "shufflenet_v2"]
PIXELS = torch.from_numpy(toys.noise(64, 96))[None].float()


def run(graph):
    return graph.logits(PIXELS.clone().requires_grad_())


def everything(graph):
    return run(graph).sum()


@pytest.mark.parametrize(
    ("encoder", "method"),
    [
        *((encoder, method) for encoder in WITH_RELU for method in ("guided-backprop", "deeplift")),
        ("vgg16", "deeplift"),
        ("resnet50", "saliency"),
        ("efficientnet-b0", "saliency"),
    ],
)
def test_a_copy_says_the_same_and_calls_no_activation_twice(encoder, method):
    graph = toys.real(encoder).graph
    before = [type(layer) for layer in graph.modules()]
    made = networks.prepared(graph, method, everything)
    assert torch.allclose(run(made), run(graph), rtol=1e-5, atol=1e-5)
    assert [type(layer) for layer in graph.modules()] == before
    calls = Counter()
    for layer in made.modules():
        if not list(layer.children()) and not list(layer.parameters()):
            layer.register_forward_hook(lambda layer, *_: calls.update([layer]))
    run(made)
    assert set(calls.values()) == {1}
    assert not any(getattr(layer, "inplace", False) for layer in made.modules())


def test_the_original_calls_an_activation_twice():
    # Or else the test above would prove nothing.
    graph = toys.real("resnet18").graph
    calls = []
    graph.network.network.layer1[0].relu.register_forward_hook(lambda *_: calls.append(1))
    run(graph)
    assert len(calls) == 2


@pytest.mark.parametrize("kind", ["guided-backprop", "deeplift"])
@pytest.mark.parametrize("part", ["classifier", "segmenter"])
def test_networks_with_swish_and_gates_are_refused(part, kind):
    graph = toys.real("efficientnet-b0", part).graph
    text = (
        f"^{kind} is defined for networks whose activations are all ReLU or ReLU6, and this one "
        r"has Sigmoid, Silu\. Use integrated-gradients, saliency or grad-cam$"
    )
    with pytest.raises(ExplanationError, match=text):
        networks.prepared(graph, kind, everything)


class Hidden(nn.Module):
    """A ReLU that is no layer."""

    def forward(self, maps):
        return functional.relu(maps)


def test_a_relu_that_no_hook_reaches_is_refused():
    encoder = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1), Hidden())
    graph = toys.classifier(encoder, toys.Summed()).graph
    with pytest.raises(ExplanationError, match="guided-backprop reaches 1 of the 2 ReLUs of this"):
        networks.prepared(graph, "guided-backprop", everything)


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.MaxPool2d((2, 3), stride=1),
        nn.MaxPool2d(3, stride=2, dilation=2),
        nn.MaxPool2d(3, ceil_mode=True),
    ],
    ids=str,
)
def test_max_pooling_made_of_relus_gives_the_same(pool):
    graph = toys.classifier(nn.Sequential(nn.Conv2d(1, 2, 1), pool), toys.Summed()).graph
    made = networks.prepared(graph, "deeplift", everything)
    torch.testing.assert_close(run(made), run(graph))


@pytest.mark.parametrize(
    ("encoder", "part", "channels"),
    [
        ("resnet18", "classifier", 512),
        ("mobilenet_v2", "classifier", 1280),
        ("shufflenet_v2", "classifier", 1024),
        ("efficientnet-b0", "classifier", 1280),
        ("resnet18", "segmenter", 512),
        ("efficientnet-b0", "segmenter", 320),
    ],
)
def test_the_last_stage_is_the_coarsest_with_all_its_channels(encoder, part, channels):
    made = networks.prepared(toys.real(encoder, part).graph, "grad-cam", everything)
    stage = networks.last_stage(made, run)
    seen = []
    stage.register_forward_hook(lambda _, __, output: seen.append(output.shape))
    run(made)
    # 64 x 96 pixels, halved five times.
    assert seen == [(1, channels, 2, 3)]


def test_an_image_that_leaves_a_single_pixel_has_no_last_stage():
    encoder = nn.Sequential(nn.Conv2d(1, 2, 32, stride=32))
    graph = toys.classifier(encoder, toys.Summed()).graph
    with pytest.raises(ExplanationError, match="so small that the encoder's last stage has a"):
        networks.last_stage(graph, lambda graph: graph.logits(PIXELS[:, :32, :32]))
