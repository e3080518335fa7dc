"""Generated images: what generators (``gan``) have learned from training images."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.datasets.output_folder import safe_name
from steel_defect_detection.errors import (
    AnnotationError,
    ConfigError,
    NoImagesError,
    SynthesisError,
)
from steel_defect_detection.synthesis.gan import train_gan
from steel_defect_detection.synthesis.gan_config import GanConfig
from steel_defect_detection.synthesis.gan_file import FILE, Gan, load_gan
from steel_defect_detection.synthesis.gan_images import LEAST_IMAGES
from steel_defect_detection.synthesis.made import Made
from steel_defect_detection.training.folder import fingerprint

COMBINED = "combined"
"""Name of the folder of a generator of all classes."""

# Images that are made at most until one shows the class that is asked for.
_ATTEMPTS = 50
# Pixels of a class from which an image is said to show it.
_LEAST_AREA = 12
# Below, every generator that was looked at made noise.
_FEW_STEPS = 2000

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GanMaker:
    """Makes images with generators.

    Args:
        gans: One per class by its number from 1, or one of all of them under 0.
        names: Names of the images that each of them learned from: something of
            all of those may be seen in each image that it makes.
        class_count: How many classes there are.
    """

    gans: Mapping[int, Gan]
    names: Mapping[int, tuple[str, ...]]
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
        which = number if number in self.gans else 0
        if which not in self.gans or number == 0:
            msg = "no generator was trained for this class"
            raise ConfigError(msg)
        gan, names = self.gans[which], self.names[which]
        parameters = {"epochs": gan.header.epochs, "latent_size": gan.config.latent_size}
        for place, (image, masks) in enumerate(gan.sample(_ATTEMPTS, seed)):
            if masks is None:
                labels = np.arange(1, self.class_count + 1) == number
                return Made(
                    image=image,
                    masks=None,
                    labels=labels,
                    sources=names,
                    parameters=parameters,
                )
            if masks[number - 1].sum() >= _LEAST_AREA:
                return Made(
                    image=image,
                    masks=masks,
                    sources=names,
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
        output: Folder for a folder per class, or ``combined``, and set of images.
        classes: Numbers of the classes, from 1.
        combined: Train one generator of all classes: only with masks, which say
            what an image shows.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        judge: Model whose features say how near made images come to real ones.

    Raises:
        AnnotationError: If one generator is asked for, and there are no masks.
        NoImagesError: If a class has fewer than two images.
        ConfigError: If generators with other settings, or of other images, lie
            there.
    """
    masked = all(entry.masks is not None for entry in dataset.entries)
    if combined and not (masked and config.masks):
        msg = (
            "one generator of all classes needs masks: without them nobody knows what its "
            "images show. Leave out --combined"
        )
        raise AnnotationError(msg)
    parts = {number: _shown(dataset, number) for number in ((0,) if combined else classes)}
    gans = {}
    for number, part in parts.items():
        name = dataset.classes[number - 1] if number else COMBINED
        inputs = fingerprint([part], ())
        # Images of another part of a split, or of another data set, get a generator of their own.
        place = output / f"{safe_name(name)}-{inputs[:8]}"
        gans[number] = _trained(part, config, place, inputs, device, judge)
        _warn(gans[number], name, place)
    names = {number: part.names for number, part in parts.items()}
    return GanMaker(gans=gans, names=names, class_count=len(dataset.classes))


def _shown(dataset: Dataset, number: int) -> Dataset:
    """Take the images that show a class, or any defect, before hours are spent on others."""
    wanted = dataset.labels()[:, number - 1] if number else dataset.defective()
    part = dataset.subset(np.flatnonzero(wanted))
    if len(part) < LEAST_IMAGES:
        name = dataset.classes[number - 1] if number else "a defect"
        msg = f"{len(part)} images show {name!r}, and a generator needs at least {LEAST_IMAGES}"
        raise NoImagesError(msg)
    return part


def _warn(gan: Gan, name: str, place: Path) -> None:
    """Say where to see what a generator is worth, and whether that can be much."""
    steps = gan.header.epochs * max(1, gan.header.images // gan.config.batch_size)
    few = f" After {steps} steps it is mostly noise: thousands are needed." * (steps < _FEW_STEPS)
    _LOG.info("look at %s before you train on generated %s.%s", place / "samples", name, few)


def _trained(
    part: Dataset,
    config: GanConfig,
    output: Path,
    inputs: str,
    device: str,
    judge: Checkpoint | None,
) -> Gan:
    if not (output / FILE).is_file():
        return train_gan(part, config, output, device=device, judge=judge)
    gan = load_gan(output / FILE)
    if gan.config != config or gan.classes != part.classes or gan.header.inputs != inputs:
        msg = (
            f"{output} holds a generator with other settings or of other images: name another "
            "folder with --gans"
        )
        raise ConfigError(msg)
    if gan.header.epochs < config.epochs:
        return train_gan(part, config, output, device=device, judge=judge, overwrite=True)
    return gan
