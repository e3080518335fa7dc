"""Generated images: what generators (``gan``) have learned from training images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.datasets.output_folder import safe_name
from steel_defect_detection.errors import AnnotationError, ConfigError, SynthesisError
from steel_defect_detection.synthesis.gan import train_gan
from steel_defect_detection.synthesis.gan_config import GanConfig
from steel_defect_detection.synthesis.gan_file import Gan, load_gan
from steel_defect_detection.synthesis.made import Made

COMBINED = "combined"
"""Name of the folder of a generator of all classes."""

FILE = "gan.safetensors"

# Images that are made at most until one shows the class that is asked for.
_ATTEMPTS = 50
# Pixels of a class from which an image is said to show it.
_LEAST_AREA = 12


@dataclass(frozen=True, kw_only=True)
class GanMaker:
    """Makes images with generators.

    Args:
        gans: One per class by its number from 1, or one of all of them under 0.
        names: Names of the images that they learned from: something of all of
            them may be seen in each image.
        class_count: How many classes there are.
    """

    gans: Mapping[int, Gan]
    names: tuple[str, ...]
    class_count: int
    way: str = field(default="gan", init=False)

    def make(self, number: int, seed: int) -> Made:
        """Make an image that shows a class.

        Args:
            number: Number of the class, from 1.
            seed: Seed of the numbers that it is made of.

        Raises:
            ConfigError: If there is no generator of the class.
            SynthesisError: If what is made does not show the class.
        """
        gan = self.gans.get(number) or self.gans.get(0)
        if gan is None or number == 0:
            msg = "no generator was trained for this class"
            raise ConfigError(msg)
        parameters = {"epochs": gan.header.epochs, "latent_size": gan.config.latent_size}
        for place, (image, masks) in enumerate(gan.sample(_ATTEMPTS, seed)):
            if masks is None:
                labels = np.arange(1, self.class_count + 1) == number
                return Made(
                    image=image,
                    masks=None,
                    labels=labels,
                    sources=self.names,
                    parameters=parameters,
                )
            if masks[number - 1].sum() >= _LEAST_AREA:
                return Made(
                    image=image,
                    masks=masks,
                    sources=self.names,
                    parameters={**parameters, "place": place},
                )
        msg = (
            f"none of {_ATTEMPTS} generated images shows {gan.classes[number - 1]!r}: the "
            "generator has not learned it. More epochs or more images may help"
        )
        raise SynthesisError(msg)


def train_makers(  # noqa: PLR0913 -- data, settings, place, and how
    dataset: Dataset,
    config: GanConfig,
    output: Path,
    classes: tuple[int, ...],
    *,
    combined: bool = False,
    device: str = "auto",
    judge: Checkpoint | None = None,
) -> GanMaker:
    """Train what is needed, or take what was trained already with the same settings.

    Args:
        dataset: Training images with labels; images free of defects are left
            out.
        config: Settings.
        output: Folder for a folder per class, or ``combined``.
        classes: Numbers of the classes, from 1.
        combined: Train one generator of all classes: only with masks, which say
            what an image shows.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        judge: Model whose features say how near made images come to real ones.

    Raises:
        AnnotationError: If one generator is asked for, and there are no masks.
        NoImagesError: If a class has fewer than two images.
        ConfigError: If generators with other settings lie there.
    """
    masked = all(entry.masks is not None for entry in dataset.entries)
    if combined and not (masked and config.masks):
        msg = (
            "one generator of all classes needs masks: without them nobody knows what its "
            "images show. Leave out --combined"
        )
        raise AnnotationError(msg)
    labels = dataset.labels()
    numbers = (0,) if combined else classes
    gans = {}
    for number in numbers:
        wanted = labels[:, number - 1] if number else dataset.defective()
        part = dataset.subset(wanted.nonzero()[0])
        name = dataset.classes[number - 1] if number else COMBINED
        gans[number] = _trained(part, config, output / safe_name(name), device, judge)
    return GanMaker(gans=gans, names=dataset.names, class_count=len(dataset.classes))


def _trained(
    part: Dataset, config: GanConfig, output: Path, device: str, judge: Checkpoint | None
) -> Gan:
    if not (output / FILE).is_file():
        return train_gan(part, config, output, device=device, judge=judge)
    gan = load_gan(output / FILE)
    same = gan.config == config and gan.classes == part.classes
    if not same:
        msg = f"{output} holds a generator with other settings: name another folder with --gans"
        raise ConfigError(msg)
    if gan.header.epochs < config.epochs:
        return train_gan(part, config, output, device=device, judge=judge, overwrite=True)
    return gan
