"""Drawn defects: painted from geometry and noise, on real sheets or on drawn strips."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.datasets.severstal import CLASSES
from steel_defect_detection.errors import ConfigError, SynthesisError
from steel_defect_detection.synthesis.looks import Look, look_at
from steel_defect_detection.synthesis.made import Made, Parameter
from steel_defect_detection.synthesis.painters import KINDS, paint
from steel_defect_detection.synthesis.procedural import SMALLEST_SIDE, draw_strip
from steel_defect_detection.synthesis.sheets import Sheet, Sheets, check_shape

# How often another sheet is tried, where one has no room.
_ATTEMPTS = 10
# Images that the look of a class is measured on.
_MOST_LOOKED_AT = 60
# Parts of class names, and what such a class looks like.
_WORDS = {
    "scratch": "scratches",
    "scuff": "scratches",
    "groove": "scratches",
    "crease": "scratches",
    "line": "scratches",
    "roll": "rolled-in scale",
    "scale": "rolled-in scale",
    "crack": "cracks",
    "craz": "cracks",
    "fissure": "cracks",
    "inclusion": "inclusions",
    "sliver": "inclusions",
    "slag": "inclusions",
    "pit": "pits",
    "hole": "pits",
    "dent": "pits",
    "bubble": "pits",
    "patch": "patches",
    "stain": "patches",
    "spot": "patches",
    "break": "patches",
    "fray": "patches",
    "uneven": "patches",
    "rust": "patches",
    CLASSES[0]: "pits",
    CLASSES[1]: "scratches",
    CLASSES[2]: "scratches",
    CLASSES[3]: "patches",
}


@dataclass(frozen=True, kw_only=True)
class StripDrawer:
    """Draws whole strips like those of the Severstal competition, without any real image.

    Args:
        shape: Height and width, in pixels, each at least 64.
    """

    shape: tuple[int, int]
    way: str = field(default="draw", init=False)

    def make(self, number: int, seed: int) -> Made:
        """Draw a strip.

        Args:
            number: Class of its defects, 1 to 4; 0 for a clean strip.
            seed: Seed of everything random.

        Raises:
            ConfigError: If the strip is too small for the class.
        """
        check_shape(self.shape, SMALLEST_SIDE)
        strip = draw_strip(seed=seed, defects=[number] if number else [], shape=self.shape)
        return Made(image=strip.image[..., :1], masks=strip.masks, parameters={"defect": number})


@dataclass(frozen=True, kw_only=True)
class Drawer:
    """Paints defects onto sheets.

    Args:
        sheets: Where they are painted.
        kinds: What each class is painted as, one of ``painters.KINDS``, by
            number of the class from 1.
        looks: What real defects of a class look like, by its number; classes
            without one get the painter's own shapes.
        difficulty: Least and largest difficulty, 0 (bold) to 1 (hardly seen).

    Raises:
        ConfigError: If a kind does not exist, or the difficulty is no range
            within 0 to 1.
    """

    sheets: Sheets
    kinds: Mapping[int, str]
    looks: Mapping[int, Look] = field(default_factory=dict)
    difficulty: tuple[float, float] = (0.2, 0.8)
    way: str = field(default="draw", init=False)

    def __post_init__(self) -> None:
        """Check the kinds and the range."""
        unknown = sorted(set(self.kinds.values()).difference(KINDS))
        if unknown:
            msg = f"defects are drawn as {', '.join(KINDS)}; got {', '.join(unknown)}"
            raise ConfigError(msg)
        low, high = self.difficulty
        if not 0 <= low <= high <= 1:
            msg = f"expected a difficulty, or a range of it, within 0 to 1, got {low} to {high}"
            raise ConfigError(msg)

    def make(self, number: int, seed: int) -> Made:
        """Paint a defect of one class on a sheet.

        Args:
            number: Number of the class, from 1; 0 leaves the sheet as it is.
            seed: Seed of everything random.

        Raises:
            SynthesisError: If no sheet has room for it.
        """
        generator = np.random.default_rng(seed)
        if number == 0:
            return _made(self.sheets.pick(generator), {})
        for _ in range(_ATTEMPTS):
            sheet = self.sheets.pick(generator)
            try:
                painted = paint(
                    sheet.image,
                    self.kinds[number],
                    generator,
                    difficulty=float(generator.uniform(*self.difficulty)),
                    where=sheet.free,
                    like=self.looks.get(number),
                )
            except ConfigError:
                continue
            masks = sheet.masks.copy()
            masks[number - 1] |= painted.mask
            drawn = Sheet(
                image=painted.image,
                masks=masks,
                free=sheet.free & ~painted.mask,
                kind=sheet.kind,
                source=sheet.source,
            )
            return _made(drawn, {"kind": self.kinds[number], **painted.parameters})
        name = self.sheets.dataset.classes[number - 1]
        msg = (
            f"no room to draw {name!r} on {_ATTEMPTS} sheets: too little of them is free of "
            "defects. --sheets cleaned or drawn may have more room"
        )
        raise SynthesisError(msg)


def kind_of(name: str) -> str | None:
    """Guess what defects of a class look like, by its name; None where it says nothing.

    Example:
        >>> kind_of("MT_Blowhole"), kind_of("rolled-in_scale"), kind_of("class_7")
        ('pits', 'rolled-in scale', None)
    """
    words = name.casefold()
    return next((kind for word, kind in _WORDS.items() if word in words), None)


def looks_of(dataset: Dataset, *, seed: int = 0) -> dict[int, Look]:
    """Measure what the defects of each class look like.

    Args:
        dataset: Training images with labels; those with masks are looked at, at
            most 60 of each class.
        seed: Decides which.

    Returns:
        The look by number of the class, from 1, of the classes that have
        outlined defects.
    """
    labels = dataset.labels()
    masked = np.array([entry.masks is not None for entry in dataset.entries], np.bool_)
    generator = np.random.default_rng(seed)
    found = {}
    for number in range(1, len(dataset.classes) + 1):
        shown = generator.permutation((labels[:, number - 1] & masked).nonzero()[0])
        samples = (dataset[place] for place in shown[:_MOST_LOOKED_AT].tolist())
        pairs = [
            (sample.image, sample.masks[number - 1])
            for sample in samples
            if sample.masks is not None and sample.masks[number - 1].any()
        ]
        try:
            found[number] = look_at(pairs)
        except ConfigError:
            # No defect large enough to say what they look like: the painter has its own shapes.
            continue
    return found


def _made(sheet: Sheet, parameters: Mapping[str, Parameter]) -> Made:
    return Made(
        image=sheet.image,
        masks=sheet.masks,
        sources=() if sheet.source is None else (sheet.source,),
        parameters={"sheet": sheet.source, "sheet_kind": sheet.kind, **parameters},
    )
