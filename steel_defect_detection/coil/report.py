"""Everything that is said of a coil, in numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from steel_defect_detection.coil import recurrence, zones
from steel_defect_detection.coil.layout import Coil
from steel_defect_detection.coil.recurrence import Recurrence, Search, Settings
from steel_defect_detection.coil.units import Units
from steel_defect_detection.coil.zones import Bins, Edge, Trend
from steel_defect_detection.errors import ConfigError

ZONES = 10
"""Parts across the coil, unless another number is given."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """What a coil is like.

    Args:
        coil: The coil.
        search: Marks that come again.
        metres: Counts by metre, or by 1,000 pixels.
        zones: Counts by part of the width.
        edges: How far defects crowd at edge 1 and edge 2.
        trend: Whether they grow more along the coil.
    """

    coil: Coil
    search: Search
    metres: Bins
    zones: Bins
    edges: tuple[Edge, Edge]
    trend: Trend

    def facts(self) -> dict[str, Any]:
        """Everything as JSON holds it; lengths are in the unit that ``unit`` names."""
        coil, units = self.coil, Units(self.coil.mm_per_pixel)
        counts = np.bincount(coil.defects.class_number, minlength=len(coil.classes) + 1)[1:]
        return {
            "unit": units.name,
            "mm_per_pixel": coil.mm_per_pixel,
            "images": len(coil.images),
            "unread": [name for name, skip in zip(coil.images, coil.unread, strict=True) if skip],
            "length": units.number(coil.length),
            "seen_length": units.number(coil.seen),
            "width": units.number(coil.width),
            "defects": len(coil.defects),
            "area_pixels": int(coil.defects.area.sum()),
            "classes": {name: int(count) for name, count in zip(coil.classes, counts, strict=True)},
            "recurrences": [
                self._recurrence(number, one)
                for number, one in enumerate(self.search.recurrences, start=1)
            ],
            "search": self._search(),
            "edges": [
                {
                    "part": edge.part,
                    "share": edge.share,
                    "low": edge.low,
                    "high": edge.high,
                    "probability": edge.probability,
                }
                for edge in self.edges
            ],
            "trend": {
                "first_third": self.trend.first * units.part / 1000,
                "last_third": self.trend.last * units.part / 1000,
                "per": units.part_name,
                "tau": self.trend.tau,
                "probability": self.trend.probability,
            },
            "metres": _bins(self.metres, units),
            "zones": _bins(self.zones, units),
        }

    def _recurrence(self, number: int, one: Recurrence) -> dict[str, Any]:
        units = Units(self.coil.mm_per_pixel)
        return {
            "recurrence": number,
            "class": self.coil.classes[one.class_number - 1],
            "period": units.number(one.period),
            "period_error": units.number(one.period_error),
            "phase": units.number(one.phase),
            "first": units.number(one.first),
            "last": units.number(one.last),
            "scatter": units.number(one.scatter),
            "across": units.number(one.across),
            "across_scatter": units.number(one.across_scatter),
            "members": len(one.members),
            "places": one.places,
            "occupied": one.occupied,
            "false_alarm_probability": one.false_alarm,
            "roll_diameter": units.number(one.diameter),
            "shares_period_with": list(one.shares_period_with),
            "images_per_period": one.images_per_period,
            "defects": (one.members + 1).tolist(),
        }

    def _search(self) -> dict[str, Any]:
        units = Units(self.coil.mm_per_pixel)
        return {
            "shortest_period": units.number(self.search.shortest),
            "longest_period": units.number(self.search.longest),
            "tolerance_along": units.number(self.search.tolerance),
            "tolerance_across": units.number(self.search.tolerance_across),
            "pairs_tried": self.search.tried,
            "least_turns": [
                {"period": units.number(period), "turns": turns}
                for period, turns in self.search.least_turns.items()
            ],
        }


def examine(coil: Coil, settings: Settings | None = None, *, zone_count: int = ZONES) -> Report:
    """Say everything about a coil.

    Args:
        coil: The coil.
        settings: How marks that come again are looked for.
        zone_count: Parts across the coil.

    Raises:
        ConfigError: If the periods that are looked for cannot be, or none of them
            has room on the coil.
    """
    _refuse_too_long(coil, settings)
    return Report(
        coil=coil,
        search=recurrence.find(coil, settings),
        metres=zones.along(coil, Units(coil.mm_per_pixel).part),
        zones=zones.across(coil, zone_count),
        edges=zones.edges(coil),
        trend=zones.trend(coil),
    )


def _refuse_too_long(coil: Coil, settings: Settings | None) -> None:
    shortest = settings.shortest if settings is not None else None
    if shortest is not None and shortest > coil.length:
        units = Units(coil.mm_per_pixel)
        msg = (
            f"the shortest period, {units.short(shortest)}, is longer than the coil, "
            f"{units.short(coil.length)}: nothing could come again. Choose a shorter one"
        )
        raise ConfigError(msg)


def _bins(bins: Bins, units: Units) -> dict[str, Any]:
    return {
        "edges": [units.number(edge) for edge in bins.edges.tolist()],
        "seen_share": np.round(bins.seen, 6).tolist(),
        "counts": bins.counts.tolist(),
        "areas_pixels": bins.areas.tolist(),
    }
