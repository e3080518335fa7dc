"""What is said of a coil, in sentences."""

from collections.abc import Iterator

import numpy as np

from steel_defect_detection.coil.recurrence import Recurrence
from steel_defect_detection.coil.report import Report
from steel_defect_detection.coil.units import Units
from steel_defect_detection.coil.zones import Edge
from steel_defect_detection.wording import amount, visible

_WORST = 3


def sentences(report: Report) -> Iterator[str]:
    """Say what a coil is like, one line after the other, with all letters of names visible.

    Args:
        report: Its numbers.
    """
    yield _coil(report)
    yield from _classes(report)
    yield from _unread(report)
    yield from _worst(report)
    yield from _edges(report)
    yield from _trend(report)
    yield from _recurrences(report)


def recurrence(report: Report, number: int) -> str:
    """Say what one of the marks that come again is like.

    Args:
        report: Numbers of the coil.
        number: Number of the mark, from 1.
    """
    one, units = report.search.recurrences[number - 1], Units(report.coil.mm_per_pixel)
    name = visible(report.coil.classes[one.class_number - 1])
    return (
        f"R{number}: every {units.short(one.period)} (± {error(one, units)}) at "
        f"{units.short(one.across)} from edge 1, {len(one.members)} of {one.places} places from "
        f"{units.long(one.first)} to {units.long(one.last)}, class {name}, false-alarm "
        f"probability {one.false_alarm:.1g}: {_cause(one, units)}"
    )


def error(one: Recurrence, units: Units) -> str:
    """Say how far off a period may be: one standard error.

    Args:
        one: The mark.
        units: How lengths are written.
    """
    number = units.number(one.period_error)
    return f"{number:.1g} {units.name}" if number else f"below 0.001 {units.name}"


def _coil(report: Report) -> str:
    coil, units = report.coil, Units(report.coil.mm_per_pixel)
    count = len(coil.defects)
    rate = count / coil.seen * units.part if coil.seen else 0.0
    return (
        f"{units.long(coil.length)} of strip, {units.short(coil.width)} wide, on "
        f"{amount(len(coil.images), 'image')}: {amount(count, 'defect')}, {rate:.2g} per "
        f"{units.part_name}"
    )


def _classes(report: Report) -> Iterator[str]:
    coil = report.coil
    counts = np.bincount(coil.defects.class_number, minlength=len(coil.classes) + 1)[1:]
    named = [
        f"{visible(coil.classes[number])} {counts[number]:,}"
        for number in np.argsort(-counts, kind="stable")
        if counts[number]
    ]
    if named:
        yield f"by class: {', '.join(named)}"


def _unread(report: Report) -> Iterator[str]:
    coil, units = report.coil, Units(report.coil.mm_per_pixel)
    if coil.length - coil.seen > 0.5:
        unread = int(coil.unread.sum())
        images = f", with {amount(unread, 'image')} that could not be judged" if unread else ""
        yield f"not seen: {units.long(coil.length - coil.seen)}{images}; counts leave it out"


def _worst(report: Report) -> Iterator[str]:
    bins, units = report.metres, Units(report.coil.mm_per_pixel)
    counts = bins.counts.sum(axis=1)
    worst = np.argsort(-counts, kind="stable")[:_WORST]
    if len(report.coil.defects):
        places = ", ".join(
            f"{counts[place]} from {units.long(bins.edges[place])} on"
            for place in worst.tolist()
            if counts[place]
        )
        yield f"most defects per {units.part_name}: {places}"


def _edges(report: Report) -> Iterator[str]:
    for number, edge in enumerate(report.edges, start=1):
        if edge.is_crowded:
            yield f"edge {number} is crowded: {_share(edge)}"
    if len(report.coil.defects) and not any(edge.is_crowded for edge in report.edges):
        yield "neither edge is crowded"


def _share(edge: Edge) -> str:
    return (
        f"{edge.share:.0%} of the defects lie on the {edge.part:.0%} of the width next to it "
        f"(95 % interval {edge.low:.0%} to {edge.high:.0%}; by chance at most with a probability "
        f"of {edge.probability:.1g})"
    )


def _trend(report: Report) -> Iterator[str]:
    trend, units = report.trend, Units(report.coil.mm_per_pixel)
    if not len(report.coil.defects):
        return
    if not trend.is_sure:
        yield "no sure trend along the coil"
        return
    first, last = (rate * units.part / 1000 for rate in (trend.first, trend.last))
    word = "more" if trend.tau > 0 else "fewer"
    yield (
        f"{word} defects towards the end: {first:.2g} per {units.part_name} in the first third, "
        f"{last:.2g} in the last (probability by chance {trend.probability:.1g})"
    )


def _recurrences(report: Report) -> Iterator[str]:
    search, units = report.search, Units(report.coil.mm_per_pixel)
    for number in range(1, len(search.recurrences) + 1):
        yield recurrence(report, number)
    if not search.recurrences:
        yield (
            f"nothing recurs with a period of {units.short(search.shortest)} to "
            f"{units.short(search.longest)}"
        )
    if search.least_turns:
        could = ", ".join(
            f"{turns} turns of {units.short(period)}"
            for period, turns in search.least_turns.items()
        )
        yield f"a mark that is seen at each turn would be found from about {could} on"


def _cause(one: Recurrence, units: Units) -> str:
    if one.images_per_period:
        images = "an image" if one.images_per_period == 1 else f"{one.images_per_period} images"
        return f"the length of {images}: dirt on the camera or its window?"
    text = f"a roll of {units.short(one.diameter)} diameter"
    if one.shares_period_with:
        others = " and ".join(f"R{other}" for other in one.shares_period_with)
        return f"{text}, the same period as {others}"
    return text
