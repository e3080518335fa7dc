"""Pictures of results, each drawn when it is asked for and forgotten once it is small."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ImageError, MaskError
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.report import judged, pictures
from steel_defect_detection.report.blocks import Picture
from steel_defect_detection.report.judged import Judged, Outlined, Results


class Album:
    """Gives pictures of a results folder.

    Args:
        results: The folder.
        progress: Whether to show a bar while all images are gone through, if
            standard error is a terminal.

    Attributes:
        problems: What is wrong with files that are there, by name of the image.
    """

    def __init__(self, results: Results, *, progress: bool = False) -> None:
        self._results = results
        self._progress = progress
        self.problems: dict[str, str] = {}
        self._outlined: dict[Path, Outlined | None] = {}

    def leaf_through(self) -> Iterator[Judged]:
        """Give one image after the other."""
        found = self._results.images
        yield from progress_bar(found, unit="image", shown=self._progress)

    def large(self, image: Judged) -> Picture | None:
        """A picture to be looked at; None if there is none."""
        return self._draw(image, pictures.large)

    def small(self, image: Judged) -> Picture | None:
        """A picture for a row of a table; None if there is none."""
        return self._draw(image, pictures.small)

    def outlined(self, image: Judged) -> Outlined | None:
        """What its mask holds, read once; None if there is none that can be read."""
        if image.mask is None:
            return None
        if image.mask not in self._outlined:
            try:
                self._outlined[image.mask] = judged.outlined(self._results, image)
            except (ImageError, MaskError) as error:
                self._note(image, error)
                self._outlined[image.mask] = None
        return self._outlined[image.mask]

    def pieces(self, image: Judged) -> NDArray[np.int64] | None:
        """Connected defects of each class, shape ``(classes,)``; None if nobody can say."""
        found = self.outlined(image)
        if found is not None:
            return found.pieces
        return None if image.area > 0 else np.zeros(len(self._results.classes), dtype=np.int64)

    def _draw(
        self, image: Judged, make: Callable[[NDArray[np.uint8], str], Picture]
    ) -> Picture | None:
        try:
            drawn = judged.picture(self._results, image)
        except (ImageError, MaskError) as error:
            self._note(image, error)
            return None
        words = [word for word in (image.verdict, image.class_name) if word]
        return None if drawn is None else make(drawn, f"{image.name}: {', '.join(words)}")

    def _note(self, image: Judged, error: Exception) -> None:
        self.problems.setdefault(image.name, str(error))
