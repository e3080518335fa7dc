"""Classifier: says which defect classes an image shows, not where."""

from collections.abc import Mapping
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.prediction import Prediction, Times, Verdict
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.runtimes import tiling
from steel_defect_detection.runtimes.runtime import Runtime
from steel_defect_detection.sample import are_defects


class ClassifierPredictor(Predictor):
    """Names the defect classes of an image.

    Args:
        classes: Names of the defect classes.
        thresholds: Probability per class from which an image shows it.
        classifier: The network.
        exclusive: Whether an image shows exactly one class: the likeliest one,
            whatever the thresholds.
        good_class: The class, if any, that means "free of defects".
        careful: The same network in float32; it is asked again where the
            first answer is close to a threshold.
        is_gate: Whether it decides only if there is any defect, and not which.
        kernels: Whether its probabilities are kernels, each how near the image
            is to a class. The largest is then the certainty. An image whose
            nearest class means "free of defects", but does not reach that class's
            threshold, has the verdict ``unfamiliar``: it must not pass as clean.
    """

    def __init__(  # noqa: PLR0913 -- each is one fact of the checkpoint
        self,
        classes: tuple[str, ...],
        thresholds: Thresholds,
        *,
        classifier: Runtime,
        exclusive: bool = False,
        good_class: str | None = None,
        careful: Runtime | None = None,
        is_gate: bool = False,
        kernels: bool = False,
    ) -> None:
        super().__init__(
            classes, thresholds, good_class=good_class, exclusive=exclusive, careful=careful
        )
        self._classifier = classifier
        self._is_gate = is_gate
        self._kernels = kernels
        self._is_bad = are_defects(classes, good_class)

    @property
    def careful(self) -> Runtime | None:
        """What close answers are asked for again with."""
        return self._careful

    @property
    def networks(self) -> dict[str, Runtime]:
        """The classifier."""
        return {"classifier": self._classifier}

    def judge(self, image: NDArray[np.uint8], source: str) -> Prediction:
        """Judge one image; the prediction has no label map.

        Args:
            image: uint8, shape ``(height, width, 1 or 3)``.
            source: What the image is called in the prediction.

        Raises:
            ImageError: If the image is something else.
        """
        images.check(image, source)
        started = perf_counter()
        output = tiling.classify(self._classifier, image, exclusive=self.exclusive)
        careful = self._careful_about(self._classifier, self._gap(output))
        if careful is not None:
            output = tiling.classify(careful, image, exclusive=self.exclusive)
        scores = output["probabilities"]
        familiarity = output.get("familiarity")
        return Prediction(
            source=source,
            classes=self.classes,
            verdict=self._verdict(scores),
            scores=scores,
            gate_probability=float(output["defect_probability"]),
            good_class=self.good_class,
            familiarity=None if familiarity is None else float(familiarity),
            certainty=float(scores.max()) if self._kernels else None,
            times=Times(gate_ms=(perf_counter() - started) * 1000),
        )

    def _gap_of_names(self, scores: NDArray[np.float32]) -> float:
        return _lead(scores) if self.exclusive else super()._gap_of_names(scores)

    def _verdict(self, scores: NDArray[np.float32]) -> Verdict:
        """Word for what the probabilities say."""
        if (self.named(scores) & self._is_bad).any():
            return "defect"
        nearest = int(scores.argmax())
        far = self._kernels and scores[nearest] < self.thresholds.classes[nearest]
        return "unfamiliar" if far else "clean"

    def _gap(self, output: Mapping[str, NDArray[np.float32]]) -> float:
        """How far the answer is from another decision."""
        scores = output["probabilities"]
        if self._is_gate:
            return self._gap_of_gate(float(output["defect_probability"]), scores)
        if not self.exclusive:
            return self._gap_of_names(scores)
        if self.thresholds.defect is None or self.good_class is None:
            return _lead(scores)
        beyond = float(output["defect_probability"]) - self.thresholds.defect
        # Which class a defect is called matters only where there is one.
        return min(abs(beyond), _lead(scores[self._is_bad]) if beyond > 0 else 1.0)


def _lead(scores: NDArray[np.float32]) -> float:
    """How far the two likeliest classes are from changing places."""
    if len(scores) < 2:
        return 1.0
    second, first = np.sort(scores)[-2:]
    return float(first - second) / 2
