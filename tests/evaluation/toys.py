"""Predictors that look at brightness, and images that they get half right."""

import numpy as np

from steel_defect_detection import masks
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.sample import Sample

CLASSES = ("scratch",)


class Brightness(Predictor):
    """Calls every bright pixel a scratch and scores an image by its mean."""

    @property
    def networks(self):
        return {}

    def judge(self, image, source):
        label_map = (image[..., 0] > 127).astype(np.uint8)
        verdict = "defect" if label_map.any() else "clean"
        return Prediction(
            source=source,
            classes=self.classes,
            verdict=verdict,
            scores=np.full(len(self.classes), image.mean() / 255, dtype=np.float32),
            label_map=label_map,
        )


def samples() -> list[Sample]:
    random = np.random.default_rng(0)
    made = []
    for number in range(10):
        image = random.integers(0, 120, (16, 16, 3), dtype=np.uint8)
        masks = np.zeros((1, 16, 16), dtype=np.bool_)
        if number % 2:
            masks[0, 4:8, 4:12] = True
            image[4:8, 4:8] = 200  # half of the scratch is bright
        made.append(Sample(name=f"{number}.png", image=image, classes=CLASSES, masks=masks))
    return made


class Told(Predictor):
    """A classifier that reads its answer from the first pixels: 0 to 100 percent each."""

    def __init__(self, classes, *, thresholds=0.5, exclusive=True, good_class=None):
        limits = Thresholds.default(len(classes)).model_copy(
            update={"classes": tuple(np.broadcast_to(thresholds, len(classes)).tolist())}
        )
        super().__init__(classes, limits, exclusive=exclusive, good_class=good_class)

    @property
    def networks(self):
        return {}

    @property
    def runtimes(self):
        return {"classifier": "told"}

    def judge(self, image, source):
        scores = (image[0, : len(self.classes), 0] / 100).astype(np.float32)
        bad = [name != self.good_class for name in self.classes]
        prediction = Prediction(source=source, classes=self.classes, verdict="clean", scores=scores)
        defect = (self.shown(prediction) & bad).any()
        return Prediction(
            source=source,
            classes=self.classes,
            verdict="defect" if defect else "clean",
            scores=scores,
            gate_probability=float(scores[bad].max()),
        )


def told(percent: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> list[Sample]:
    """Samples that make ``Told`` answer so."""
    made = []
    for number, (row, shown) in enumerate(zip(percent, labels, strict=True)):
        image = np.zeros((16, 16, 1), dtype=np.uint8)
        image[0, : len(row), 0] = row
        made.append(Sample(name=f"{number}.png", image=image, classes=classes, labels=shown))
    return made


class Painted(Predictor):
    """Outlines by probabilities that are painted into the image: 0 to 100 percent, a channel each.

    Args:
        classes: Names of one or three classes.
        kept: Whether predictions carry the probabilities along.
        gate: Probability of any defect of a gate that lets every image pass; None without one.
    """

    def __init__(self, classes, *, kept=True, gate=None):
        super().__init__(classes, Thresholds.default(len(classes)))
        self._kept = kept
        self._gate = gate

    @property
    def networks(self):
        return {}

    def judge(self, image, source):
        probabilities = np.ascontiguousarray(image.transpose(2, 0, 1) / 100, dtype=np.float32)
        count = len(self.classes)
        label_map = masks.clean(probabilities, thresholds=(0.5,) * count, min_areas=(0,) * count)
        if self._gate is not None:
            label_map[:] = 0
        return Prediction(
            source=source,
            classes=self.classes,
            verdict="defect" if label_map.any() else "clean",
            scores=probabilities.max(axis=(1, 2)),
            label_map=label_map,
            gate_probability=self._gate,
            probabilities=probabilities if self._kept and self._gate is None else None,
        )
