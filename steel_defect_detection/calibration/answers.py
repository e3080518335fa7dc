"""What a classifier or a gate says of whole images, before and after calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from steel_defect_detection.calibration import temperature
from steel_defect_detection.calibration.looks import Seen
from steel_defect_detection.metrics.calibration import expected_calibration_error
from steel_defect_detection.models.config import ClassifierConfig, TwoHeadConfig
from steel_defect_detection.sample import are_defects


@dataclass(frozen=True, kw_only=True, eq=False)
class Said:
    """What was said with a probability, and whether it was so.

    Args:
        what: What it was about: ``any defect``, or ``the class named``.
        before: Probabilities before calibration, shape ``(images,)``.
        after: And after.
        happened: Whether it was so, bool, same shape.
    """

    what: str
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    happened: NDArray[np.bool_]


class Answers:
    """Logits of images whose truth is known, and the temperature that fits them.

    Args:
        network: The network that gave them.
        seen: The images.

    Attributes:
        names: Names of the classes.
        temperature: What the logits are to be divided by.
        labels: Which classes each image shows, bool, shape ``(images, classes)``.
        defective: Which images show a defect, bool, shape ``(images,)``.
    """

    def __init__(self, network: ClassifierConfig | TwoHeadConfig, seen: Sequence[Seen]) -> None:
        """Fit the temperature; where it would not lower the calibration error it stays 1."""
        classifier = network if isinstance(network, ClassifierConfig) else None
        self._good = classifier.good_class if classifier else None
        self.exclusive = classifier is not None and classifier.exclusive
        self._adds_up = classifier is not None and classifier.adds_up
        self.names = network.classes
        # Copies first, then images.
        self._logits = np.array([one.logits for one in seen], dtype=np.float64).swapaxes(0, 1)
        self.labels = np.array([one.labels for one in seen])
        self._bad = are_defects(network.classes, self._good)
        self.defective = np.asarray(self.labels[:, self._bad].any(axis=1))
        shown = self.labels
        if self._logits.shape[2] > shown.shape[1]:
            shown = np.column_stack([shown, self.defective])
        fitted = temperature.fit(self._logits, shown, exclusive=self._adds_up)
        lower = self._error(fitted, shown) < self._error(1.0, shown)
        self.temperature = fitted if lower else 1.0

    @property
    def knows_clean(self) -> bool:
        """Whether an image can be free of defects at all."""
        return not self.exclusive or self._good is not None

    def classes(self, heat: float) -> NDArray[np.float64]:
        """Probability of each class at a temperature, shape ``(images, classes)``.

        Args:
            heat: The temperature; 1 for what the network says by itself.
        """
        return np.asarray(self._outputs(heat).mean(axis=0)[:, : len(self.names)])

    def any_defect(self, heat: float) -> NDArray[np.float64]:
        """Probability of any defect at a temperature, shape ``(images,)``.

        Args:
            heat: The temperature.
        """
        outputs = self._outputs(heat)
        if self._good is not None:
            said = 1 - outputs[..., self.names.index(self._good)]
        else:
            own = outputs[..., len(self.names) :]
            said = own[..., 0] if own.shape[2] else outputs.max(axis=2)
        return np.asarray(said.mean(axis=0))

    def likeliest_is_defect(self) -> NDArray[np.bool_]:
        """Whether the likeliest class of each image is a defect."""
        return np.asarray(self._bad[self.classes(self.temperature).argmax(axis=1)])

    def said(self) -> list[Said]:
        """What was said of the images, before and after."""
        heats = (1.0, self.temperature)
        found = []
        if self.knows_clean:
            before, after = (self.any_defect(heat) for heat in heats)
            found.append(
                Said(what="any defect", before=before, after=after, happened=self.defective)
            )
        if self.exclusive:
            tables = [self.classes(heat) for heat in heats]
            named = np.arange(len(self.labels)), tables[1].argmax(axis=1)
            right = np.asarray(self.labels[named])
            before, after = (table[named] for table in tables)
            found.append(Said(what="the class named", before=before, after=after, happened=right))
        return found

    def metrics(self) -> dict[str, Any]:
        """Temperature, and the expected calibration error before and after."""
        found: dict[str, Any] = {"temperature": self.temperature}
        for said in self.said():
            words = said.what.replace(" ", "_")
            for name, values in (("before", said.before), ("after", said.after)):
                error = expected_calibration_error(values, said.happened)
                found[f"calibration_error_{words}_{name}"] = error
        return found

    def _error(self, heat: float, shown: NDArray[np.bool_]) -> float:
        """Calibration error at a temperature: of the class named, or of all outputs together."""
        outputs = self._outputs(heat).mean(axis=0)
        if not self._adds_up:
            return expected_calibration_error(outputs.ravel(), shown.ravel())
        right = shown[np.arange(len(outputs)), outputs.argmax(axis=1)]
        return expected_calibration_error(outputs.max(axis=1), np.asarray(right))

    def _outputs(self, heat: float) -> NDArray[np.float64]:
        """Probabilities, shape ``(copies, images, outputs)``."""
        cooled = self._logits / heat
        return np.asarray(softmax(cooled, axis=2) if self._adds_up else expit(cooled))
