"""Training images of which a part is synthetic: made from training images of the run alone."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from steel_defect_detection.datasets import layouts, origins, reduction
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import ConfigError, SynthesisError
from steel_defect_detection.experiments import fractions
from steel_defect_detection.experiments.study import ImageSettings
from steel_defect_detection.synthesis.amounts import Amount
from steel_defect_detection.synthesis.draw import Drawer, kind_of, looks_of
from steel_defect_detection.synthesis.made import Maker
from steel_defect_detection.synthesis.patches import Patches
from steel_defect_detection.synthesis.sheets import Sheets, choose_kinds
from steel_defect_detection.synthesis.synthesize import synthesize
from steel_defect_detection.synthesis.transplant import Transplanter

_LOG = logging.getLogger(__name__)


def training_images(dataset: Dataset, settings: ImageSettings, seed: int, home: Path) -> Dataset:
    """Choose the images that a run learns from, and make those that are not there.

    Args:
        dataset: All training images of the run, with labels.
        settings: Which of them to take, and how many to make.
        seed: Seed of the run, which decides everything random.
        home: Folder for synthetic images; what is there already is taken as it is.

    Raises:
        ConfigError: If there are not enough images, or nothing says how to draw
            a class.
        SynthesisError: If an image cannot be made.
        ResultsError: If the folder cannot be written.
    """
    pool = _pool(dataset, settings, seed)
    per_class = made_per_class(pool, settings)
    if not per_class:
        return pool
    folder = home / "-".join(
        [f"seed{seed}", *(str(value) for value in settings.model_dump().values())]
    )
    made = _made(pool, settings, per_class, seed, folder)
    real = pool
    if settings.images_per_class:
        real = _real(pool, settings.images_per_class - per_class, seed)
    return replace(pool, entries=(*real.entries, *made))


def counts(dataset: Dataset, settings: ImageSettings, seed: int) -> tuple[int, int]:
    """Count the real and the synthetic images that a run learns from, and make none.

    Args:
        dataset: All training images of the run, with labels.
        settings: Which of them to take, and how many to make.
        seed: Seed of the run.
    """
    pool = _pool(dataset, settings, seed)
    per_class = made_per_class(pool, settings)
    real = pool
    if per_class and settings.images_per_class:
        real = _real(pool, settings.images_per_class - per_class, seed)
    earlier = origins.count_synthetic(real)
    return len(real) - earlier, earlier + per_class * len(_numbers(pool))


def made_per_class(pool: Dataset, settings: ImageSettings) -> int:
    """Count the synthetic images to make of each class.

    Args:
        pool: Real images at hand.
        settings: Their share, and of how many.
    """
    share = settings.synthetic_ratio
    if settings.images_per_class:
        return round(share * settings.images_per_class)
    if not share:
        return 0
    defects = int(pool.defective().sum())
    return round(defects * share / (1 - share) / len(_numbers(pool)))


def _pool(dataset: Dataset, settings: ImageSettings, seed: int) -> Dataset:
    """Real images at hand: a share of all, and of these some of each class."""
    pool = fractions.nested(dataset, settings.fraction, seed)
    wanted = settings.images_per_class
    if not wanted:
        return pool
    for name, count in zip(pool.classes, pool.labels().sum(axis=0).tolist(), strict=True):
        if 0 < count < wanted:
            msg = (
                f"images_per_class is {wanted}, and {count} training images show {name!r}: set it "
                f"to {count} at most"
            )
            raise ConfigError(msg)
    return pool.subset(reduction.choose(pool, wanted, seed))


def _real(pool: Dataset, count: int, seed: int) -> Dataset:
    """Leave so many real images of each class, and all that are free of defects."""
    clean = np.flatnonzero(~pool.defective()).tolist()
    chosen = reduction.choose(pool, count, seed) if count else []
    return pool.subset(sorted({*clean, *chosen}))


def _numbers(dataset: Dataset) -> tuple[int, ...]:
    """Numbers, from 1, of the classes of defects that occur."""
    occurs = set(np.flatnonzero(dataset.labels().any(axis=0)).tolist())
    return tuple(
        number
        for number, name in enumerate(dataset.classes, start=1)
        if name != dataset.good_class and number - 1 in occurs
    )


def _made(
    pool: Dataset, settings: ImageSettings, per_class: int, seed: int, folder: Path
) -> Sequence[Entry]:
    """Make synthetic images, unless they are there, and read them back."""
    numbers = _numbers(pool)
    if not (folder / origins.SYNTHESIS).is_file():
        _LOG.info("making %d synthetic images of each class", per_class)
        # A ratio of 1 keeps the real ones out of the folder: they are read where they lie.
        amounts = {"train": Amount(per_class=per_class, ratio=1)}
        # More is never made of what was made itself.
        photographs = [entry for entry in pool.entries if entry.made_from is None]
        synthesize(
            {"train": replace(pool, entries=tuple(photographs))},
            _maker(settings, seed),
            folder,
            amounts,
            classes=numbers,
            seed=seed,
            overwrite=True,
        )
    written = layouts.read(folder).labelled()
    if written.classes != pool.classes:
        msg = f"{folder} has the classes {', '.join(written.classes)}: delete it, to be made again"
        raise SynthesisError(msg)
    return [
        replace(entry, name=f"synthetic/{entry.name}")
        for entry in written.entries
        if entry.made_from is not None
    ]


def _maker(settings: ImageSettings, seed: int) -> Callable[[Dataset], Maker]:
    def transplanter(part: Dataset) -> Maker:
        sheets = Sheets(dataset=part, kinds=choose_kinds(part))
        return Transplanter(patches=Patches(dataset=part, templates={}), sheets=sheets)

    def drawer(part: Dataset) -> Maker:
        sheets = Sheets(dataset=part, kinds=choose_kinds(part))
        return Drawer(sheets=sheets, kinds=_kinds(part), looks=looks_of(part, seed=seed))

    return transplanter if settings.synthetic_way == "transplant" else drawer


def _kinds(part: Dataset) -> dict[int, str]:
    """Say what each class is drawn as."""
    kinds: dict[int, str] = {}
    for number in _numbers(part):
        name = part.classes[number - 1]
        kind = kind_of(name)
        if kind is None:
            msg = (
                f"nothing says what {name!r} looks like, so it cannot be drawn: set synthetic_way "
                "to 'transplant', or make images with sdd-synthesize draw --kind beforehand"
            )
            raise ConfigError(msg)
        kinds[number] = kind
    return kinds
