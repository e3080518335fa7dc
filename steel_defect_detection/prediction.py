"""Prediction: what a predictor says about one image."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import drawing, masks, rle
from steel_defect_detection.errors import ImageError, MaskError

Verdict = Literal["clean", "defect", "unfamiliar", "error"]


@dataclass(frozen=True, kw_only=True)
class Times:
    """Milliseconds spent on one image; None where a stage did not run."""

    decode_ms: float | None = None
    gate_ms: float | None = None
    segment_ms: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What a predictor says about one image.

    Args:
        source: File the image was read from, or a name for an array.
        classes: Names of the defect classes; class 1 of the label map is the
            first of them.
        verdict: ``clean``, ``defect``, ``unfamiliar`` (the model was not made
            for such images, so what it says of this one counts for little) or
            ``error`` (no image could be judged).
        scores: Probability that each class occurs somewhere in the image,
            float, shape ``(classes,)``, 0 to 1; None after an error.
        label_map: Class of each pixel, uint8, shape ``(height, width)``, 0
            where there is no defect; None if nothing outlines defects here.
        gate_probability: Probability of any defect, 0 to 1, where a gate was
            asked.
        probabilities: Probability of each class at each pixel, float32, shape
            ``(classes, height, width)``; kept only when asked for.
        image: The pixels that were judged, kept only when asked for.
        good_class: The class, if any, that means "free of defects", and so is
            never the one that a defect is called.
        certainty: Probability that the verdict is right, or, of classes that
            exclude each other, the class; 0 to 1, if the model can say.
        familiarity: How much the image resembles those that the model knows, 0
            to 1, if it can say: 1/2 is that of the median one.
        times: Milliseconds per stage.
        error: One line saying what went wrong; only with the verdict ``error``.

    Raises:
        MaskError: If the label map is not uint8 or names a class that is not
            in the list.
    """

    source: str
    classes: tuple[str, ...]
    verdict: Verdict
    scores: NDArray[np.float32] | None = None
    label_map: NDArray[np.uint8] | None = None
    gate_probability: float | None = None
    probabilities: NDArray[np.float32] | None = None
    image: NDArray[np.uint8] | None = None
    good_class: str | None = None
    certainty: float | None = None
    familiarity: float | None = None
    times: Times = field(default_factory=Times)
    error: str | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit each other."""
        if self.label_map is not None:
            masks.check_label_map(self.label_map, len(self.classes))
        if (self.verdict == "error") != (self.error is not None):
            msg = f"an error message and the verdict 'error' go together, got {self.verdict!r}"
            raise MaskError(msg)

    @property
    def masks(self) -> NDArray[np.bool_]:
        """Mask per class, bool, shape ``(classes, height, width)``.

        Raises:
            MaskError: If this prediction outlines nothing.
        """
        return masks.from_label_map(self._outlined(), len(self.classes))

    @property
    def areas(self) -> NDArray[np.int64]:
        """Pixels of each class, int64, shape ``(classes,)``; zeros where nothing is outlined.

        A classifier outlines nothing: its ``label_map`` is None, and these zeros say nothing.
        """
        if self.label_map is None:
            return np.zeros(len(self.classes), dtype=np.int64)
        return masks.areas(self.label_map, len(self.classes))

    @property
    def class_name(self) -> str | None:
        """Name of the foremost defect class, None unless the verdict is ``defect``.

        The foremost class has the largest area; without a label map, or on
        equal areas, the highest score.
        """
        if self.verdict != "defect":
            return None
        scores = np.zeros(len(self.classes)) if self.scores is None else self.scores
        names = [self.classes[number] for number in np.lexsort((scores, self.areas))]
        return next((name for name in reversed(names) if name != self.good_class), None)

    def runs(self) -> dict[str, str]:
        """Run-length string of each class that was found, by class name."""
        if self.label_map is None:
            return {}
        return {
            name: rle.encode(self.label_map == number)
            for number, name in enumerate(self.classes, start=1)
            if (self.label_map == number).any()
        }

    def overlay(self, image: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Draw the image with outlined and labelled defects.

        Where nothing outlines defects, the image with the foremost class and
        its probability below it.

        Args:
            image: The pixels to draw on, uint8, shape ``(height, width, 1 or
                3)``; by default the kept image.

        Returns:
            Red, green, blue, uint8, shape ``(height, width, 3)``.

        Raises:
            ImageError: If no image was kept and none is given.
            MaskError: If no image could be judged.
        """
        pixels = self.image if image is None else image
        if pixels is None:
            msg = f"{self.source}: no image was kept; pass it, or predict with keep_image=True"
            raise ImageError(msg)
        if self.label_map is None and self.scores is not None:
            return drawing.caption(pixels, *self._named(self.scores))
        return drawing.overlay(pixels, self._outlined(), self.classes)

    def _named(self, scores: NDArray[np.float32]) -> tuple[str, float, drawing.Color]:
        """What the image shows, how probable that is, and its colour."""
        if self.verdict == "unfamiliar":
            near = self.certainty if self.familiarity is None else self.familiarity
            return self.verdict, 1 - (near or 0.0), drawing.UNFAMILIAR
        if self.class_name is None:
            certainty = 1 - float(
                scores.max() if self.gate_probability is None else self.gate_probability
            )
            return self.verdict, certainty, drawing.CLEAN
        number = self.classes.index(self.class_name)
        return self.class_name, float(scores[number]), drawing.color(number + 1)

    def _outlined(self) -> NDArray[np.uint8]:
        if self.label_map is None:
            msg = f"{self.source}: this prediction has no masks (verdict {self.verdict!r})"
            raise MaskError(msg)
        return self.label_map
