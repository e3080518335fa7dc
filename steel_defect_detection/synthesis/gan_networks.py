"""The two networks of a least-squares GAN: one that makes images and one that judges them.

::

    generator      latent -> Linear -> 2x [double the size, Conv, BatchNorm, LeakyReLU]
                   -> Conv -> tanh
    discriminator  4x [Conv that halves the size, LeakyReLU, Dropout, BatchNorm] -> Linear

Sizes, and the rest that is not said here, are those of the prints system. Loss:
Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017,
https://arxiv.org/abs/1611.04076: the discriminator shall say 1 of real images
and 0 of made ones, and the generator wants it to say 1 of those too. Losses are
half the mean square of what is missing.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from steel_defect_detection.synthesis.gan_config import HALVINGS

# The prints system adds this much to the variance of a channel: it hardly divides faint channels.
_EPSILON = 0.8
_SLOPE = 0.2
_SPREAD = 0.02
_WIDTHS = (16, 32, 64, 128)


class Generator(nn.Module):
    """Make images of random numbers.

    Args:
        latent_size: Numbers per image.
        image_size: Side of the images, a multiple of 4.
        planes: Channels of what is made: those of the image and one per mask.

    Shape:
        latent: float, ``(batch, latent_size)``, standard normal.
        made: float, ``(batch, planes, image_size, image_size)``, -1 to 1.
    """

    def __init__(self, latent_size: int, image_size: int, planes: int) -> None:
        """Build the network with random weights."""
        super().__init__()
        self.latent_size = latent_size
        side = image_size // 4
        self.network = nn.Sequential(
            nn.Linear(latent_size, 128 * side**2),
            nn.Unflatten(1, (128, side, side)),
            *_doubling(128, 128),
            *_doubling(128, 64),
            nn.Conv2d(64, planes, 3, padding=1),
            nn.Tanh(),
        )
        _begin(self)

    def forward(self, latent: Tensor) -> Tensor:
        """Return the images."""
        made: Tensor = self.network(latent)
        return made


class Discriminator(nn.Module):
    """Tell real images from made ones.

    Args:
        image_size: Side of the images, a multiple of 16.
        planes: Channels of the image and one per mask.

    Shape:
        images: float, ``(batch, planes, image_size, image_size)``, -1 to 1.
        scores: float, ``(batch, 1)``, near 1 if real and near 0 if made.
    """

    def __init__(self, image_size: int, planes: int) -> None:
        """Build the network with random weights."""
        super().__init__()
        layers: list[nn.Module] = []
        for into, out in pairwise((planes, *_WIDTHS)):
            layers += [nn.Conv2d(into, out, 3, stride=2, padding=1), nn.LeakyReLU(_SLOPE)]
            layers += [nn.Dropout2d(0.25)]
            layers += [] if out == _WIDTHS[0] else [nn.BatchNorm2d(out)]
        numbers = _WIDTHS[-1] * (image_size // 2**HALVINGS) ** 2
        self.network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(numbers, 1))
        _begin(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores."""
        scores: Tensor = self.network(images)
        return scores


def step(
    generator: Generator,
    discriminator: Discriminator,
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer],
    real: Tensor,
) -> tuple[Tensor, Tensor]:
    """Let the generator learn from the discriminator, and then the other way round.

    Each of them learns from this batch alone: what an earlier step or the
    other's step has left in its gradients is wiped out before.

    Args:
        generator: Changed by the first optimiser.
        discriminator: Changed by the second.
        optimizers: Those two.
        real: A batch of real images, as the discriminator takes them.

    Returns:
        Both losses, the generator's first.
    """
    latent = torch.randn(len(real), generator.latent_size, device=real.device)
    made = generator(latent)
    deceived = _learn_to_deceive(discriminator, optimizers[0], real, made)
    return deceived, _learn_to_tell(discriminator, optimizers[1], real, made.detach())


def _learn_to_deceive(
    discriminator: Discriminator, optimizer: torch.optim.Optimizer, real: Tensor, made: Tensor
) -> Tensor:
    """Change the generator, whose images the last ones are."""
    discriminator.requires_grad_(requires_grad=False)
    _, of_made = _judged(discriminator, real, made)
    discriminator.requires_grad_(requires_grad=True)
    return _descend(optimizer, (of_made - 1).square().mean() / 2)


def _learn_to_tell(
    discriminator: Discriminator, optimizer: torch.optim.Optimizer, real: Tensor, made: Tensor
) -> Tensor:
    """Change the discriminator."""
    of_real, of_made = _judged(discriminator, real, made)
    return _descend(optimizer, ((of_real - 1).square().mean() + of_made.square().mean()) / 2)


def _judged(discriminator: Discriminator, real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
    """Judge real and made images in one batch.

    BatchNorm takes the mean of a batch away. In batches of their own, all real
    images could be dark and all made ones bright, and nobody would see it.
    """
    of_real, of_made = discriminator(torch.cat([real, made])).split(len(real))
    return of_real, of_made


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
    optimizer.step()
    return loss.detach()


def _doubling(into: int, out: int) -> list[nn.Module]:
    """Layers that make an image twice as high and wide."""
    return [
        nn.Upsample(scale_factor=2),
        nn.Conv2d(into, out, 3, padding=1),
        nn.BatchNorm2d(out, eps=_EPSILON),
        nn.LeakyReLU(_SLOPE),
    ]


def _begin(network: nn.Module) -> None:
    """Draw the first weights of filters from N(0, 0.02), and factors of channels about 1."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, _SPREAD)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, _SPREAD)
