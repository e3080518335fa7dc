import numpy as np
import pytest
import torch
from torch import Tensor, nn

from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models.config import (
    ClassifierConfig,
    GraphConfig,
    SegmenterConfig,
    TwoHeadConfig,
)
from steel_defect_detection.models.stages import Watch, statistics

SIDE = 64
HALVES = [32, 16, 8, 4, 2]


def pixels(batch: int = 1) -> Tensor:
    random = np.random.default_rng(0)
    return torch.from_numpy(random.integers(0, 256, (batch, SIDE, SIDE, 1), dtype=np.uint8))


def built(network, **settings) -> graphs.Graph:
    torch.manual_seed(0)
    return graphs.build(GraphConfig(network=network, **settings)).eval()


def classifier(encoder: str, **settings) -> graphs.Graph:
    return built(ClassifierConfig(encoder=encoder, classes=("a", "b"), **settings))


def seen_by(graph: graphs.Graph, images: Tensor) -> list[Tensor]:
    with torch.inference_mode(), Watch(graph.network)() as seen:
        graph(images)
    return seen


def heights(graph: graphs.Graph) -> list[int]:
    seen = seen_by(graph, pixels())
    assert all(stage.shape[2] == stage.shape[3] for stage in seen)
    return [stage.shape[2] for stage in seen]


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        # The last layers of these widen the channels once more at the same size.
        ("efficientnet-b0", [*HALVES, 2]),
        # Its quarter is only pooled, no layer of its own looks at it.
        ("shufflenet_v2", [32, 8, 4, 2, 2]),
        ("mobilenet_v2", HALVES),
        ("resnet18", HALVES),
        ("resnet50", HALVES),
        ("vgg16", [SIDE, *HALVES]),
    ],
)
def test_a_classifier_has_a_stage_for_each_size_of_its_encoder(encoder, expected):
    assert heights(classifier(encoder)) == expected


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        ("efficientnet-b1", [SIDE, *HALVES[:4], 4]),
        ("shufflenet_v2", [SIDE, *HALVES[:3], 8]),
        ("mobilenet_v2", [SIDE, *HALVES[:4]]),
        ("resnet34", [SIDE, SIDE, *HALVES[:3]]),
    ],
)
def test_a_small_stem_leaves_the_first_stage_whole(encoder, expected):
    assert heights(classifier(encoder, stem="small")) == expected


@pytest.mark.parametrize(
    "encoder",
    ["efficientnet-b0", "resnet18", "vgg11", "mobileone_s0", "densenet121", "xception"],
)
@pytest.mark.parametrize("kind", [SegmenterConfig, TwoHeadConfig])
def test_networks_that_outline_have_a_stage_for_each_halving(kind, encoder):
    assert heights(built(kind(encoder=encoder, classes=("a",)))) == HALVES


def test_the_half_of_a_shared_backbone_that_sees_images_has_the_stages_of_the_whole():
    network = TwoHeadConfig(encoder="resnet18", classes=("a",))
    whole, gate = built(network), built(network, part="gate")
    gate.network.network.encoder.load_state_dict(whole.network.network.encoder.state_dict())
    ours, theirs = seen_by(gate, pixels()), seen_by(whole, pixels())
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("encoder", ["efficientnet-b0", "resnet18", "shufflenet_v2"])
def test_every_stage_moves_with_the_image(encoder):
    graph = classifier(encoder)
    # Weights at their start let next to nothing through.
    for layer in graph.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.train()
    one, other = (statistics(seen_by(graph, images)) for images in (pixels(), 255 - pixels()))
    sizes = [2 * stage.shape[1] for stage in seen_by(graph, pixels())]
    for ours, theirs in zip(one.split(sizes, dim=1), other.split(sizes, dim=1), strict=True):
        assert not torch.allclose(ours, theirs, rtol=1e-3)


@pytest.mark.parametrize("encoder", ["efficientnet-b0", "mobilenet_v2"])
def test_numbers_of_an_image_do_not_depend_on_the_batch(encoder):
    graph = classifier(encoder)
    together = statistics(seen_by(graph, pixels(batch=3)))
    for number, image in enumerate(pixels(batch=3)):
        alone = statistics(seen_by(graph, image[None]))
        assert torch.allclose(alone[0], together[number], rtol=1e-4, atol=1e-5)


def test_statistics_are_means_and_deviations_of_each_channel_stage_by_stage():
    random = np.random.default_rng(0)
    stages = [
        random.normal(5, 3, (2, channels, *shape)).astype(np.float32)
        for channels, shape in ((3, (8, 12)), (4, (4, 6)))
    ]
    found = statistics([torch.from_numpy(stage) for stage in stages])
    expected = [
        part for stage in stages for part in (stage.mean(axis=(2, 3)), stage.std(axis=(2, 3)))
    ]
    assert found.shape == (2, 2 * 3 + 2 * 4)
    assert np.allclose(found.numpy(), np.concatenate(expected, axis=1), rtol=1e-5)


def test_statistics_of_coarse_numbers_are_computed_in_float32():
    # 300 squared is above what float16 holds, and 257 lies between two numbers of bfloat16.
    large = torch.tensor([-300.0, 300.0]).half().reshape(1, 1, 1, 2)
    fine = torch.tensor([256.0, 258.0]).bfloat16().reshape(1, 1, 1, 2)
    found = statistics([large, fine])
    assert found.dtype == torch.float32
    assert found[0].tolist() == pytest.approx([0, 300, 257, 1], rel=1e-5)


def test_a_constant_channel_has_a_deviation_near_0_and_a_slope():
    stage = torch.full((1, 1, 4, 4), 7.0, requires_grad=True)
    found = statistics([stage])
    found.sum().backward()
    assert found[0].tolist() == pytest.approx([7, 0], abs=2e-3)
    assert torch.isfinite(stage.grad).all()


def hooks(network: nn.Module) -> int:
    return sum(len(layer._forward_hooks) for layer in network.modules())


@pytest.mark.parametrize("network", [ClassifierConfig, SegmenterConfig], ids=["name", "outline"])
def test_nothing_watches_afterwards_even_after_an_error(network):
    graph = built(network(encoder="resnet18", classes=("a",)))
    watch = Watch(graph.network)
    with torch.inference_mode(), watch() as seen:
        assert hooks(graph) > 0
        graph(pixels())
    count = len(seen)
    with torch.inference_mode():
        graph(pixels())
    assert (hooks(graph), len(seen)) == (0, count)
    with pytest.raises(ZeroDivisionError), watch():
        raise ZeroDivisionError
    assert hooks(graph) == 0


def test_a_network_can_be_watched_again_and_starts_anew():
    graph = classifier("resnet18")
    watch = Watch(graph.network)
    with torch.inference_mode():
        for _ in range(2):
            with watch() as seen:
                graph(pixels())
            assert len(seen) == len(HALVES)
