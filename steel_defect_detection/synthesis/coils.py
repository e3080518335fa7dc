"""Simulate the defects of a coil: random ones, and marks that a roll leaves at each turn.

What is simulated is what ``steel_defect_detection.coil`` would have laid out, so
that a search for marks can be tried where the truth is known. It is written
from what happens at a mill, and shares nothing with the search.

Random defects come in five backgrounds:

* ``uniform``: anywhere;
* ``bursty``: in scratches that break into pieces one behind the other, and in
  clouds;
* ``trend``: ever more of them towards the end of the coil;
* ``edges``: seven of ten within the outer twentieth of the width on each side;
* ``mixed``: a quarter of each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.coil.layout import Coil, CoilDefects
from steel_defect_detection.errors import ConfigError

Background = Literal["uniform", "bursty", "trend", "edges", "mixed"]

CLASSES = ("pits", "inclusions", "scratches", "patches")

# How often each class is seen among random defects: as uneven as they are on real strip.
_SHARES = (0.12, 0.03, 0.65, 0.20)
_PIECES_OF_A_BURST = 8


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A damaged place on a roll, which marks the strip at each turn.

    Args:
        period: Pixels from one mark to the next.
        first: Where along the coil the first one lies.
        across: Where across the coil they lie.
        class_number: What they are called, from 1.
        detection: Probability that a mark is found, 0 to 1.
        jitter_along: Standard deviation of a mark's place along the coil.
        jitter_across: Likewise across.
        last: The roll is changed here; None for the end of the coil.
        confusion: Probability that a mark is called by another class.
    """

    period: float
    first: float
    across: float
    class_number: int = 1
    detection: float = 0.9
    jitter_along: float = 3.0
    jitter_across: float = 3.0
    last: float | None = None
    confusion: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a simulated coil is like.

    Args:
        images: How many images it has.
        shape: Height and width of each; the width lies along the coil.
        defects: How many random defects there are.
        background: Where they lie.
        marks: What rolls leave on it.
    """

    images: int = 250
    shape: tuple[int, int] = (256, 1600)
    defects: int = 1000
    background: Background = "uniform"
    marks: tuple[Mark, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no roll does."""
        if self.background not in BACKGROUNDS:
            msg = f"background must be one of {', '.join(BACKGROUNDS)}, got {self.background!r}"
            raise ConfigError(msg)
        for mark in self.marks:
            if mark.period <= 0:
                msg = f"period of a mark must be positive, got {mark.period}"
                raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedCoil:
    """A coil whose truth is known.

    Args:
        coil: What a search gets to see.
        mark: Number of the mark that left each defect, int64; -1 for a random
            one.
    """

    coil: Coil
    mark: NDArray[np.int64]


def simulate(plan: Plan, seed: int) -> SimulatedCoil:
    """Simulate a coil.

    Args:
        plan: What it is like.
        seed: What all chance depends on.
    """
    random = np.random.default_rng(seed)
    size = _Size(float(plan.images * plan.shape[1]), float(plan.shape[0]))
    clouds = [_random_defects(plan.background, plan.defects, size, random)]
    clouds += [_marked(mark, size, random) for mark in plan.marks]
    origins = [np.full(len(cloud.along), number - 1) for number, cloud in enumerate(clouds)]
    joined = _joined(clouds)
    order = np.lexsort((joined.across, joined.along))
    defects = _as_defects(joined.take(order), plan.shape[1], random)
    coil = Coil(
        classes=CLASSES,
        images=tuple(f"{number:05d}.png" for number in range(plan.images)),
        starts=np.arange(plan.images, dtype=np.float64) * plan.shape[1],
        lengths=np.full(plan.images, float(plan.shape[1])),
        unread=np.zeros(plan.images, dtype=np.bool_),
        width=size.width,
        defects=defects,
    )
    return SimulatedCoil(coil=coil, mark=np.concatenate(origins)[order])


class _Size(NamedTuple):
    """Length and width of a coil, in pixels."""

    length: float
    width: float


class _Cloud(NamedTuple):
    """Middles and classes of some defects."""

    along: NDArray[np.float64]
    across: NDArray[np.float64]
    class_number: NDArray[np.int64]

    def take(self, order: NDArray[np.int64]) -> Self:
        """The same ones in another order."""
        return self._replace(**{name: part[order] for name, part in self._asdict().items()})


def _joined(clouds: Sequence[_Cloud]) -> _Cloud:
    return _Cloud(
        np.concatenate([cloud.along for cloud in clouds]),
        np.concatenate([cloud.across for cloud in clouds]),
        np.concatenate([cloud.class_number for cloud in clouds]),
    )


def _random_defects(
    background: str, count: int, size: _Size, random: np.random.Generator
) -> _Cloud:
    kinds = tuple(_BACKGROUNDS) if background == "mixed" else (background,)
    counts = [len(part) for part in np.array_split(np.arange(count), len(kinds))]
    clouds = [
        _BACKGROUNDS[kind](number, size, random) for kind, number in zip(kinds, counts, strict=True)
    ]
    return _joined(clouds)


def _uniform(count: int, size: _Size, random: np.random.Generator) -> _Cloud:
    along = random.uniform(0, size.length, count)
    return _Cloud(along, random.uniform(0, size.width, count), _classes(count, random))


def _trend(count: int, size: _Size, random: np.random.Generator) -> _Cloud:
    along = size.length * np.sqrt(random.uniform(0, 1, count))
    return _Cloud(along, random.uniform(0, size.width, count), _classes(count, random))


def _edges(count: int, size: _Size, random: np.random.Generator) -> _Cloud:
    outside = random.uniform(0, 0.05 * size.width, count)
    outside = np.where(random.random(count) < 0.5, outside, size.width - outside)
    anywhere = random.uniform(0, size.width, count)
    across = np.where(random.random(count) < 0.7, outside, anywhere)
    return _Cloud(random.uniform(0, size.length, count), across, _classes(count, random))


def _bursty(count: int, size: _Size, random: np.random.Generator) -> _Cloud:
    bursts = max(1, count // _PIECES_OF_A_BURST)
    of_burst = np.sort(random.integers(0, bursts, count))
    middles = random.uniform(0, size.length, bursts)[of_burst]
    lines = random.uniform(0, size.width, bursts)[of_burst]
    classes = _classes(bursts, random)[of_burst]
    # A scratch breaks into pieces whose distances scatter about one that is its own.
    steps = random.uniform(20, 400, bursts)[of_burst] * random.lognormal(0, 0.5, count)
    behind = np.cumsum(steps)
    behind -= behind[np.searchsorted(of_burst, of_burst)]
    in_cloud = random.random(bursts)[of_burst] < 0.5
    along = middles + np.where(in_cloud, random.normal(0, 600, count), behind)
    across = lines + random.normal(0, 1, count) * np.where(in_cloud, 30, 2)
    return _Cloud(along % size.length, np.clip(across, 0, size.width), classes)


_BACKGROUNDS: dict[str, Callable[[int, _Size, np.random.Generator], _Cloud]] = {
    "uniform": _uniform,
    "bursty": _bursty,
    "trend": _trend,
    "edges": _edges,
}
BACKGROUNDS: tuple[str, ...] = (*_BACKGROUNDS, "mixed")
"""Names of all backgrounds."""


def _marked(mark: Mark, size: _Size, random: np.random.Generator) -> _Cloud:
    last = size.length if mark.last is None else min(mark.last, size.length)
    places = np.arange(mark.first, last, mark.period)
    places = places[random.random(len(places)) < mark.detection]
    along = places + random.normal(0, mark.jitter_along, len(places))
    across = mark.across + random.normal(0, mark.jitter_across, len(places))
    confused = random.random(len(places)) < mark.confusion
    others = random.integers(1, len(CLASSES) + 1, len(places))
    classes = np.where(confused, others, mark.class_number)
    return _Cloud(
        np.clip(along, 0, size.length), np.clip(across, 0, size.width), classes.astype(np.int64)
    )


def _classes(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    return np.asarray(random.choice(len(CLASSES), size=count, p=_SHARES) + 1, dtype=np.int64)


def _as_defects(cloud: _Cloud, image_length: int, random: np.random.Generator) -> CoilDefects:
    count = len(cloud.along)
    sizes = np.maximum(3, random.lognormal(np.log(25), 0.5, (2, count))).astype(np.int64)
    last_image = max(0, int(np.max(cloud.along, initial=0) - 1e-9) // image_length)
    return CoilDefects(
        image=np.minimum(cloud.along // image_length, last_image).astype(np.int64),
        class_number=cloud.class_number,
        along=cloud.along,
        across=cloud.across,
        along_size=sizes[0],
        across_size=sizes[1],
        area=np.maximum(1, sizes[0] * sizes[1] * 7 // 10),
    )
