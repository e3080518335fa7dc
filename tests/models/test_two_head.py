import pytest
import torch

from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import GraphConfig, Preprocessing, TwoHeadConfig

CLASSES = ("a", "b", "c")
IMAGES = torch.randint(0, 256, (2, 70, 100, 3), generator=torch.Generator().manual_seed(0)).byte()


def described(part: str = "all", **settings) -> GraphConfig:
    network = TwoHeadConfig(encoder="resnet18", classes=CLASSES, **settings)
    return GraphConfig(network=network, preprocessing=Preprocessing(scale=0.5), part=part)


def built(part: str = "all", **settings) -> graphs.TwoHeadGraph:
    torch.manual_seed(0)
    return graphs.build(described(part, **settings)).eval()


def halves(whole: graphs.TwoHeadGraph, **settings):
    """Both halves of a shared backbone, with the weights of the whole."""
    found = []
    for part in ("gate", "decoder"):
        half = built(part, **settings)
        names = set(weights.arrays(half))
        weights.restore(half, {k: v for k, v in weights.arrays(whole).items() if k in names})
        found.append(half)
    return found


@pytest.mark.parametrize("architecture", ["unet", "linknet"])
def test_one_pass_answers_for_pixels_and_images(architecture):
    with torch.inference_mode():
        pixels, classes, defect = built(architecture=architecture)(IMAGES)
    assert (pixels.shape, classes.shape, defect.shape) == ((2, 3, 70, 100), (2, 3), (2,))
    assert torch.equal(defect, classes.max(dim=1).values)


def test_any_defect_can_have_a_logit_of_its_own():
    graph = built(any_defect="logit")
    with torch.inference_mode():
        _, classes, defect = graph(IMAGES)
        _, logits = graph.logits(IMAGES)
    assert torch.equal(defect, logits[:, 3].sigmoid())
    assert classes.shape == (2, 3)


@pytest.mark.parametrize("architecture", ["unet", "linknet"])
def test_two_halves_one_after_the_other_give_what_the_whole_gives(architecture):
    whole = built(architecture=architecture)
    gate, decoder = halves(whole, architecture=architecture)
    with torch.inference_mode():
        pixels, classes, defect = whole(IMAGES)
        half_classes, half_defect, *features = gate(IMAGES)
        (half_pixels,) = decoder(IMAGES, *features)
    assert torch.allclose(classes, half_classes, atol=1e-6)
    assert torch.allclose(defect, half_defect, atol=1e-6)
    assert torch.allclose(pixels, half_pixels, atol=1e-6)


def test_the_halves_share_no_weights():
    whole = built()
    gate, decoder = halves(whole)
    names = [set(weights.arrays(half)) for half in (gate, decoder)]
    assert not names[0] & names[1]
    assert names[0] | names[1] == set(weights.arrays(whole))


@pytest.mark.parametrize("architecture", ["unet", "linknet"])
def test_both_answers_are_those_of_the_library(architecture):
    network = built(architecture=architecture).network
    pictures = torch.randn(2, 1, 64, 96)
    with torch.inference_mode():
        pixels, images = network(pictures)
        expected_pixels, expected_images = network.network(pictures)
    assert pixels.shape == (2, 3, 64, 96)
    assert torch.equal(pixels, expected_pixels)
    assert torch.equal(images, expected_images)


@pytest.mark.parametrize("architecture", ["unet", "linknet"])
def test_masks_have_the_size_of_the_image_without_scaling_too(architecture):
    config = described(architecture=architecture).model_copy(
        update={"preprocessing": Preprocessing()}
    )
    with torch.inference_mode():
        pixels, *_ = graphs.build(config).eval()(IMAGES)
    assert pixels.shape == (2, 3, 70, 100)
