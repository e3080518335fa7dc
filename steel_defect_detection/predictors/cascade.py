"""Cascade: a gate lets clean images pass, a segmenter outlines the rest."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.prediction import Prediction
from steel_defect_detection.predictors.classifier import ClassifierPredictor
from steel_defect_detection.predictors.predictor import Predictor, verdict_of
from steel_defect_detection.predictors.segmenter import SegmenterPredictor
from steel_defect_detection.runtimes.runtime import Runtime


class CascadePredictor(Predictor):
    """Asks the gate first, and the segmenter only where the gate fires.

    An image is a defect where the gate fires and the segmenter outlines
    something; a gate that fires on an image without an outline does not make
    it one. Where the thresholds say ``only_named``, only classes that the gate
    names are outlined.

    Args:
        gate: Says whether there is any defect.
        segmenter: Says where, for the same classes.
    """

    def __init__(self, gate: ClassifierPredictor, segmenter: SegmenterPredictor) -> None:
        super().__init__(segmenter.classes, segmenter.thresholds, careful=gate.careful)
        self._gate = gate
        self._segmenter = segmenter

    @property
    def networks(self) -> dict[str, Runtime]:
        """Both networks."""
        return {"gate": self._gate.networks["classifier"], **self._segmenter.networks}

    def judge(self, image: NDArray[np.uint8], source: str) -> Prediction:
        """Judge one image; classes are scored by the gate.

        Args:
            image: uint8, shape ``(height, width, 1 or 3)``.
            source: What the image is called in the prediction.
        """
        gate = self._gate.judge(image, source)
        fires = (gate.gate_probability or 0.0) >= self._gate.thresholds.gate
        if not fires:
            nothing = np.zeros(image.shape[:2], dtype=np.uint8)
            return replace(gate, verdict="clean", label_map=nothing)
        found = self._segmenter.outline(image, source, self._named(gate))
        return replace(
            found,
            verdict=verdict_of(defect=bool(found.areas.any())),
            scores=gate.scores,
            gate_probability=gate.gate_probability,
            familiarity=gate.familiarity,
            times=replace(found.times, gate_ms=gate.times.gate_ms),
        )

    def _named(self, gate: Prediction) -> NDArray[np.bool_] | None:
        """Classes that may be outlined, if the gate has a say in it."""
        if gate.scores is None or not self.thresholds.only_named:
            return None
        return self._gate.named(gate.scores)
