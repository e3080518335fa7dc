"""What is to be painted: how large, how strong, darker or brighter.

A plan comes from a difficulty alone, or from the look of real defects, which
the difficulty then only shifts. Sizes are those of sheets of 200 pixels and
grow with the sheet up to half as much again; contrasts are in units of the
sheet's own noise, so that one difficulty is as hard on a rough sheet as on a
smooth one, or, of real defects, in shares of its brightness.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from steel_defect_detection.synthesis.grain import Grain
from steel_defect_detection.synthesis.looks import Look
from steel_defect_detection.synthesis.marks import FILLING, Dimensions

USUAL_SIDE = 200
SMALLEST_GROWTH, LARGEST_GROWTH = 0.25, 1.5
# From here on stripes say which way a sheet was rolled.
ORDER_OF_ROLLED_SHEETS = 0.15
# A defect of difficulty 0 is so many times stronger than that of the look, at 1 so many weaker.
SHIFT_OF_CONTRAST = 1.7
SHIFT_OF_AREA = 1.4
# Pixels by which soft edges make a mark longer and wider than it was drawn.
SOFT_EDGE = 1.0
# Length times width of the smallest defect, in pixels: a few of them have to show.
LEAST_AREA = 16.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be painted.

    Args:
        dimensions: How large it is.
        contrast: Mean change, positive, in the unit of the plan.
        unit: The sheet's ``noise`` or its ``brightness``.
        dark: It is darker than the sheet rather than brighter.
    """

    dimensions: Dimensions
    contrast: float
    unit: Literal["noise", "brightness"]
    dark: bool


@dataclass(frozen=True, kw_only=True)
class Habit:
    """What a kind of defect is usually like.

    Args:
        lengths: Least and greatest length, in pixels.
        widths: Least and greatest width, in pixels.
        most: Greatest number of pieces.
        fewest: Least number of pieces.
        contrasts: Contrast at difficulty 0 and at difficulty 1.
        dark_share: How many are dark, 0 to 1.
        spread_degrees: How far its direction strays from that of rolling; it
            has none at 90.
    """

    lengths: tuple[float, float]
    widths: tuple[float, float]
    most: int
    fewest: int
    contrasts: tuple[float, float]
    dark_share: float
    spread_degrees: float


# Contrasts were chosen after NEU-Seg and the magnetic tiles, where the medians of those outlined
# are 5 for inclusions and blowholes, 4 for patches and cracks, and 13 for scratches.
HABITS = {
    "scratches": Habit(
        lengths=(50, 230),
        widths=(1.2, 4.5),
        most=4,
        fewest=1,
        contrasts=(12, 1.6),
        dark_share=0.35,
        spread_degrees=5,
    ),
    "pits": Habit(
        lengths=(4, 13),
        widths=(4, 11),
        most=22,
        fewest=2,
        contrasts=(8, 1.7),
        dark_share=1,
        spread_degrees=90,
    ),
    "inclusions": Habit(
        lengths=(16, 90),
        widths=(3, 11),
        most=7,
        fewest=1,
        contrasts=(7, 1.5),
        dark_share=1,
        spread_degrees=4,
    ),
    "patches": Habit(
        lengths=(45, 130),
        widths=(28, 75),
        most=1,
        fewest=1,
        contrasts=(5, 1),
        dark_share=0.75,
        spread_degrees=15,
    ),
    "cracks": Habit(
        lengths=(35, 150),
        widths=(1.1, 2.6),
        most=2,
        fewest=1,
        contrasts=(7, 1.8),
        dark_share=1,
        spread_degrees=90,
    ),
    "rolled-in scale": Habit(
        lengths=(6, 15),
        widths=(3, 7),
        most=50,
        fewest=12,
        contrasts=(6, 1.5),
        dark_share=1,
        spread_degrees=8,
    ),
}


def plan(
    kind: str,
    shape: tuple[int, int],
    grain: Grain,
    generator: np.random.Generator,
    *,
    difficulty: float,
) -> Plan:
    """Decide on a defect by its difficulty alone.

    Args:
        kind: One of ``HABITS``.
        shape: Height and width of the sheet, in pixels.
        grain: What the sheet is like.
        generator: Source of everything random.
        difficulty: 0 (bold and large) to 1 (faint and small).

    Returns:
        The plan.
    """
    habit = HABITS[kind]
    growth = float(np.clip(min(shape) / USUAL_SIDE, SMALLEST_GROWTH, LARGEST_GROWTH))
    # Half of what makes a defect large is its difficulty, half chance.
    small = 0.5 * difficulty + 0.5 * generator.uniform(0, 1, 3)
    length, width = (
        largest * (smallest / largest) ** share
        for (smallest, largest), share in zip((habit.lengths, habit.widths), small[:2], strict=True)
    )
    length, width = max(length, width) * growth, min(length, width) * growth**0.7
    count = round(habit.most * (habit.fewest / habit.most) ** small[2])
    bold, faint = habit.contrasts
    contrast = bold * (faint / bold) ** difficulty * generator.uniform(0.88, 1.14)
    dimensions = Dimensions(
        length=length,
        width=width,
        angle_degrees=_direction(grain, habit.spread_degrees, generator),
        count=count,
    )
    return Plan(
        dimensions=_fitted(dimensions, shape),
        contrast=contrast,
        unit="noise",
        dark=bool(generator.random() < habit.dark_share),
    )


def plan_like(
    kind: str,
    shape: tuple[int, int],
    look: Look,
    generator: np.random.Generator,
    *,
    difficulty: float,
) -> Plan:
    """Decide on a defect like one of the real ones.

    Args:
        kind: One of ``HABITS``.
        shape: Height and width of the sheet, in pixels.
        look: What real defects are like.
        generator: Source of everything random.
        difficulty: At 0.5 it is as strong and as large as the real ones, below
            stronger and larger.

    Returns:
        The plan.
    """
    chosen = int(generator.integers(len(look.areas)))
    area_jitter, elongation_jitter, contrast_jitter = np.exp(generator.normal(0, 0.12, 3))
    shift = 1 - 2 * difficulty
    area = look.areas[chosen] / FILLING[kind] * area_jitter * SHIFT_OF_AREA**shift
    elongation = max(1.0, look.elongations[chosen] * elongation_jitter)
    count = look.counts[int(generator.integers(len(look.counts)))]
    dimensions = Dimensions(
        length=math.sqrt(area * elongation) - SOFT_EDGE,
        width=math.sqrt(area / elongation) - SOFT_EDGE,
        angle_degrees=(look.angles[chosen] + generator.normal(0, 3)) % 180,
        count=min(count, HABITS[kind].most),
    )
    contrast = abs(look.contrasts[chosen]) * contrast_jitter * SHIFT_OF_CONTRAST**shift
    return Plan(
        dimensions=_fitted(dimensions, shape),
        contrast=float(contrast),
        unit="brightness",
        dark=look.contrasts[chosen] < 0,
    )


def smaller(plan: Plan, share: float) -> Plan:
    """Return the same plan for a smaller defect of fewer pieces, as strong as before."""
    length = plan.dimensions.length * share
    dimensions = replace(
        plan.dimensions,
        length=length,
        width=min(length, plan.dimensions.width * share**0.5),
        count=max(1, round(plan.dimensions.count * share)),
    )
    return replace(plan, dimensions=_large_enough(dimensions))


def _direction(grain: Grain, spread_degrees: float, generator: np.random.Generator) -> float:
    """Choose a direction near that of rolling; sheets without stripes were rolled down mostly."""
    if spread_degrees >= 90:
        return float(generator.uniform(0, 180))
    rolled = grain.angle_degrees
    if grain.order < ORDER_OF_ROLLED_SHEETS:
        rolled = 90.0 if generator.random() < 0.7 else 0.0
    # Now and then something came from the side.
    if generator.random() < 0.08:
        rolled = generator.uniform(0, 180)
    return float((rolled + generator.normal(0, spread_degrees)) % 180)


def _fitted(dimensions: Dimensions, shape: tuple[int, int]) -> Dimensions:
    """Keep a defect from being longer than the sheet is in its direction."""
    angle = math.radians(dimensions.angle_degrees)
    down, across = max(abs(math.sin(angle)), 1e-6), max(abs(math.cos(angle)), 1e-6)
    reach = min(shape[0] / down, shape[1] / across)
    width = max(1.0, min(dimensions.width, 0.7 * min(shape)))
    length = max(width, min(dimensions.length, 1.05 * reach))
    return _large_enough(replace(dimensions, length=length, width=width))


def _large_enough(dimensions: Dimensions) -> Dimensions:
    """Let a defect that would vanish grow in both directions."""
    length, width = max(dimensions.length, 1.0), max(dimensions.width, 1.0)
    growth = max(1.0, math.sqrt(LEAST_AREA / (length * width)))
    return replace(dimensions, length=float(length * growth), width=float(width * growth))
