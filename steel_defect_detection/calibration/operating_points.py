"""Operating points: at which threshold how many good images are stopped and defective ones passed.

*Overkill* is the share of good images that are called defective, *underkill* the
share of defective ones that are not. One is bought with the other, and the
threshold says at which price.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What thresholds are chosen for: a recall, or the least cost.

    Args:
        target_recall: Share of defective images to find at least.
        false_reject_cost: Cost of a good image that is called defective.
        false_accept_cost: Cost of a defective image that is called good.

    Raises:
        ConfigError: If it is both or neither, or a number is out of range.
    """

    target_recall: float | None = None
    false_reject_cost: float | None = None
    false_accept_cost: float | None = None

    def __post_init__(self) -> None:
        """Check that it is one thing."""
        costs = (self.false_reject_cost, self.false_accept_cost)
        if (costs[0] is None) != (costs[1] is None):
            msg = "a false reject and a false accept each need their cost: give both"
            raise ConfigError(msg)
        if (self.target_recall is None) == (costs[0] is None):
            msg = "give a target recall or two costs, one of the two"
            raise ConfigError(msg)
        if self.target_recall is not None and not 0 < self.target_recall <= 1:
            msg = (
                "target recall must be above 0 and at most 1, such as 0.95, got "
                f"{self.target_recall:g}"
            )
            raise ConfigError(msg)
        if not all(cost is None or 0 < cost < float("inf") for cost in costs):
            msg = f"costs must be positive numbers, got {costs[0]} and {costs[1]}"
            raise ConfigError(msg)

    def __str__(self) -> str:
        """What it is, in words."""
        if self.target_recall is not None:
            return f"a recall of {self.target_recall:g}"
        return (
            f"the least cost, {self.false_reject_cost:g} per false reject and "
            f"{self.false_accept_cost:g} per false accept"
        )


Setting = Literal["gate", "defect", "classes", "pixels"]
"""Thresholds of a model that decide about images."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Decisions:
    """Scores of images that are called defective from a threshold on.

    Args:
        name: What is decided: ``any defect``, or a class.
        setting: Field of ``Thresholds`` that decides.
        place: Place in it, where it holds one threshold per class.
        scores: 0 to 1, shape ``(images,)``.
        defective: Whether each image should be called so, bool, same shape.
        unset: Whether each image is called so while the model has no threshold
            for it, bool, same shape; None where it always has one.
    """

    name: str
    setting: Setting
    place: int = 0
    scores: NDArray[np.float64]
    defective: NDArray[np.bool_]
    unset: NDArray[np.bool_] | None = None

    def threshold(self, thresholds: Thresholds) -> float | None:
        """Threshold of a model that decides this; None where the likeliest class does.

        Args:
            thresholds: Those of the model.
        """
        found = getattr(thresholds, self.setting)
        value = found[self.place] if isinstance(found, tuple) else found
        return None if value is None else float(value)

    def choose(self, aim: Aim) -> float | None:
        """Find the threshold for an aim.

        Args:
            aim: For a recall, the highest threshold that reaches it; for costs,
                the cheapest one, of equals the one in the middle.

        Returns:
            The threshold, halfway between two scores; None if there are no
            defective or no good images to choose by, or no threshold reaches
            the recall.
        """
        if self.defective.all() or not self.defective.any():
            return None
        thresholds = self.candidates()
        if aim.target_recall is not None:
            found = _reaching(self.scores[self.defective], thresholds) / self.defective.sum()
            reached = np.flatnonzero(found >= aim.target_recall - 1e-9)
            return float(thresholds[reached[-1]]) if len(reached) else None
        costs = self.costs(aim, thresholds)
        cheapest = np.flatnonzero(costs <= costs.min() + 1e-9)
        return float(thresholds[cheapest[len(cheapest) // 2]])

    def finds(self, threshold: float) -> bool:
        """Whether any defective image reaches a threshold.

        Args:
            threshold: 0 to 1.
        """
        return bool((self.scores[self.defective] >= threshold).any())

    def why_not(self, aim: Aim) -> str:
        """Say why ``choose`` found nothing that is of use.

        Args:
            aim: What it was to choose for.
        """
        if self.defective.all():
            return "all images show it"
        if not self.defective.any():
            return "no image shows it"
        if aim.target_recall is None:
            return "it would cost least never to say it"
        return "it is not found often enough at any threshold"

    def nearest(self, called: NDArray[np.bool_], wanted: float) -> float:
        """Find the threshold that calls the same images defective as another model did.

        Args:
            called: Which images that was, bool, shape ``(images,)``.
            wanted: Threshold to take if it does; else the nearest to it of
                those that change the fewest decisions.
        """
        thresholds = np.array([wanted, *self.candidates()])
        stopped = _reaching(self.scores[~called], thresholds)
        changed = stopped + called.sum() - _reaching(self.scores[called], thresholds)
        return float(thresholds[np.lexsort((np.abs(thresholds - wanted), changed))[0]])

    def candidates(self) -> NDArray[np.float64]:
        """Thresholds that decide differently, rising: one between any two scores, and 0 and 1.

        For pixels there is none of 0, from which on each of them is a defect.
        """
        scores = np.unique(self.scores)
        lowest = [scores[0] / 2] if scores[0] > 0 else []
        first = lowest if self.setting == "pixels" else [0.0]
        return np.unique(np.concatenate([first, (scores[1:] + scores[:-1]) / 2, [1.0]]))

    def costs(self, aim: Aim, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cost per image at each threshold, shape ``(thresholds,)``.

        Args:
            aim: The two costs.
            thresholds: Shape ``(thresholds,)``.
        """
        rejects = _reaching(self.scores[~self.defective], thresholds)
        accepts = self.defective.sum() - _reaching(self.scores[self.defective], thresholds)
        costs = rejects * (aim.false_reject_cost or 0.0) + accepts * (aim.false_accept_cost or 0.0)
        return np.asarray(costs / len(self.scores))

    def at(self, threshold: float | None) -> dict[str, Any]:
        """What a threshold does.

        Args:
            threshold: 0 to 1; None for what is called so without one.

        Returns:
            ``name``, ``threshold``, the numbers of ``good`` and ``defective``
            images, ``overkill`` and ``underkill`` with their 95 % intervals
            (Wilson); None where there is no such image.
        """
        stopped = self._stopped(threshold)
        good, defective = int((~self.defective).sum()), int(self.defective.sum())
        overkill = _share(int((stopped & ~self.defective).sum()), good)
        underkill = _share(int((~stopped & self.defective).sum()), defective)
        return {
            "name": self.name,
            "threshold": threshold,
            "good": good,
            "overkill": overkill[0],
            "overkill_interval": overkill[1],
            "defective": defective,
            "underkill": underkill[0],
            "underkill_interval": underkill[1],
        }

    def _stopped(self, threshold: float | None) -> NDArray[np.bool_]:
        if threshold is not None:
            return np.asarray(self.scores >= threshold)
        if self.unset is None:
            msg = f"{self.name} is decided by a threshold, got None"
            raise ConfigError(msg)
        return self.unset


def _reaching(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many scores reach each threshold."""
    return np.asarray(len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left"))


def _share(count: int, total: int) -> tuple[float | None, list[float] | None]:
    if not total:
        return None, None
    low, high = binomtest(count, total).proportion_ci(method="wilson")
    return count / total, [float(low), float(high)]
