"""Combs: the places of one mark, from the pair of defects that gave it away.

A comb is walked forwards and backwards from its pair, place by place. At each
one the nearest defect within reach belongs to it. A straight line through turns
and places then gives period and phase.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlog1py, xlogy

from steel_defect_detection.coil import lanes as laning
from steel_defect_detection.coil.layout import Coil
from steel_defect_detection.coil.sight import Sight

# A walk knows its comb better than a chain that is still a guess.
_PATIENCE = 10
_KEPT = 0.95
_OUTSIDE = 3.0

# A shorter period must be e³, twenty times, as likely as the longer one to be taken.
_SURE = 3.0
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)


class Comb(NamedTuple):
    """The places of one mark.

    Args:
        defects: Numbers of the defects on it, in their order along the coil.
        turns: Turn of each, from 0.
        places: Turns that were seen, from the first defect to the last.
        period: Pixels from place to place.
        period_error: Standard error of the period.
        start: Place of turn 0 along the coil, by the line through all.
        scatter: Standard deviation of the defects about their places.
    """

    defects: NDArray[np.int64]
    turns: NDArray[np.int64]
    places: int
    period: float
    period_error: float
    start: float
    scatter: float


class Reach(NamedTuple):
    """How far a defect may lie from its place, in pixels, and still belong to a comb."""

    along: float
    across: float


def grown(
    coil: Coil, sight: Sight, numbers: NDArray[np.int64], pair: tuple[int, int], reach: Reach
) -> Comb:
    """Find everything that belongs to the comb of two defects.

    Args:
        coil: The coil.
        sight: What of it was seen.
        numbers: Defects that may belong to it.
        pair: Numbers of two defects, one turn apart.
        reach: How far off they may lie.
    """
    across = coil.defects.across
    middle = float(across[list(pair)].mean())
    for _ in range(2):
        near = numbers[np.abs(across[numbers] - middle) <= 2 * reach.across]
        lane = laning.one(coil, near, tolerance=reach.along)
        defects, turns = _walked(coil, lane, sight, pair, reach.along)
        middle = float(np.median(across[defects]))
    return _measured(coil, sight, defects, turns)


def finest(
    coil: Coil, numbers: NDArray[np.int64], comb: Comb, reach: Reach, shortest: float
) -> tuple[int, int] | None:
    """Find a pair of defects with a shorter period, where a comb has a multiple of the true one.

    Of a mark at each turn, every second one is a comb as well. A part of the
    period is taken where that explains better what lies on the places of the
    comb and between them: one mark that is seen equally often on all, or one on
    the comb and chance between.

    Args:
        coil: The coil.
        numbers: Defects that may belong to it.
        comb: The comb.
        reach: How far off they may lie.
        shortest: The shortest period.

    Returns:
        Two defects, one turn of the shorter period apart; None if there is none.
    """
    along, across = coil.defects.along[numbers], coil.defects.across[numbers]
    places = along[np.isin(numbers, comb.defects)]
    middle = np.median(coil.defects.across[comb.defects])
    near = (np.abs(across - middle) <= 2 * reach.across) & (along >= places[0])
    near &= along <= places[-1]
    # By interpolation, because strip stretches: a straight line may lose its way.
    turns = np.interp(along[near], places, comb.turns)
    for parts in _PRIMES:
        part = comb.period / parts
        if part < shortest:
            break
        within = min(reach.along, part / 4)
        on = np.abs(turns * parts - np.rint(turns * parts)) * part <= within
        hits = np.unique(np.rint(turns[on] * parts)).astype(np.int64)
        between = int((hits % parts != 0).sum())
        tried = (parts - 1) * int(comb.turns[-1])
        # Half a defect more than there are: that none lies elsewhere does not rule out chance.
        chance = ((~on).sum() + 0.5) * 2 * within / (places[-1] - places[0])
        known = (len(places), comb.places)
        if not _is_one(known, (between, tried), min(float(chance), 0.5)):
            continue
        following = hits[:-1][np.diff(hits) == 1]
        if len(following):
            begin = following[len(following) // 2]
            ends = [int(np.argmin(np.abs(turns * parts - turn))) for turn in (begin, begin + 1)]
            return int(numbers[near][ends[0]]), int(numbers[near][ends[1]])
    return None


def _is_one(on: tuple[int, int], between: tuple[int, int], chance: float) -> bool:
    """Whether hits on a comb and between its places are of one mark: hits and places of each."""
    hits, places = on[0] + between[0], on[1] + between[1]
    one = _likelihood(hits, places, hits / places)
    two = _likelihood(*on, on[0] / on[1]) + _likelihood(*between, chance)
    return between[0] > chance * between[1] and one > two + _SURE


def _likelihood(hits: int, places: int, share: float) -> float:
    return float(xlogy(hits, share) + xlog1py(places - hits, -share))


def joined(coil: Coil, sight: Sight, combs: tuple[Comb, Comb], reach: Reach) -> Comb | None:
    """Take two combs for one, if one is where the other goes on after a long interruption.

    Both have the same period and the same width, and a whole number of turns
    lies between them.

    Args:
        coil: The coil.
        sight: What of it was seen.
        combs: Both.
        reach: How far off a defect may lie.

    Returns:
        All of it as one comb; None if they are two.
    """
    one, other = sorted(combs, key=lambda comb: comb.start)
    across = [np.median(coil.defects.across[comb.defects]) for comb in (one, other)]
    error = float(np.hypot(one.period_error, other.period_error))
    if abs(across[0] - across[1]) > 2 * reach.across:
        return None
    if abs(one.period - other.period) > _OUTSIDE * error:
        return None
    last = one.start + one.period * int(one.turns[-1])
    period = one.period if one.period_error < other.period_error else other.period
    between = round((other.start - last) / period)
    allowed = reach.along + between * min(one.period_error, other.period_error)
    if between < 1 or abs(other.start - last - between * period) > min(allowed, period / 8):
        return None
    turns = np.append(one.turns, one.turns[-1] + between + other.turns)
    return _measured(coil, sight, np.append(one.defects, other.defects), turns)


def explained(coil: Coil, comb: Comb, reach: Reach) -> NDArray[np.bool_]:
    """Which defects of the coil a comb accounts for: those at its places, of any class.

    Args:
        coil: The coil.
        comb: The comb.
        reach: How far off they may lie; twice as far is still accounted for.
    """
    defects = coil.defects
    places = defects.along[comb.defects]
    after = np.clip(np.searchsorted(places, defects.along), 1, max(1, len(places) - 1))
    nearest = np.minimum(
        np.abs(defects.along - places[after - 1]),
        np.abs(defects.along - places[np.minimum(after, len(places) - 1)]),
    )
    middle = np.median(defects.across[comb.defects])
    return (nearest <= 2 * reach.along) & (np.abs(defects.across - middle) <= 2 * reach.across)


def _walked(
    coil: Coil, lane: laning.Lanes, sight: Sight, pair: tuple[int, int], tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    along = coil.defects.along
    first, second = float(along[pair[0]]), float(along[pair[1]])
    unseen = np.stack([sight.begins, sight.ends], axis=1)
    ahead = _walk(lane.along, (first, second), tolerance, coil.length, unseen)
    mirrored = np.asarray(coil.length - lane.along[::-1])
    behind = _walk(
        mirrored,
        (coil.length - second, coil.length - first),
        tolerance,
        coil.length,
        coil.length - unseen[::-1, ::-1],
    )
    last = len(lane.along) - 1
    found = {-turn: last - entry for turn, entry in behind.items()}
    found |= {turn + 1: entry for turn, entry in ahead.items()}
    entries = {0: pair[0], 1: pair[1]}
    entries |= {turn: int(lane.defect[entry]) for turn, entry in found.items()}
    turns = np.array(sorted(entries), dtype=np.int64)
    return np.array([entries[int(turn)] for turn in turns], dtype=np.int64), turns - turns[0]


def _walk(
    along: NDArray[np.float64],
    pair: tuple[float, float],
    tolerance: float,
    length: float,
    unseen: NDArray[np.float64],
) -> dict[int, int]:
    """Entries that are hit from the second of a pair on, by turns after it."""
    origin = pair[0]
    weight, turn, squared, place, product = 2.0, -1.0, 1.0, pair[1] - origin, 0.0
    found: dict[int, int] = {}
    step = missed = 0
    while missed < _PATIENCE:
        step += 1
        product, squared, turn = product - place, squared - 2 * turn + weight, turn - weight
        weight, turn, squared, place, product = (
            _KEPT * part for part in (weight, turn, squared, place, product)
        )
        determinant = weight * squared - turn**2
        period = (weight * product - turn * place) / determinant
        ahead = (place - period * turn) / weight
        if period <= 0 or origin + ahead > length:
            break
        reach = min(tolerance * np.sqrt(1 + squared / determinant), period / 4)
        entry = _nearest(along, origin + ahead)
        if abs(along[entry] - origin - ahead) <= reach:
            found[step] = entry
            missed, weight, place = 0, weight + 1, place + float(along[entry]) - origin
        elif not _is_hidden(unseen, origin + ahead):
            missed += 1
    return found


def _nearest(along: NDArray[np.float64], place: float) -> int:
    after = min(int(np.searchsorted(along, place)), len(along) - 1)
    before = max(after - 1, 0)
    return before if place - along[before] <= along[after] - place else after


def _is_hidden(unseen: NDArray[np.float64], place: float) -> bool:
    before = int(np.searchsorted(unseen[:, 0], place, side="right")) - 1
    return before >= 0 and place < unseen[before, 1]


def _measured(
    coil: Coil, sight: Sight, defects: NDArray[np.int64], turns: NDArray[np.int64]
) -> Comb:
    along = coil.defects.along[defects]
    kept = np.ones(len(along), dtype=np.bool_)
    period, start = _line(turns, along)
    residuals = along - start - period * turns
    spread = 1.4826 * float(np.median(np.abs(residuals - np.median(residuals))))
    kept = np.abs(residuals - np.median(residuals)) <= _OUTSIDE * max(spread, 1e-6)
    if kept.sum() >= 3:
        period, start = _line(turns[kept], along[kept])
    residuals = (along - start - period * turns)[kept]
    scatter = float(np.sqrt((residuals**2).sum() / max(1, len(residuals) - 2)))
    leverage = float(((turns[kept] - turns[kept].mean()) ** 2).sum())
    places = start + period * np.arange(turns[-1] + 1)
    seen = sight.of(np.clip(places, 0, coil.length)).sum()
    return Comb(
        defects=defects,
        turns=turns,
        # A defect was seen, wherever its place is said to be.
        places=max(int(seen), len(defects)),
        period=period,
        period_error=scatter / np.sqrt(leverage) if leverage else float("inf"),
        start=start,
        scatter=scatter,
    )


def _line(turns: NDArray[np.int64], along: NDArray[np.float64]) -> tuple[float, float]:
    middle = turns.mean()
    slope = float(((turns - middle) * along).sum() / ((turns - middle) ** 2).sum())
    return slope, float(along.mean() - slope * middle)
