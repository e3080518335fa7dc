"""A trained generator: images made of random numbers, and its file.

The file is a ``.safetensors`` whose header holds, as JSON under the key
``steel_defect_detection_gan``, what is needed to use it. Reading one executes
nothing. The discriminator is not kept: it has nothing left to do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from steel_defect_detection.checkpoints import container
from steel_defect_detection.errors import CheckpointError, ConfigError
from steel_defect_detection.models.config import ClassNames, Frozen
from steel_defect_detection.synthesis.gan_config import GanConfig
from steel_defect_detection.synthesis.gan_images import exclusive
from steel_defect_detection.synthesis.gan_networks import Generator

FILE = "gan.safetensors"
"""Name of the file in the output folder of a run."""

FORMAT_VERSION = 1

_KEY = "steel_defect_detection_gan"
_AT_ONCE = 32


class GanHeader(Frozen):
    """Everything about a generator but its numbers.

    Args:
        format_version: Version of this format.
        config: Settings of the run.
        classes: Names of the classes, in the order of the masks.
        with_masks: Whether it makes masks.
        epochs: Passes over the training images that it has made.
        images: Images, or windows of images, that it has learned from.
        inputs: Hash of the names, sizes, labels and masks of those images.
    """

    format_version: int = FORMAT_VERSION
    config: GanConfig
    classes: ClassNames
    with_masks: bool
    epochs: int
    images: int
    inputs: str = ""

    @property
    def planes(self) -> int:
        """Channels of what is made: those of the image and one per mask."""
        return self.config.channels + (len(self.classes) if self.with_masks else 0)


class Generated(NamedTuple):
    """A made image.

    Args:
        image: uint8, shape ``(side, side, 1 or 3)``.
        masks: Bool, shape ``(classes, side, side)``, no pixel in two of them;
            None from a generator that makes none.
    """

    image: NDArray[np.uint8]
    masks: NDArray[np.bool_] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Gan:
    """A trained generator.

    Args:
        header: Everything but the numbers.
        tensors: The generator's numbers by name.
    """

    header: GanHeader
    tensors: Mapping[str, NDArray[np.generic]]

    @property
    def config(self) -> GanConfig:
        """Settings of the run."""
        return self.header.config

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the masks."""
        return self.header.classes

    def sample(self, count: int, seed: int) -> list[Generated]:
        """Make images.

        Args:
            count: How many; more of them begin with the same ones.
            seed: Seed of the random numbers that they are made of.

        Raises:
            ConfigError: If the count is not positive or the seed negative.
        """
        if count < 1 or seed < 0:
            msg = f"expected a count from 1 and a seed from 0, got {count} and {seed}"
            raise ConfigError(msg)
        generator = _generator(self.header, self.tensors)
        random = np.random.default_rng(seed)
        latent = random.standard_normal((count, self.config.latent_size), dtype=np.float32)
        return [
            made
            for start in range(0, count, _AT_ONCE)
            for made in self._made(generator, latent[start : start + _AT_ONCE])
        ]

    def save(self, path: Path) -> None:
        """Write the generator to a file, completely or not at all.

        Raises:
            ResultsError: If it cannot be written there.
        """
        container.write(path, _KEY, self.header, self.tensors)

    def _made(self, generator: Generator, latent: NDArray[np.float32]) -> Iterator[Generated]:
        with torch.inference_mode():
            planes = generator(torch.from_numpy(latent)).numpy()
        channels = self.config.channels
        pixels = np.rint((planes[:, :channels] + 1) * 127.5).astype(np.uint8)
        outlines = exclusive(planes[:, channels:]) if self.header.with_masks else None
        for place, image in enumerate(pixels.transpose(0, 2, 3, 1)):
            yield Generated(
                np.ascontiguousarray(image), None if outlines is None else outlines[place]
            )


def load_gan(path: Path | str) -> Gan:
    """Read a trained generator.

    Args:
        path: The file, or the output folder of a run.

    Raises:
        CheckpointError: If there is no such file, or it is damaged, foreign, or
            of a newer version.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    foreign = "holds no generator of images"
    content = container.read(path, _KEY, GanHeader, newest=FORMAT_VERSION, foreign=foreign)
    header, tensors = content.header, content.tensors
    try:
        _generator(header, tensors)
    except RuntimeError as error:
        lines = str(error).splitlines()
        msg = f"{path} has weights that do not fit its settings: {lines[-1].strip()[:200]}"
        raise CheckpointError(msg) from error
    return Gan(header=header, tensors=tensors)


def _generator(header: GanHeader, tensors: Mapping[str, NDArray[np.generic]]) -> Generator:
    """Build the network with these weights, in evaluation mode."""
    config = header.config
    generator = Generator(config.latent_size, config.image_size, header.planes)
    state = {name: torch.from_numpy(np.array(tensor)) for name, tensor in tensors.items()}
    generator.load_state_dict(state)
    return generator.eval()
