import pytest
import torch
from torch import nn

from steel_defect_detection.models.classifier import Classifier
from steel_defect_detection.models.config import CLASSIFIER_ENCODERS, ClassifierConfig
from steel_defect_detection.models.duq import DuqHead

SMALL = ("efficientnet-b0", "mobilenet_v2", "resnet18", "shufflenet_v2")


def classifier(encoder: str, channels: int = 1, **settings) -> Classifier:
    torch.manual_seed(0)
    return Classifier(
        ClassifierConfig(encoder=encoder, classes=("a", "b", "c"), **settings), channels
    )


def shapes(network: Classifier, size: int) -> list[tuple[int, int]]:
    """Height and width of everything that convolutions return."""
    found = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, output: found.append(tuple(output.shape[2:])))
    with torch.inference_mode():
        network.eval()(torch.zeros(1, 1, size, size))
    return found


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("encoder", [*SMALL, "vgg16", "resnet34"])
def test_every_encoder_answers_for_each_class(encoder, channels):
    with torch.inference_mode():
        logits = classifier(encoder, channels).eval()(torch.randn(2, channels, 64, 96))
    assert logits.shape == (2, 3)
    assert torch.isfinite(logits).all()


def test_every_encoder_of_the_list_can_be_built():
    with torch.device("meta"):
        for encoder in CLASSIFIER_ENCODERS:
            assert Classifier(ClassifierConfig(encoder=encoder, classes=("a",)), 1).encoder_parts()


@pytest.mark.parametrize("encoder", SMALL)
def test_a_small_stem_keeps_small_images_large(encoder):
    assert shapes(classifier(encoder, stem="standard"), 32)[0] == (16, 16)
    assert shapes(classifier(encoder, stem="small"), 32)[0] == (32, 32)


@pytest.mark.parametrize("encoder", SMALL)
def test_a_wide_head_has_a_layer_more_and_a_logit_of_its_own_a_column(encoder):
    network = classifier(encoder, head_width=128, any_defect="logit")
    heads = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in heads][-2:] == [128, 4]


@pytest.mark.parametrize("encoder", [*SMALL, "vgg16", "resnet50"])
def test_any_encoder_can_have_a_distance_head(encoder):
    network = classifier(encoder, exclusive=True, head="duq", embedding_size=8, length_scale=0.3)
    (head,) = (layer for layer in network.modules() if isinstance(layer, DuqHead))
    assert (head.length_scale, head.projections.shape[:2]) == (0.3, (8, 3))
    held = {id(weight) for part in network.encoder_parts() for weight in part.parameters()}
    free = [weight for weight in network.parameters() if id(weight) not in held]
    assert len(free) == 1
    assert free[0] is head.projections
    with torch.inference_mode():
        assert network.eval()(torch.zeros(2, 1, 64, 64)).shape == (2, 3)


def test_a_centroid_has_as_many_coordinates_as_there_are_features_unless_told():
    with torch.device("meta"):
        network = Classifier(
            ClassifierConfig(encoder="resnet18", classes=("a", "b"), exclusive=True, head="duq"), 1
        )
    (head,) = (layer for layer in network.modules() if isinstance(layer, DuqHead))
    assert head.projections.shape == (512, 2, 512)


@pytest.mark.parametrize("encoder", [*SMALL, "vgg16"])
def test_the_encoder_is_everything_but_the_head(encoder):
    network = classifier(encoder, head_width=16)
    held = {id(weight) for part in network.encoder_parts() for weight in part.parameters()}
    free = [name for name, weight in network.named_parameters() if id(weight) not in held]
    assert held
    assert {name.split(".")[1] for name in free} <= {"_fc", "fc", "classifier"}
    assert sum(weight.ndim == 2 for name, weight in network.named_parameters() if name in free) == 2


@pytest.mark.parametrize("encoder", [*SMALL, "vgg16"])
def test_dropout_is_off_when_judging(encoder):
    network = classifier(encoder, dropout=0.9).eval()
    with torch.inference_mode():
        first, second = (network(torch.ones(1, 1, 64, 64)) for _ in range(2))
    assert torch.equal(first, second)


def test_an_unknown_encoder_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="Did you mean 'resnet18'"):
        ClassifierConfig(encoder="resnet-18", classes=("a",))
