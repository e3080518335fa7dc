"""Resizing in operations that every engine knows."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from steel_defect_detection.models import resizing


class Resized(nn.Module):
    """A network that only resizes."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, pixels):
        return resizing.resize(pixels, self.size)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((64, 100), (32, 50)),
        ((4, 6), (2, 3)),
        ((6, 8), (3, 4)),
        ((7, 9), (4, 4)),
        ((50, 70), (96, 96)),
        ((70, 33), (16, 64)),
        ((3, 3), (1, 1)),
    ],
)
def test_exported_resizing_is_what_torch_does_with_antialiasing(channels, shape, size):
    pixels = torch.randint(0, 256, (2, channels, *shape)).float()
    expected = functional.interpolate(pixels, size=size, mode="bilinear", antialias=True)
    exported = torch.export.export(Resized(size), (pixels,)).module()
    assert torch.allclose(exported(pixels), expected, atol=0.01)
    assert torch.allclose(resizing.resize(pixels, size), expected, atol=0.01)


class Enlarged(Resized):
    """A network that only enlarges."""

    def forward(self, pixels):
        return resizing.enlarge(pixels, self.size)


@pytest.mark.parametrize("classes", [1, 4, 20])
@pytest.mark.parametrize(
    ("shape", "size"), [((5, 7), (10, 14)), ((1, 3), (2, 6)), ((5, 7), (11, 14)), ((4, 4), (4, 9))]
)
def test_exported_enlarging_is_what_torch_does(classes, shape, size):
    logits = torch.randn(2, classes, *shape)
    expected = functional.interpolate(logits, size=size, mode="bilinear")
    exported = torch.export.export(Enlarged(size), (logits,)).module()
    assert torch.allclose(exported(logits), expected, atol=1e-5)
    assert torch.equal(resizing.enlarge(logits, size), expected)


def test_what_is_exported_has_no_operation_of_its_own_for_antialiasing():
    for size in ((32, 50), (30, 51)):
        program = torch.export.export(Resized(size), (torch.zeros(1, 1, 64, 100),))
        assert "upsample" not in program.graph_module.code


def test_each_new_pixel_is_a_mean_of_old_ones():
    for length, wanted in ((10, 5), (10, 3), (3, 10), (1, 1), (100, 1)):
        weights = resizing.weights(length, wanted)
        assert weights.shape == (wanted, length)
        assert weights.sum(axis=1) == pytest.approx(1)
        assert (weights >= 0).all()


def test_the_border_of_a_halved_image_is_a_mean_of_what_is_there():
    pixels = torch.tensor([[[[0.0, 8.0], [0.0, 8.0], [16.0, 0.0], [16.0, 0.0]]]])
    # Columns count alike. Rows count 3, 3, 1 of 7, and 1, 3, 3 of 7.
    expected = torch.tensor([[[[(3 * 4 + 3 * 4 + 8) / 7], [(4 + 3 * 8 + 3 * 8) / 7]]]])
    assert torch.allclose(resizing.resize(pixels, (2, 1)), expected)
