import sys

import numpy as np
import pytest
import torch
from torch import nn

from steel_defect_detection import images
from steel_defect_detection.errors import (
    ConfigError,
    DeviceError,
    ExplanationError,
    ImageError,
    MissingExtraError,
)
from steel_defect_detection.explain import Explainer, explain
from tests.explain import toys
from tests.export import toys as saved


def test_one_call_explains_a_file_by_a_model_file(tmp_path):
    model = saved.save(tmp_path / "gate.safetensors", "classifier", saved.GATE)
    images.write(tmp_path / "a.png", toys.noise(64, 96))
    found = explain(model, tmp_path / "a.png", method="saliency", class_name="pit", device="cpu")
    assert found.source == str(tmp_path / "a.png")
    assert found.target.class_name == "pit"
    assert found.attribution.shape == (64, 96)
    assert found.gap is None


def test_pixels_are_taken_as_well():
    found = explain(toys.linear(), toys.noise()[..., 0], device="cpu")
    assert (found.source, found.method) == ("image", "integrated-gradients")
    assert found.gap is not None


def test_the_network_stays_as_it_was():
    subject = toys.real("resnet18")
    before = {name: value.clone() for name, value in subject.graph.state_dict().items()}
    explain(subject, toys.noise(64, 64), method="deeplift", device="cpu")
    assert all(
        torch.equal(before[name], value) for name, value in subject.graph.state_dict().items()
    )
    assert all(weight.requires_grad for weight in subject.graph.parameters())
    assert not subject.graph.network.network.layer1[0].relu._forward_hooks


def test_two_images_give_what_each_gives_alone():
    explainer = Explainer(toys.real("resnet18"), method="deeplift", device="cpu")
    together = [explainer.explain(toys.noise(64, 64, seed)).attribution for seed in range(2)]
    alone = explain(toys.real("resnet18"), toys.noise(64, 64, 1), method="deeplift", device="cpu")
    np.testing.assert_allclose(together[1], alone.attribution, rtol=1e-5)
    assert not np.allclose(together[0], together[1])


class Square(nn.Module):
    """An activation that captum knows no rule for and that is none of the known ones."""

    def forward(self, maps):
        return maps**2


def squared() -> toys.Subject:
    encoder = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), Square())
    return toys.classifier(encoder, toys.Summed())


def test_deeplift_that_does_not_add_up_is_refused():
    # The gradient of a square times its input is twice the square.
    text = (
        r"^the pixels of deeplift miss the gain of the target over a grey image by \d+\.\d% of it, "
        r"allowed are 5%\. This network has parts without a rule\. Use integrated-gradients$"
    )
    with pytest.raises(ExplanationError, match=text):
        explain(squared(), toys.noise(), method="deeplift", device="cpu")


def test_too_few_steps_are_refused():
    class Step(nn.Module):
        def forward(self, maps):
            return torch.sigmoid(200 * (maps - 3))

    subject = toys.classifier(nn.Sequential(nn.Conv2d(1, 2, 1), Step()), toys.Summed())
    subject.graph.network.encoder[0].weight.data.fill_(1.0)
    subject.graph.network.encoder[0].bias.data.zero_()
    image = np.full((32, 32, 1), 250, dtype=np.uint8)
    with pytest.raises(ExplanationError, match=r"by \d+\.\d% of it.* Raise --steps, now 2$"):
        explain(subject, image, steps=2, device="cpu")
    assert explain(subject, image, steps=2000, device="cpu").gap < 0.05


def test_a_gain_of_nothing_is_no_reason_to_divide_by_it():
    # A constant network gains nothing, and no pixel speaks for it.
    subject = toys.linear()
    subject.graph.network.head.weight.data.zero_()
    assert explain(subject, toys.noise(), device="cpu").gap == 0


def test_numbers_that_are_none_are_refused():
    subject = toys.linear()
    subject.graph.network.head.weight.data.fill_(float("nan"))
    with pytest.raises(ExplanationError, match="saliency gave numbers that are not finite"):
        explain(subject, toys.noise(), method="saliency", class_name="pit", device="cpu")


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"method": "lrp"}, ConfigError, "method must be one of integrated-gradients, saliency, "),
        ({"steps": 0}, ConfigError, "steps must be 1 or more, got 0"),
        ({"device": "abacus"}, DeviceError, "device must be 'auto', 'cpu' or 'cuda'"),
        ({"class_name": "rust"}, ConfigError, "the model has no class 'rust'"),
    ],
    ids=["method", "steps", "device", "class"],
)
def test_impossible_settings_are_refused(settings, error, text):
    with pytest.raises(error, match=text):
        explain(toys.linear(), toys.noise(), **settings)


def test_an_array_that_is_no_image_is_refused():
    with pytest.raises(ImageError, match="float64"):
        explain(toys.linear(), np.zeros((32, 32)), device="cpu")


def test_without_captum_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    text = r"^captum is not installed\. Install it with: pip install .*\[explain\]"
    with pytest.raises(MissingExtraError, match=text):
        Explainer(toys.linear())
