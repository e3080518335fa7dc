"""Compare what an exported network says with what PyTorch says in float32.

A network in float32 must give the same probabilities. Weights in float16 and
arithmetic in int8 change them by design; such a network is judged by what they
lead to: which decisions fall and which pixels are outlined.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import masks
from steel_defect_detection.checkpoints import Header
from steel_defect_detection.errors import ExportError
from steel_defect_detection.export.description import Comparison, StoredPrecision
from steel_defect_detection.runtimes import parity

LEAST_DICE = 0.95
"""Least mean Dice of the masks, in float16 and int8."""

LEAST_SAME_DECISIONS = 0.99
"""Least share of images with the same decisions, in float16 and int8."""

Outputs = Mapping[str, NDArray[np.float32]]


class Tally:
    """Counts how far two engines agree on a graph, image by image.

    Args:
        header: Header of the checkpoint, with the thresholds.
        graph: Name of the graph.
    """

    def __init__(self, header: Header, graph: str) -> None:
        """Start without images."""
        self._header = header
        self._graph = graph
        self._differences: list[float] = []
        self._same_decisions: list[bool] = []
        self._same_masks: list[bool] = []
        self._dice: list[float] = []

    def add(self, expected: Outputs, found: Outputs) -> None:
        """Compare the answers to one image.

        Args:
            expected: What PyTorch says, by name, each in a batch of one.
            found: What the exported network says.
        """
        difference = _difference(expected, found)
        self._differences.append(difference)
        usable = bool(np.isfinite(difference))
        if not {"defect_probability", "familiarity"}.isdisjoint(expected):
            same = usable and np.array_equal(self._decisions(expected), self._decisions(found))
            self._same_decisions.append(same)
        if expected["probabilities"].ndim == 4:
            self._add_masks(expected, found if usable else None)

    def result(self) -> Comparison:
        """Say how far they agree on all images so far."""
        worst = max(self._differences)
        return Comparison(
            images=len(self._differences),
            probability_difference=worst if np.isfinite(worst) else None,
            same_decisions=_mean(self._same_decisions),
            same_masks=_mean(self._same_masks),
            dice=_mean(self._dice),
            outlines=len(self._dice),
        )

    def _decisions(self, outputs: Outputs) -> NDArray[Any]:
        """What the probabilities of a whole image decide, and whether it is familiar."""
        named = self._named(outputs)
        if "familiarity" not in outputs:
            return named
        familiar = outputs["familiarity"] >= self._header.thresholds.familiarity
        return np.append(named, familiar)

    def _named(self, outputs: Outputs) -> NDArray[Any]:
        header = self._header
        if "defect_probability" not in outputs:
            return np.zeros(0, dtype=np.bool_)
        if header.architecture == "classifier":
            return self._classes(outputs)
        fires = np.asarray(outputs["defect_probability"] >= header.thresholds.gate)
        return np.append(fires, self._classes(outputs)) if header.thresholds.only_named else fires

    def _classes(self, outputs: Outputs) -> NDArray[Any]:
        """Which classes an image shows."""
        header = self._header
        scores = outputs.get("class_probabilities", outputs["probabilities"])
        network = header.graphs[self._graph].network
        if network.kind == "classifier" and network.exclusive:
            return np.asarray(self._only(scores, outputs["defect_probability"]))
        return np.asarray(scores >= np.array(header.thresholds.classes, dtype=np.float32))

    def _only(
        self, scores: NDArray[np.float32], defect_probability: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """Number of the one of exclusive classes that each image shows."""
        header = self._header
        if header.background is None or header.thresholds.defect is None:
            return np.asarray(scores.argmax(axis=1))
        good = header.classes.index(header.background)
        bad = np.where(np.arange(scores.shape[1]) == good, -1.0, scores).argmax(axis=1)
        return np.where(defect_probability < header.thresholds.defect, good, bad)

    def _add_masks(self, expected: Outputs, found: Outputs | None) -> None:
        """Compare the cleaned masks of an image; no answer outlines nothing."""
        one = self._label_map(expected)
        other = np.zeros_like(one) if found is None else self._label_map(found)
        self._same_masks.append(found is not None and np.array_equal(one, other))
        for number in range(1, len(self._header.classes) + 1):
            ours, theirs = one == number, other == number
            if ours.any() or theirs.any():
                self._dice.append(parity.dice(ours, theirs))

    def _label_map(self, outputs: Outputs) -> NDArray[np.uint8]:
        limits = self._header.thresholds
        return masks.clean(
            outputs["probabilities"][0], thresholds=limits.pixels, min_areas=limits.min_areas
        )


def margin(comparison: Comparison) -> float:
    """How much room is left in low precision: 1 is all of it, and below 0 a network is refused.

    Args:
        comparison: How the network compares with PyTorch.
    """
    if comparison.probability_difference is None:
        return -1 / (1 - LEAST_SAME_DECISIONS)
    dice = 1.0 if comparison.dice is None else comparison.dice
    same = 1.0 if comparison.same_decisions is None else comparison.same_decisions
    return 1 - max((1 - dice) / (1 - LEAST_DICE), (1 - same) / (1 - LEAST_SAME_DECISIONS))


def require(comparison: Comparison, precision: StoredPrecision, what: str) -> None:
    """Refuse a network that does not say what PyTorch says.

    Args:
        comparison: How the two compare.
        precision: How the network is stored.
        what: The network, for the message.

    Raises:
        ExportError: If they differ by more than the precision may.
    """
    problems = _problems(comparison, precision)
    if problems:
        msg = (
            f"{what} differs from PyTorch on {comparison.images} images: {'; '.join(problems)}. "
            "Nothing was written"
        )
        raise ExportError(msg)


def _problems(comparison: Comparison, precision: StoredPrecision) -> list[str]:
    difference = comparison.probability_difference
    if difference is None:
        return ["answers of another shape, or that are no numbers"]
    if precision == "float32":
        if difference <= parity.TOLERANCE:
            return []
        allowed = f"{parity.TOLERANCE:g} is allowed"
        return [f"a probability, or the familiarity, by {difference:.3g}, and {allowed}"]
    problems = []
    if comparison.dice is not None and comparison.dice < LEAST_DICE:
        problems.append(f"mean Dice of the masks is {comparison.dice:.3f}, least is {LEAST_DICE}")
    share = comparison.same_decisions
    if share is not None and share < LEAST_SAME_DECISIONS:
        problems.append(f"{share:.1%} of the decisions are the same, least is 99%")
    return problems


def _difference(expected: Outputs, found: Outputs) -> float:
    """Largest difference of a probability; infinite where an answer is none."""
    largest = 0.0
    for name, array in expected.items():
        other = found.get(name)
        if other is None or other.shape != array.shape or not np.isfinite(other).all():
            return float("inf")
        if parity.is_judged(name):
            largest = max(largest, float(np.abs(array - other).max(initial=0.0)))
    return largest


def _mean(values: list[bool] | list[float]) -> float | None:
    return float(np.mean(values)) if values else None
