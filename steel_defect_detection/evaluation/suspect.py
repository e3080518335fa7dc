"""Suspect: one label that is probably wrong, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

REASONS: Mapping[str, str] = {
    "other class": "The model is sure of another class, by confident learning. Score: probability "
    "of the class that is given; certainty: of the one that is suggested.",
    "class not shown": "The image is labelled with the class, and the model is sure that it does "
    "not show it. Score: probability of the class; certainty: 1 minus that.",
    "class not labelled": "The image is not labelled with the class, and the model is sure that it "
    "shows it. Certainty: probability of the class; score: 1 minus that.",
    "outline not found": "A region is outlined, and nothing is found there. Score: highest "
    "probability of the class in the region and close around it; certainty: 1 minus that.",
    "outline of another class": "A region is outlined, and found to be of another class. Score: as "
    "above; certainty: mean probability of the class found.",
    "defect not outlined": "A region is found with certainty, and nothing is outlined there. "
    "Certainty: mean probability of the region; score: 1 minus that.",
    "look-alike with other labels": "An image that shows the same thing has other labels. Score: "
    "share of the images alike that are labelled like this one; certainty: like the other one.",
    "look-alike with other outlines": "An image that shows the same thing has the same labels, but "
    "is outlined elsewhere. Score: IoU of the two within what both show, one turned and moved like "
    "the other; certainty: 1 minus that.",
}
"""What each reason to look at an image again means, and its numbers."""

NOTHING = "nothing"
"""What stands for a class where there is none."""


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One label of an image that is probably wrong.

    Args:
        image: Name of the image.
        reason: Why it is listed, a key of ``REASONS``.
        labelled: What the label says.
        suggested: What it should say instead.
        score: How well the label fits, 0 to 1; ``REASONS`` says which number
            it is.
        certainty: How well the suggestion fits, 0 to 1, likewise.
        area_pixels: Pixels of the region that it is about, if it is about one.
        beside: The image that looks the same, if it is about one.
    """

    image: str
    reason: str
    labelled: str
    suggested: str
    score: float
    certainty: float
    area_pixels: int | None = None
    beside: str | None = None

    @property
    def order(self) -> tuple[bool, float, int, float]:
        """Place in the list: the worst score first, of equal ones the largest region.

        Images that look alike follow after all others, because their score is
        no probability.
        """
        rounded = round(self.score, 2)
        return (self.beside is not None, rounded, -(self.area_pixels or 0), self.score)

    def report(self) -> dict[str, Any]:
        """What is known of it, as JSON can hold it."""
        return {name: value for name, value in vars(self).items() if value is not None}


def words(classes: Sequence[str], shown: NDArray[np.bool_]) -> str:
    """Name the classes that an image shows.

    Example:
        >>> words(("pits", "rust"), np.array([True, True]))
        'pits and rust'
    """
    named = [name for name, here in zip(classes, shown, strict=True) if here]
    return " and ".join(named) or "clean"
