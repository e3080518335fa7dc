"""Segmenter: outlines the defects of an image."""

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images, masks
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.prediction import Prediction, Times
from steel_defect_detection.predictors.predictor import Predictor, verdict_of
from steel_defect_detection.runtimes import tiling
from steel_defect_detection.runtimes.runtime import Runtime


class SegmenterPredictor(Predictor):
    """Outlines defects; an image is clean where nothing is outlined.

    Args:
        classes: Names of the defect classes.
        thresholds: Probability per class from which a pixel belongs to it,
            and the least area of a defect.
        segmenter: The network.
        fill_holes: Whether holes inside a defect belong to it.
        keep_probabilities: Whether predictions carry the probabilities along.
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        thresholds: Thresholds,
        *,
        segmenter: Runtime,
        fill_holes: bool = False,
        keep_probabilities: bool = False,
    ) -> None:
        super().__init__(classes, thresholds)
        self._segmenter = segmenter
        self._fill_holes = fill_holes
        self._keep_probabilities = keep_probabilities

    @property
    def networks(self) -> dict[str, Runtime]:
        """The segmenter."""
        return {"segmenter": self._segmenter}

    def judge(self, image: NDArray[np.uint8], source: str) -> Prediction:
        """Judge one image; a class scores its most probable pixel.

        Args:
            image: uint8, shape ``(height, width, 1 or 3)``.
            source: What the image is called in the prediction.

        Raises:
            ImageError: If the image is something else.
        """
        images.check(image, source)
        return self.outline(image, source)

    def outline(
        self, image: NDArray[np.uint8], source: str, named: NDArray[np.bool_] | None = None
    ) -> Prediction:
        """Judge one image on which only some classes may be.

        Args:
            image: uint8, shape ``(height, width, 1 or 3)``.
            source: What the image is called in the prediction.
            named: Which classes may be outlined, bool, shape ``(classes,)``; all
                by default. The probabilities of the others are 0.
        """
        started = perf_counter()
        output = tiling.segment(self._segmenter, image)
        probabilities, familiarity = output["probabilities"], output.get("familiarity")
        if named is not None:
            probabilities = masks.only(probabilities, named)
        label_map = masks.clean(
            probabilities,
            thresholds=self.thresholds.pixels,
            min_areas=self.thresholds.min_areas,
            fill_holes=self._fill_holes,
        )
        return Prediction(
            source=source,
            classes=self.classes,
            verdict=verdict_of(defect=bool(label_map.any())),
            scores=probabilities.max(axis=(1, 2)),
            label_map=label_map,
            probabilities=probabilities if self._keep_probabilities else None,
            familiarity=None if familiarity is None else float(familiarity),
            times=Times(segment_ms=(perf_counter() - started) * 1000),
        )
