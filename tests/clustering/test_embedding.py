import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision

from steel_defect_detection import checkpoints
from steel_defect_detection.clustering import embedding
from steel_defect_detection.clustering.embedding import Embedder
from steel_defect_detection.errors import ConfigError, DownloadError, InferenceError
from steel_defect_detection.models import weights
from tests.calibration import toys

CROPS = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def seen(backbone, features="penultimate", crops=CROPS):
    return Embedder(backbone, features, device="cpu").embed(crops)


@pytest.fixture
def saved(tmp_path):
    """Write a toy to a file."""

    def save(kind):
        toy = toys.model(kind)
        checkpoints.save(tmp_path / "model.safetensors", toy.header, toy.tensors)
        return str(tmp_path / "model.safetensors")

    return save


@pytest.mark.thorough
@pytest.mark.parametrize("encoder", ["efficientnet-b0", "mobilenet_v2", "resnet18", "vgg16"])
def test_logits_are_what_the_last_layer_makes_of_penultimate_features(encoder):
    backbone = embedding.of_zoo(encoder, "random", size=32)
    features, logits = seen(backbone), seen(backbone, "logits")
    assert logits.shape == (5, 1000)
    (matrix,) = [value for value in backbone.tensors.values() if value.shape == logits.shape[1:]]
    weight = next(
        value for value in backbone.tensors.values() if value.shape == (1000, features.shape[1])
    )
    assert np.allclose(features @ weight.T + matrix, logits, atol=1e-3)


def test_random_weights_depend_on_the_seed_and_leave_other_chance_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    backbones = [
        embedding.of_zoo("shufflenet_v2", "random", size=32, seed=seed) for seed in (1, 1, 2)
    ]
    assert torch.equal(torch.get_rng_state(), before)
    one, same, other = map(seen, backbones)
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_logits_with_imagenet_weights_are_those_of_torchvision(monkeypatch):
    torch.manual_seed(0)
    published = torchvision.models.resnet18().eval()
    monkeypatch.setattr(weights, "_published", lambda *_: published.state_dict())
    backbone = embedding.of_zoo("resnet18", "imagenet", "logits", size=32)
    pixels = torch.from_numpy(CROPS).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = published((pixels - 0.449) / 0.226).numpy()
    assert np.allclose(seen(backbone, "logits"), expected, atol=1e-4)


def test_a_published_head_that_does_not_fit_matters_for_logits_only(monkeypatch):
    # The published VGG16 has three layers there, this one has one.
    head = {"classifier.6.weight": torch.zeros(1000, 4096)}
    monkeypatch.setattr(weights, "_published", lambda *_: head)
    assert embedding.of_zoo("vgg16", "imagenet", size=32).head_outputs == 1000
    message = "the published head of vgg16 does not fit the network here. Use --features penult"
    with pytest.raises(ConfigError, match=re.escape(message)):
        embedding.of_zoo("vgg16", "imagenet", "logits", size=32)


def test_without_a_network_the_message_names_what_works_here(monkeypatch):
    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models, "get_model", fail)
    monkeypatch.setattr(embedding, "_built", lambda *_: None)
    message = (
        "cannot fetch the ImageNet weights of resnet18: no route to host. Use --weights random, "
        "a baseline, or --model"
    )
    with pytest.raises(DownloadError, match=re.escape(message)):
        embedding.of_zoo("resnet18", "imagenet", size=32)


def test_an_unknown_backbone_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"there is no backbone 'resnet19'; there are effici"):
        embedding.of_zoo("resnet19", "random", size=32)


@pytest.mark.parametrize(
    ("kind", "numbers", "logits"),
    [("logit", 1024, 3), ("kernels", 1024, 3), ("two_head", 1280, 2), ("shared_backbone", 1280, 2)],
)
def test_every_kind_of_model_can_look(saved, kind, numbers, logits):
    backbone = embedding.of_model(saved(kind), size=32)
    assert seen(backbone).shape == (5, numbers)
    assert seen(backbone, "logits").shape == (5, logits)
    assert seen(backbone).std(axis=0).max() > 0


def test_a_cascade_looks_with_its_gate(saved):
    cascade = seen(embedding.of_model(saved("cascade"), size=32))
    assert np.array_equal(cascade, seen(embedding.of_model(saved("independent"), size=32)))


def test_a_segmenter_has_features_and_no_logits_of_whole_images(saved):
    backbone = embedding.of_model(saved("segmenter"), size=32)
    assert seen(backbone).shape == (5, 1280)
    message = "outlines defects and has no logits of whole images. Use --features penultimate"
    with pytest.raises(ConfigError, match=message):
        Embedder(backbone, "logits", device="cpu")


def test_crops_are_seen_whole_and_without_padding():
    backbone = embedding.of_zoo("shufflenet_v2", "random", size=100)
    assert backbone.config.preprocessing.size == (128, 128)
    assert embedding.of_model("strip", size=64).config.preprocessing.size == (64, 64)


def test_a_network_with_a_size_of_its_own_keeps_it(saved, tmp_path):
    toy = toys.model("independent")
    config = toy.header.graphs["classifier"]
    sized = config.preprocessing.model_copy(update={"size": (96, 64)})
    graphs = {"classifier": config.model_copy(update={"preprocessing": sized})}
    header = toy.header.model_copy(update={"graphs": graphs})
    checkpoints.save(tmp_path / "sized.safetensors", header, toy.tensors)
    backbone = embedding.of_model(str(tmp_path / "sized.safetensors"), size=32)
    assert backbone.config.preprocessing.size == (96, 64)


def test_batches_make_no_difference():
    embedder = Embedder(embedding.of_zoo("shufflenet_v2", "random", size=32), device="cpu")
    parts = embedder.embed_all([CROPS[:2], CROPS[2:]])
    assert np.allclose(parts, embedder.embed(CROPS), atol=1e-5)


def test_answers_that_are_no_numbers_are_refused():
    backbone = embedding.of_zoo("shufflenet_v2", "random", size=32)
    broken = {
        name: np.full_like(value, np.nan) if value.dtype == np.float32 else value
        for name, value in backbone.tensors.items()
    }
    message = "the network answered with not-a-number: its model file is damaged"
    with pytest.raises(InferenceError, match=message):
        seen(replace(backbone, tensors=broken))
