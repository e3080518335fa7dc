"""The two networks of a GAN, and what one step changes in them."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from steel_defect_detection.synthesis.gan_networks import Discriminator, Generator, step


def both(latent_size: int = 5, side: int = 16, planes: int = 2) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    return Generator(latent_size, side, planes), Discriminator(side, planes)


def optimizers(*networks: nn.Module, rates: tuple[float, float] = (0.01, 0.01)):
    pairs = zip(networks, rates, strict=True)
    return tuple(torch.optim.SGD(network.parameters(), lr=rate) for network, rate in pairs)


def weights(network: nn.Module) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in network.parameters()]


def same(some: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


@pytest.mark.parametrize("latent_size", [1, 7, 100, 130])
@pytest.mark.parametrize(("side", "planes"), [(16, 1), (32, 4), (48, 3)])
def test_any_latent_size_gives_images_from_minus_one_to_one(latent_size, side, planes):
    generator, discriminator = both(latent_size, side, planes)
    made = generator(torch.randn(3, latent_size))
    assert made.shape == (3, planes, side, side)
    assert made.abs().max() <= 1
    assert discriminator(made).shape == (3, 1)


def test_other_random_numbers_make_another_image():
    generator, _ = both()
    latent = torch.randn(2, 5)
    first, second = generator.eval()(latent)
    assert not torch.equal(first, second)


def test_sizes_of_the_layers_are_those_of_the_prints_system():
    """Counted by hand: weights and biases, and two numbers per channel of each BatchNorm."""
    generator, discriminator = both(100, 224, 3)
    linear = 100 * 128 * 56 * 56 + 128 * 56 * 56
    filters = (9 * 128 * 128 + 128) + (9 * 128 * 64 + 64) + (9 * 64 * 3 + 3)
    assert sum(w.numel() for w in generator.parameters()) == linear + filters + 2 * (128 + 64)
    filters = (9 * 3 * 16 + 16) + (9 * 16 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 128 + 128)
    linear = 128 * 14 * 14 + 1
    assert sum(w.numel() for w in discriminator.parameters()) == (
        linear + filters + 2 * (32 + 64 + 128)
    )


def test_filters_begin_at_random_about_zero():
    generator, discriminator = both(8, 64, 1)
    for network in (generator, discriminator):
        filters = torch.cat(
            [
                layer.weight.detach().flatten()
                for layer in network.modules()
                if isinstance(layer, nn.Conv2d)
            ]
        )
        assert float(filters.std()) == pytest.approx(0.02, rel=0.03)
        assert float(filters.mean()) == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize("learning", [0, 1])
def test_a_step_of_one_network_leaves_the_weights_of_the_other_alone(learning):
    networks = both()
    before = [weights(network) for network in networks]
    rates = (0.01, 0.0) if learning == 0 else (0.0, 0.01)
    step(*networks, optimizers(*networks, rates=rates), torch.zeros(4, 2, 16, 16))
    after = [weights(network) for network in networks]
    assert not same(before[learning], after[learning])
    assert same(before[1 - learning], after[1 - learning])


def test_what_earlier_steps_left_in_the_gradients_changes_nothing():
    """The prints system never wiped out the discriminator's gradients: they added up."""
    clean = both()
    dirty = copy.deepcopy(clean)
    for weight in [*dirty[0].parameters(), *dirty[1].parameters()]:
        weight.grad = torch.full_like(weight, 1e3)
    for networks in (clean, dirty):
        torch.manual_seed(1)
        for _ in range(2):
            step(*networks, optimizers(*networks), torch.ones(4, 2, 16, 16))
    for one, other in zip(clean, dirty, strict=True):
        assert same(weights(one), weights(other))


def test_the_discriminator_still_learns_after_the_generators_turn():
    networks = both()
    step(*networks, optimizers(*networks), torch.zeros(4, 2, 16, 16))
    assert all(weight.requires_grad for weight in networks[1].parameters())


class Flat(nn.Module):
    """A generator of grey images without any structure."""

    latent_size = 1

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(level))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return self.level.expand(len(latent), 1, 16, 16)


def test_a_difference_in_brightness_alone_can_be_seen():
    """Judged in batches of their own, both would look alike after BatchNorm."""
    _, discriminator = both(planes=1)
    grey, dark = Flat(-0.3), torch.full((8, 1, 16, 16), -0.9)
    both_rates = optimizers(grey, discriminator, rates=(0.0, 0.02))
    told = [float(step(grey, discriminator, both_rates, dark)[1]) for _ in range(100)]
    # 1/4 is the loss of a discriminator that says 1/2 of everything.
    assert np.mean(told[-30:]) < 0.15


class Says(nn.Module):
    """A discriminator that gives two scores: one for bright images, one for the rest."""

    def __init__(self, of_bright: float, of_dark: float) -> None:
        super().__init__()
        self.of_bright = nn.Parameter(torch.tensor(of_bright))
        self.of_dark = nn.Parameter(torch.tensor(of_dark))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bright = (images.mean(dim=(1, 2, 3)) > 0.99)[:, None]
        return torch.where(bright, self.of_bright, self.of_dark) + 0 * images.sum()


def test_losses_are_those_worked_out_by_hand():
    """Real 0.8, made 0.3: (0.3 - 1)^2 / 2 to deceive, (0.8 - 1)^2 / 2 + 0.3^2 / 2 to tell."""
    generator, _ = both()
    judge = Says(0.8, 0.3)
    still = optimizers(generator, judge, rates=(0.0, 0.0))
    deceived, told = step(generator, judge, still, torch.ones(4, 2, 16, 16))
    assert float(deceived) == pytest.approx(0.245)
    assert float(told) == pytest.approx(0.02 + 0.045)
    # The slopes of the second, wiped clean of the first.
    assert float(judge.of_bright.grad) == pytest.approx(0.8 - 1)
    assert float(judge.of_dark.grad) == pytest.approx(0.3)
