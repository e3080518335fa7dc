r"""Chains: follow a comb of places from two defects on, and weigh what it hits.

Two defects of one lane give a period and the next place. Whether a defect lies
there is a bet: hits multiply what the chain is worth by q/c, misses by
(1 - q)/(1 - c). c is the chance to hit by accident, the share of that turn which
lies within reach of any defect there; q is the share of places that the chain has
hit so far. Each hit sharpens the period for the next place, and places drift as
slowly as the strip's length does, because older hits count less.

Where turns have nothing to do with each other, a bet gains nothing in the mean,
whatever was known before it. What a chain is worth is then a test martingale, and
the probability that it is ever worth x or more is at most 1/x (Ville's
inequality): a chain may stop where it likes, so that it does not matter when a
roll was changed. Many chains are tried; each gets a share of the allowed false
alarms, in proportion to 1/period, and the shares add up to 1.

c is taken from the turn itself. A burst of defects, a trend along the coil or a
crowded edge raises it there, and a turn without any defect is no bet at all.

Source: Shafer, "Testing by betting", JRSS A 184 (2021),
https://doi.org/10.1111/rssa.12647.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.coil.lanes import Lanes
from steel_defect_detection.coil.sight import Sight

# What is known of a period is what the last 20 turns say: strip stretches and wheels slip.
_KEPT = 0.95

# Bets against odds worse than this say nothing.
_LARGEST_CHANCE = 0.5
_MOST_SURE = 0.95

# A chain ends after so many missed places, and after so many turns it is worth enough.
PATIENCE = 6
_MOST_TURNS = 40

# Pairs of defects that are tried; 20,000 defects on two cores take a second with them.
_MOST_PAIRS = 3_000_000
_LEAST_PARTNERS = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Pairs of defects that may be two turns of a mark, one behind the other.

    Args:
        first: Entry of the lanes, int64.
        second: Entry behind it in the same lane, int64.
        log_share: Natural logarithm of the share of false alarms that the pair
            gets.
        scale: Sum of 1/period over all pairs that were tried.
        tried: How many those were.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    log_share: NDArray[np.float64]
    scale: float
    tried: int

    def take(self, numbers: NDArray[np.int64]) -> Self:
        """Some of the pairs.

        Args:
            numbers: Which ones.
        """
        parts = {name: getattr(self, name)[numbers] for name in ("first", "second", "log_share")}
        return replace(self, **parts)


def pairs(lanes: Lanes, sight: Sight, *, shortest: float, longest: float) -> Pairs:
    """List the pairs whose next or next but one place is hit.

    The others are not worth following: two misses in a row are where a chain
    of two begins badly.

    Args:
        lanes: The defects.
        sight: What of the coil was seen.
        shortest: The shortest period.
        longest: The longest.
    """
    partners = max(_LEAST_PARTNERS, _MOST_PAIRS // max(1, len(lanes)))
    firsts, seconds, periods = [], [], []
    total, tried = 0.0, 0
    for step in range(1, min(partners, len(lanes) - 1) + 1):
        gaps = lanes.keys[step:] - lanes.keys[:-step]
        if gaps.min() > longest:
            break
        first = np.flatnonzero((gaps >= shortest) & (gaps <= longest))
        total += float((1 / gaps[first]).sum())
        tried += len(first)
        first = first[_goes_on(lanes, sight, first, gaps[first], step)]
        firsts.append(first)
        seconds.append(first + step)
        periods.append(gaps[first])
    nothing = np.zeros(0, dtype=np.int64)
    found = Pairs(
        first=np.concatenate([nothing, *firsts]),
        second=np.concatenate([nothing, *seconds]),
        log_share=-np.log(total * np.concatenate([np.zeros(0), *periods])),
        scale=total,
        tried=tried,
    )
    # Neighbours are looked up one after the other: that is twice as fast.
    return found.take(np.lexsort((found.second, found.first)))


def _goes_on(
    lanes: Lanes,
    sight: Sight,
    first: NDArray[np.int64],
    periods: NDArray[np.float64],
    step: int,
) -> NDArray[np.bool_]:
    lane, second = lanes.lane[first], lanes.along[first + step]
    found = np.zeros(len(first), dtype=np.bool_)
    for turn, spread in ((1, 5.0), (2, 13.0)):
        place = second + turn * periods
        reach = np.minimum(lanes.tolerance * np.sqrt(1 + spread), periods / 4)
        distance = lanes.nearest(lane, np.minimum(place, lanes.length))[1]
        # A place that was not seen may have been hit.
        found |= (place <= lanes.length) & ((distance <= reach) | ~sight.of(place))
    return found


class _State(NamedTuple):
    """Weighted sums over the hits of each chain; turns are counted back from the next one."""

    weight: NDArray[np.float64]
    turn: NDArray[np.float64]
    turn_squared: NDArray[np.float64]
    place: NDArray[np.float64]
    turn_place: NDArray[np.float64]


def worth(lanes: Lanes, sight: Sight, tried: Pairs) -> NDArray[np.float64]:
    """Follow the chains of pairs, and say how much each was worth at its best.

    Args:
        lanes: The defects.
        sight: What of the coil was seen.
        tried: The pairs.

    Returns:
        Natural logarithm of the largest worth, float64, shape ``(pairs,)``.
    """
    best = np.zeros(len(tried.first))
    running = _Running(
        number=np.arange(len(best), dtype=np.int64),
        lane=lanes.lane[tried.first],
        origin=lanes.along[tried.first],
        hits=np.full(len(best), 2.0),
        tries=np.full(len(best), 2.0),
        missed=np.zeros(len(best)),
        value=np.zeros(len(best)),
    )
    state = _begun(lanes.along[tried.second] - running.origin)
    for _ in range(_MOST_TURNS):
        state, period, ahead, spread = _next(state)
        place = running.origin + ahead
        on = (place <= lanes.length) & (running.missed < PATIENCE) & (period > 0)
        if not on.any():
            break
        running, state = running.take(on), _State(*(part[on] for part in state))
        reach = np.minimum(lanes.tolerance * np.sqrt(1 + spread[on]), period[on] / 4)
        running, entry, hit = _bet(lanes, sight, running, _Place(place[on], period[on], reach))
        best[running.number] = np.maximum(best[running.number], running.value)
        state = _added(state, lanes.along[entry] - running.origin, hit)
    return best


class _Running(NamedTuple):
    """Chains that go on: which pair each began with, where, and what it has met."""

    number: NDArray[np.int64]
    lane: NDArray[np.int64]
    origin: NDArray[np.float64]
    hits: NDArray[np.float64]
    tries: NDArray[np.float64]
    missed: NDArray[np.float64]
    value: NDArray[np.float64]

    def take(self, on: NDArray[np.bool_]) -> Self:
        """Those that go on."""
        return self._replace(**{name: part[on] for name, part in self._asdict().items()})


class _Place(NamedTuple):
    """Where the next hit of each chain is expected, its period, and how far off it may be."""

    along: NDArray[np.float64]
    period: NDArray[np.float64]
    reach: NDArray[np.float64]


def _bet(
    lanes: Lanes, sight: Sight, running: _Running, place: _Place
) -> tuple[_Running, NDArray[np.int64], NDArray[np.bool_]]:
    entry, distance = lanes.nearest(running.lane, place.along)
    hit, seen = distance <= place.reach, sight.of(place.along)
    window = (place.along - place.period / 2, place.along + place.period / 2)
    chance = lanes.covered(running.lane, window, place.reach)
    bets = (chance > 0) & seen
    gain = np.where(bets, _gain(hit, chance, running.hits, running.tries), 0.0)
    met = running._replace(
        value=running.value + gain,
        hits=running.hits + hit,
        tries=running.tries + bets,
        missed=np.where(hit, 0.0, running.missed + seen),
    )
    return met, entry, hit


def undisturbed(period: float, tolerance: float) -> NDArray[np.float64]:
    """What a row is worth that is hit at each turn, with nothing else in its lane.

    Args:
        period: Pixels from place to place.
        tolerance: How far a mark may lie from its place.

    Returns:
        Natural logarithm of the worth after 2, 3, … turns, float64.
    """
    values = [0.0]
    state = _begun(np.array([period]))
    hit = np.ones(1, dtype=np.bool_)
    for step in range(_MOST_TURNS):
        state, _, ahead, spread = _next(state)
        reach = np.minimum(tolerance * np.sqrt(1 + spread), period / 4)
        tries = np.array([2.0 + step])
        values.append(values[-1] + float(_gain(hit, 2 * reach / period, tries, tries)[0]))
        state = _added(state, ahead, hit)
    return np.array(values)


def _begun(period: NDArray[np.float64]) -> _State:
    """Two hits, at place 0 and one period on, seen from the second."""
    one = np.ones(len(period))
    return _State(2 * one, -one, one, period, 0 * one)


def _next(
    state: _State,
) -> tuple[_State, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Turn once more: the sums, the period, the next place, and how unsure that is."""
    weight, turn, squared, place, product = state
    moved = _State(
        _KEPT * weight,
        _KEPT * (turn - weight),
        _KEPT * (squared - 2 * turn + weight),
        _KEPT * place,
        _KEPT * (product - place),
    )
    determinant = moved.weight * moved.turn_squared - moved.turn**2
    period = (moved.weight * moved.turn_place - moved.turn * moved.place) / determinant
    ahead = (moved.place - period * moved.turn) / moved.weight
    return moved, period, ahead, moved.turn_squared / determinant


def _added(state: _State, place: NDArray[np.float64], hit: NDArray[np.bool_]) -> _State:
    return _State(
        state.weight + hit,
        state.turn,
        state.turn_squared,
        state.place + np.where(hit, place, 0.0),
        state.turn_place,
    )


def _gain(
    hit: NDArray[np.bool_],
    chance: NDArray[np.float64],
    hits: NDArray[np.float64],
    tries: NDArray[np.float64],
) -> NDArray[np.float64]:
    sure = np.minimum((hits + 0.5) / (tries + 1), _MOST_SURE)
    # A bet that is not to our advantage is not made.
    bets = (chance < _LARGEST_CHANCE) & (chance > 0) & (chance < sure)
    fair = np.where(bets, chance, 0.5)
    stake = np.where(bets, sure, 0.5)
    return np.where(hit, np.log(stake / fair), np.log((1 - stake) / (1 - fair)))
