"""Where defects lie: along the coil, across it, at its edges, and whether they grow more.

Defects come in groups, so that counting each as a draw of its own would make
every difference look certain. Intervals and tests here go by stretches of the
coil: 30 equally long ones, of which each counts as one.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import kendalltau

from steel_defect_detection.coil.layout import Coil
from steel_defect_detection.errors import ConfigError

_STRETCHES = 30
_NORMAL_95 = 1.96

# Below this an edge is called crowded, and a trend one.
_SURE = 0.01

_STAKES = 20

_MOST_PARTS = 100_000

MOST_ZONES = 1_000
"""Most parts across the coil."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bins:
    """Counts and areas in equal parts of the coil.

    Args:
        edges: Where each part begins, and where the last ends, in pixels.
        seen: Share of each part that was judged, 0 to 1.
        counts: Defects whose middle lies in it, int64, shape ``(parts, classes)``.
        areas: Their pixels, int64, likewise.
    """

    edges: NDArray[np.float64]
    seen: NDArray[np.float64]
    counts: NDArray[np.int64]
    areas: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Edge:
    """How far defects crowd at one edge.

    Args:
        part: Share of the width that counts as the edge.
        share: Share of the defects there.
        low: Lower end of its 95 % interval.
        high: Upper end.
        probability: How often, at most, chance puts as many there.
    """

    part: float
    share: float
    low: float
    high: float
    probability: float

    @property
    def is_crowded(self) -> bool:
        """Whether chance alone would hardly put as many defects there."""
        return self.probability < _SURE


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Whether defects grow more or fewer along the coil.

    Args:
        first: Defects per 1,000 pixels of the first third that was seen.
        last: Likewise of the last third.
        tau: Kendall's rank correlation of place and count, -1 to 1.
        probability: How often a coil without a trend shows one as strong.
    """

    first: float
    last: float
    tau: float
    probability: float

    @property
    def is_sure(self) -> bool:
        """Whether chance alone would hardly show such a trend."""
        return self.probability < _SURE


def along(coil: Coil, size: float) -> Bins:
    """Count defects along the coil.

    Args:
        coil: The coil.
        size: Length of a part, in pixels; the last one may be shorter.
    """
    if not 0 < size < math.inf:
        msg = f"the parts of a coil must have a length, got {size}"
        raise ConfigError(msg)
    if coil.length / size > _MOST_PARTS:
        msg = (
            f"{coil.length:,.0f} pixels of strip are too long for parts of {size:.3g} pixels: "
            f"{_MOST_PARTS:,} parts at most. Is the scale right?"
        )
        raise ConfigError(msg)
    edges = np.append(np.arange(0.0, coil.length, size), coil.length)
    seen = np.diff(coil.seen_before(edges)) / np.diff(edges)
    return _binned(coil, coil.defects.along, edges, seen)


def across(coil: Coil, zones: int) -> Bins:
    """Count defects across the coil.

    Args:
        coil: The coil.
        zones: How many parts of equal width.
    """
    if not 1 <= zones <= MOST_ZONES:
        msg = f"zones must be 1 to {MOST_ZONES:,}, got {zones}"
        raise ConfigError(msg)
    edges = np.linspace(0.0, coil.width, zones + 1)
    share = coil.seen / coil.length if coil.length else 0.0
    return _binned(coil, coil.defects.across, edges, np.full(zones, share))


def edges(coil: Coil, part: float = 0.1) -> tuple[Edge, Edge]:
    """Say how far defects crowd at edge 1 and at edge 2.

    Args:
        coil: The coil.
        part: Share of the width that counts as an edge.
    """
    if not 0 < part <= 0.5:
        msg = f"an edge must be more than 0 and at most half of the width, got {part}"
        raise ConfigError(msg)
    places = coil.defects.across / coil.width
    near, far = (_edge(coil, inside, part) for inside in (places < part, places > 1 - part))
    return near, far


def trend(coil: Coil) -> Trend:
    """Say whether defects grow more or fewer along the coil."""
    counts, seen = _stretches(coil, np.ones(len(coil.defects)))
    usable = seen > 0
    rates = counts[usable] / seen[usable] * 1000
    third = max(1, len(rates) // 3)
    if len(rates) < 3 or not len(coil.defects) or (rates == rates[0]).all():
        tau, probability = 0.0, 1.0
    else:
        tau, probability = (float(one) for one in kendalltau(np.arange(len(rates)), rates))
    return Trend(
        first=float(rates[:third].mean()) if len(rates) else 0.0,
        last=float(rates[-third:].mean()) if len(rates) else 0.0,
        tau=tau,
        probability=probability,
    )


def _binned(
    coil: Coil, places: NDArray[np.float64], parts: NDArray[np.float64], seen: NDArray[np.float64]
) -> Bins:
    count, classes = len(parts) - 1, len(coil.classes)
    number = np.clip(np.searchsorted(parts, places, side="right") - 1, 0, count - 1)
    cell = number * classes + coil.defects.class_number - 1
    shape = (count, classes)
    counts = np.bincount(cell, minlength=count * classes).reshape(shape)
    areas = np.bincount(cell, weights=coil.defects.area, minlength=count * classes).reshape(shape)
    return Bins(
        edges=parts, seen=seen, counts=counts.astype(np.int64), areas=areas.astype(np.int64)
    )


def _stretches(
    coil: Coil, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum of weights in each stretch of the coil, and how many pixels of it were seen."""
    parts = np.linspace(0.0, coil.length, _STRETCHES + 1)
    seen = np.diff(coil.seen_before(parts))
    number = np.clip(np.searchsorted(parts, coil.defects.along, side="right") - 1, 0, None)
    number = np.minimum(number, _STRETCHES - 1)
    sums = np.bincount(number, weights=weights, minlength=_STRETCHES)
    return sums.astype(np.float64), seen


def _edge(coil: Coil, inside: NDArray[np.bool_], part: float) -> Edge:
    total = len(coil.defects)
    if not total:
        return Edge(part=part, share=0.0, low=0.0, high=1.0, probability=1.0)
    there, _ = _stretches(coil, inside.astype(np.float64))
    everywhere, _ = _stretches(coil, np.ones(total))
    share = float(there.sum() / total)
    # A ratio of sums over stretches: Cochran, Sampling Techniques, 3rd edition, section 6.4.
    off = there - share * everywhere
    error = math.sqrt(float((off**2).sum()) * _STRETCHES / (_STRETCHES - 1)) / total
    return Edge(
        part=part,
        share=share,
        low=max(0.0, share - _NORMAL_95 * error),
        high=min(1.0, share + _NORMAL_95 * error),
        probability=_by_chance(there[everywhere > 0] / everywhere[everywhere > 0], part),
    )


def _by_chance(shares: NDArray[np.float64], mean: float) -> float:
    """Bound the probability of shares as large as these, where they should have a mean.

    A bet is made on each share, so that a fair game would win nothing in the
    mean; the stakes are a mixture of all that leave something. No game is worth
    x or more with a probability above 1/x (Markov's inequality).

    Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables
    by betting", JRSS B 86 (2024), https://doi.org/10.1093/jrsssb/qkad009.
    """
    stakes = np.linspace(0.0, 1 / mean, _STAKES + 2)[1:-1]
    worth = np.log1p(stakes[:, np.newaxis] * (shares - mean)).sum(axis=1)
    return float(min(1.0, np.exp(np.log(_STAKES) - logsumexp(worth))))
