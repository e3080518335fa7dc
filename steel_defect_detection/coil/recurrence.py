"""Recurrence: marks at one width that come again at a constant distance.

A damaged place on a roll marks the strip once per turn. Its period is the roll's
circumference, so that period / pi is the diameter of the roll, as long as nothing
rolls the strip any thinner behind it: what an earlier stand has marked is
stretched with the strip, and the diameter seems larger by as much.

``chains`` says what each pair of defects is worth as the beginning of such a row,
with a bound on false alarms, and ``combs`` collects what belongs to it. The row
that is worth most comes first; what it accounts for is taken away, and the
others are weighed again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.coil import chains, combs, lanes, sight
from steel_defect_detection.coil.chains import Pairs
from steel_defect_detection.coil.combs import Comb, Reach
from steel_defect_detection.coil.lanes import Lanes
from steel_defect_detection.coil.layout import Coil
from steel_defect_detection.coil.sight import Sight
from steel_defect_detection.errors import ConfigError

# Rolls of less than 32 mm across are rare in a mill; in pixels, a mark must be smaller than this.
_SHORTEST = 100.0
_LEAST_TOLERANCE = 5.0
_LEAST_TURNS = 5
_MOST_RECURRENCES = 50

# Two periods are one if they differ by less than this many standard errors, or by one in a
# thousand: two marks of one roll are stretched alike.
_SAME_ERRORS = 4.0
_SAME_SHARE = 1e-3
_MOST_IMAGES = 4


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How marks are looked for; lengths are in pixels.

    Args:
        false_alarms: How often a coil without any mark may be said to have one.
        shortest: The shortest period; None for 100 mm, or pixels.
        longest: The longest period; None for a fifth of the coil.
        tolerance: How far a mark may lie from its place along the coil; None
            for half the length of a usual defect.
        tolerance_across: Likewise across the coil; None for half the width of
            a usual defect, and a hundredth to a twentieth of the coil's.
        least_members: Fewest defects of a recurrence.
    """

    false_alarms: float = 0.01
    shortest: float | None = None
    longest: float | None = None
    tolerance: float | None = None
    tolerance_across: float | None = None
    least_members: int = 5

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not 0 < self.false_alarms < 1:
            msg = f"false_alarms must lie between 0 and 1, got {self.false_alarms}"
            raise ConfigError(msg)
        if self.least_members < 3:
            msg = f"least_members must be 3 or more, got {self.least_members}"
            raise ConfigError(msg)
        for name in ("shortest", "longest", "tolerance", "tolerance_across"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                msg = f"{name} must be positive, got {value}"
                raise ConfigError(msg)
        if self.shortest and self.longest and self.shortest > self.longest:
            msg = f"shortest must not exceed longest, got {self.shortest} and {self.longest}"
            raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True, eq=False)
class Recurrence:
    """A mark that comes again; lengths are in pixels.

    Args:
        period: From one place to the next.
        period_error: Standard error of the period.
        first: The first place along the coil, by the line through all.
        last: The last one.
        scatter: Standard deviation of the defects about their places.
        across: Middle of the places across the coil.
        across_scatter: Standard deviation across the coil.
        class_number: The class that most of its defects have.
        members: Numbers of its defects in ``coil.defects``, int64.
        turns: Turn of each, int64, from 0.
        places: How many places between the first and the last were seen.
        false_alarm: Probability that a coil without marks shows anything like
            it, as an upper bound.
        shares_period_with: Numbers of other recurrences, from 1, with the same
            period.
        images_per_period: 1 if the period is the length of an image, 2 if two
            images, and so on to 4; 0 if it is something else. Dirt in front of the
            camera gives such a period.
    """

    period: float
    period_error: float
    first: float
    last: float
    scatter: float
    across: float
    across_scatter: float
    class_number: int
    members: NDArray[np.int64]
    turns: NDArray[np.int64]
    places: int
    false_alarm: float
    shares_period_with: tuple[int, ...] = ()
    images_per_period: int = 0

    @property
    def phase(self) -> float:
        """Distance from the beginning of the coil to the first place on it, 0 to the period."""
        return self.first % self.period

    @property
    def occupied(self) -> float:
        """Share of the places that were seen with a defect on them."""
        return len(self.members) / self.places

    @property
    def diameter(self) -> float:
        """Diameter of a roll that turns once per period."""
        return self.period / math.pi


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """What a search for marks found, and what it could have found.

    Args:
        recurrences: The marks, the surest first.
        shortest: The shortest period that was looked for.
        longest: The longest.
        tolerance: How far a mark might lie from its place along the coil.
        tolerance_across: Likewise across the coil.
        tried: How many pairs of defects were taken for the beginning of a row.
        least_turns: Turns that a mark must make to be found, by period in
            pixels: found at each turn, where there is nothing else.
    """

    recurrences: tuple[Recurrence, ...]
    shortest: float
    longest: float
    tolerance: float
    tolerance_across: float
    tried: int
    least_turns: dict[float, int]


def find(coil: Coil, settings: Settings | None = None) -> Search:
    """Look for marks that come again along a coil.

    Args:
        coil: The coil.
        settings: How; by default as ``Settings`` says.
    """
    settings = settings or Settings()
    reach = _reach(coil, settings)
    shortest, longest = _periods(coil, settings)
    seen = sight.of_coil(coil)
    everything = np.arange(len(coil.defects))
    lined = lanes.build(coil, everything, lane_width=4 * reach.across, tolerance=reach.along)
    pairs = chains.pairs(lined, seen, shortest=shortest, longest=longest)
    hunt = _Hunt(coil, seen, reach, shortest, settings)
    found = _find_all(hunt, lined, pairs)
    return Search(
        recurrences=_related(coil, found),
        shortest=shortest,
        longest=longest,
        tolerance=reach.along,
        tolerance_across=reach.across,
        tried=pairs.tried,
        least_turns=_least_turns((shortest, longest), reach.along, settings, pairs.scale),
    )


class _Hunt(NamedTuple):
    """Where marks are looked for, and how."""

    coil: Coil
    seen: Sight
    reach: Reach
    shortest: float
    settings: Settings


def _reach(coil: Coil, settings: Settings) -> Reach:
    sizes = coil.defects
    along = float(np.median(sizes.along_size)) / 2 if len(sizes) else 0.0
    across = float(np.median(sizes.across_size)) / 2 if len(sizes) else 0.0
    return Reach(
        settings.tolerance or max(along, _LEAST_TOLERANCE),
        settings.tolerance_across or float(np.clip(across, coil.width / 100, coil.width / 20)),
    )


def _periods(coil: Coil, settings: Settings) -> tuple[float, float]:
    shortest = settings.shortest or _SHORTEST / (coil.mm_per_pixel or 1.0)
    longest = settings.longest or max(coil.length / _LEAST_TURNS, shortest)
    if longest < shortest:
        msg = f"the longest period, {longest:g}, is less than the shortest, {shortest:g}. Give both"
        raise ConfigError(msg)
    return shortest, longest


def _find_all(hunt: _Hunt, lined: Lanes, pairs: Pairs) -> list[Recurrence]:
    least = -math.log(hunt.settings.false_alarms)
    gone = np.zeros(len(hunt.coil.defects), dtype=np.bool_)
    values = chains.worth(lined, hunt.seen, pairs) + pairs.log_share
    pairs, values = pairs.take(np.flatnonzero(values >= least)), values[values >= least]
    found: list[tuple[Comb, float]] = []
    while len(values) and values.max() >= least and len(found) < _MOST_RECURRENCES:
        best = int(np.argmax(values))
        comb = _comb(hunt, lined, pairs.first[best], pairs.second[best])
        if len(comb.defects) < hunt.settings.least_members:
            values[best] = -np.inf
            continue
        found.append((comb, float(values[best])))
        gone |= combs.explained(hunt.coil, comb, hunt.reach)
        gone[comb.defects] = True
        lined, pairs = _without(lined, pairs, gone)
        values = chains.worth(lined, hunt.seen, pairs) + pairs.log_share
    return [_recurrence(hunt.coil, comb, value) for comb, value in _joined(hunt, found)]


def _joined(hunt: _Hunt, found: Sequence[tuple[Comb, float]]) -> list[tuple[Comb, float]]:
    """Put together what was found in parts; a whole is worth what its best part is."""
    wholes: list[tuple[Comb, float]] = []
    for comb, value in found:
        for place, (other, worth) in enumerate(wholes):
            if whole := combs.joined(hunt.coil, hunt.seen, (other, comb), hunt.reach):
                wholes[place] = whole, worth
                break
        else:
            wholes.append((comb, value))
    return wholes


def _comb(hunt: _Hunt, lined: Lanes, first: np.int64, second: np.int64) -> Comb:
    coil, seen, reach = hunt.coil, hunt.seen, hunt.reach
    group = lined.group[first]
    members = np.unique(lined.defect[lined.group == group])
    if group:
        members = members[coil.defects.class_number[members] == group]
    comb = combs.grown(
        coil, seen, members, (int(lined.defect[first]), int(lined.defect[second])), reach
    )
    while pair := combs.finest(coil, members, comb, reach, hunt.shortest):
        finer = combs.grown(coil, seen, members, pair, reach)
        if len(finer.defects) <= len(comb.defects):
            break
        comb = finer
    return comb


def _without(lined: Lanes, pairs: Pairs, gone: NDArray[np.bool_]) -> tuple[Lanes, Pairs]:
    stay = ~gone[lined.defect[pairs.first]] & ~gone[lined.defect[pairs.second]]
    left, numbers = lined.without(gone)
    pairs = pairs.take(np.flatnonzero(stay))
    return left, replace(pairs, first=numbers[pairs.first], second=numbers[pairs.second])


def _recurrence(coil: Coil, comb: Comb, value: float) -> Recurrence:
    defects = coil.defects.take(comb.defects)
    return Recurrence(
        period=comb.period,
        period_error=comb.period_error,
        first=comb.start,
        last=comb.start + comb.period * int(comb.turns[-1]),
        scatter=comb.scatter,
        across=float(np.median(defects.across)),
        across_scatter=float(defects.across.std()),
        class_number=int(np.bincount(defects.class_number).argmax()),
        members=comb.defects,
        turns=comb.turns,
        places=comb.places,
        false_alarm=min(1.0, math.exp(-value)),
    )


def _related(coil: Coil, found: Sequence[Recurrence]) -> tuple[Recurrence, ...]:
    """Say which recurrences have the same period, and which that of the images."""
    # From image to image, which is more than an image's length where the camera leaves gaps.
    image = float(np.median(np.diff(coil.starts))) if len(coil.starts) > 1 else coil.length
    related = []
    for number, one in enumerate(found):
        others = tuple(
            place + 1
            for place, other in enumerate(found)
            if place != number and _is_same(one, other.period, other.period_error)
        )
        images = [
            count for count in range(1, _MOST_IMAGES + 1) if _is_same(one, count * image, 0.0)
        ]
        related.append(
            replace(one, shares_period_with=others, images_per_period=images[0] if images else 0)
        )
    return tuple(related)


def _is_same(one: Recurrence, period: float, error: float) -> bool:
    apart = _SAME_ERRORS * math.hypot(one.period_error, error)
    return abs(one.period - period) <= max(apart, _SAME_SHARE * period)


def _least_turns(
    periods: tuple[float, float], tolerance: float, settings: Settings, scale: float
) -> dict[float, int]:
    """Turns that a mark must make, at a short, a middling and a long period."""
    asked = np.geomspace(*periods, 5)[1:4]
    found = {}
    for period in asked.tolist():
        values = chains.undisturbed(period, tolerance)
        # Each row brings pairs of its own, which take their part of the allowed false alarms.
        turns = np.arange(len(values)) + 2
        scales = scale + turns * np.log(turns) / period
        enough = values - np.log(scales * period) >= -math.log(settings.false_alarms)
        if enough.any():
            found[period] = max(settings.least_members, int(turns[enough][0]))
    return found
