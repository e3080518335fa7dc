"""A sheet of synthetic images, a few of each class, with their outlines."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import drawing, figures
from steel_defect_detection.masks import to_label_map
from steel_defect_detection.sample import Sample

CLEAN = "free of defects"
"""What an image is called that was made for no class."""

# Samples of each class on the sheet.
_SHOWN = 4


class Samples:
    """A few images of each class for one picture.

    Args:
        classes: Names of the classes.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        """Start without images."""
        self._classes = classes
        self._pictures: dict[str, NDArray[np.uint8]] = {}
        self._counts: dict[int, int] = {}

    def add(self, number: int, sample: Sample) -> None:
        """Take an image, if its class has few.

        Args:
            number: Class that it was made for, from 1; 0 for one free of defects.
            sample: The image.
        """
        count = self._counts.get(number, 0)
        if count >= _SHOWN:
            return
        self._counts[number] = count + 1
        name = self._classes[number - 1] if number else CLEAN
        self._pictures[f"{figures.plain(name)} {count + 1}"] = _outlined(sample)

    def write(self, path: Path) -> None:
        """Draw the picture, if there are any images.

        Raises:
            ResultsError: If it cannot be written.
        """
        if self._pictures:
            figure = figures.sheet(self._pictures, columns=_columns(self._pictures))
            figures.write(path, figure)


def _columns(pictures: Mapping[str, NDArray[np.uint8]]) -> int | None:
    height, width = next(iter(pictures.values())).shape[:2]
    return _SHOWN if height > width / 2 else None


def _outlined(sample: Sample) -> NDArray[np.uint8]:
    image = sample.image if sample.image.shape[2] == 3 else np.repeat(sample.image, 3, axis=2)
    if sample.masks is None:
        return image
    return drawing.overlay(image, to_label_map(sample.masks), sample.classes)
