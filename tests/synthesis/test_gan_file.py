"""A trained generator and its file."""

import json

import numpy as np
import pytest
import safetensors.numpy
import torch

from steel_defect_detection import checkpoints
from steel_defect_detection.errors import CheckpointError, ConfigError
from steel_defect_detection.synthesis.gan_config import GanConfig
from steel_defect_detection.synthesis.gan_file import Gan, GanHeader, load_gan
from steel_defect_detection.synthesis.gan_networks import Generator

KEY = "steel_defect_detection_gan"


def gan(*, classes=("pit", "rust"), with_masks=True, **settings) -> Gan:
    """A generator that has learned nothing."""
    config = GanConfig(image_size=16, latent_size=6, **settings)
    header = GanHeader(config=config, classes=classes, with_masks=with_masks, epochs=3, images=8)
    torch.manual_seed(0)
    state = Generator(6, 16, header.planes).state_dict()
    return Gan(header=header, tensors={name: value.numpy() for name, value in state.items()})


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("with_masks", [False, True])
def test_made_images_have_the_size_and_channels_asked_for(channels, with_masks):
    image, masks = gan(channels=channels, with_masks=with_masks).sample(3, seed=1)[2]
    assert image.shape == (16, 16, channels)
    assert image.dtype == np.uint8
    assert (masks is None) != with_masks
    if masks is not None:
        assert masks.shape == (2, 16, 16)
        assert masks.dtype == np.bool_
        assert masks.sum(axis=0).max() <= 1
        assert masks.any()


def test_the_seed_decides_and_more_images_begin_with_the_same_ones():
    one = gan()
    few, many, others = one.sample(3, 5), one.sample(40, 5), one.sample(3, 6)
    for some, same, other in zip(few, many, others, strict=False):
        # Batches of other lengths may be rounded differently in the last bit.
        assert np.abs(some.image.astype(int) - same.image).max() <= 1
        assert not np.array_equal(some.image, other.image)
    assert len(many) == 40


class Extreme(torch.nn.Module):
    """A generator that says -1, 0 and 1, beside each other."""

    def forward(self, latent):
        row = torch.tensor([-1.0, 0.0, 1.0, 1.0])
        return row.expand(len(latent), 1, 4, 4)


def test_minus_one_is_black_and_one_is_white(monkeypatch):
    monkeypatch.setattr(
        "steel_defect_detection.synthesis.gan_file._generator", lambda *_: Extreme()
    )
    image = gan(with_masks=False).sample(1, 0)[0].image
    assert image[0, :, 0].tolist() == [0, 128, 255, 255]


def test_making_images_depends_on_no_global_seed():
    one = gan()
    torch.manual_seed(1)
    first = one.sample(2, 0)
    torch.manual_seed(2)
    assert np.array_equal(first[1].image, one.sample(2, 0)[1].image)


def test_a_file_gives_back_what_was_saved(tmp_path):
    one = gan()
    one.save(tmp_path / "gan.safetensors")
    for place in (tmp_path / "gan.safetensors", tmp_path, str(tmp_path)):
        back = load_gan(place)
        assert back.header == one.header
        assert back.classes == ("pit", "rust")
        for made, again in zip(one.sample(4, 2), back.sample(4, 2), strict=True):
            assert np.array_equal(made.image, again.image)
            assert np.array_equal(made.masks, again.masks)


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (3, -1)])
def test_impossible_samples_are_refused(count, seed):
    message = f"expected a count from 1 and a seed from 0, got {count} and {seed}"
    with pytest.raises(ConfigError, match=message):
        gan().sample(count, seed)


def refusal(path) -> str:
    with pytest.raises(CheckpointError) as refused:
        load_gan(path)
    text = str(refused.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_a_missing_or_damaged_file_is_refused_in_a_line(tmp_path):
    path = tmp_path / "gan.safetensors"
    assert "No such file" in refusal(path)
    path.write_bytes(b"nothing of the kind")
    assert "is no intact .safetensors file" in refusal(path)
    gan().save(path)
    path.write_bytes(path.read_bytes()[:-50])
    assert "is no intact .safetensors file" in refusal(path)


def test_files_of_others_are_refused_both_ways(tmp_path):
    assert f"holds no generator of images: its header has no '{KEY}'" in refusal(
        checkpoints.find("strip")
    )
    gan().save(tmp_path / "gan.safetensors")
    with pytest.raises(CheckpointError, match="its header has no"):
        checkpoints.load(tmp_path / "gan.safetensors")


def rewritten(path, tensors=None, **changes):
    """Save a generator whose header says something else."""
    one = gan()
    content = json.loads(one.header.model_dump_json()) | changes
    metadata = {KEY: json.dumps(content)}
    path.write_bytes(safetensors.numpy.save(tensors or dict(one.tensors), metadata=metadata))
    return path


def test_headers_that_cannot_be_used_are_refused(tmp_path):
    path = tmp_path / "gan.safetensors"
    newer = refusal(rewritten(path, format_version=2))
    assert "has format 2, this version reads format 1. Upgrade" in newer
    assert "has a header that cannot be used: classes" in refusal(rewritten(path, classes=[]))
    assert "has a header that cannot be used: format_version" in refusal(
        rewritten(path, format_version="new")
    )
    path.write_bytes(safetensors.numpy.save(dict(gan().tensors), metadata={KEY: "[1"}))
    assert "has a header that is no JSON object" in refusal(path)
    path.write_bytes(safetensors.numpy.save(dict(gan().tensors), metadata={KEY: "[1]"}))
    assert "has a header that is no JSON object" in refusal(path)


def test_weights_of_another_size_are_refused(tmp_path):
    path = rewritten(tmp_path / "gan.safetensors", with_masks=False)
    assert "has weights that do not fit its settings: size mismatch" in refusal(path)
