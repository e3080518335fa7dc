"""Which image follows which along the coil, as a table (csv) says.

One row per image, in their order: the column ``image`` (or ``file``) names it,
and ``start_mm``, or ``start`` in pixels, says where it begins along the coil, where
the camera does not take all of it.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.wording import amount

_NAMES = ("image", "file")
_STARTS = ("start_mm", "start")
_MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Order:
    """Images in their order along the coil.

    Args:
        images: Their names.
        starts: Where each begins, in millimetres or pixels; None if each begins
            where the one before it ends.
        in_mm: Whether ``starts`` are millimetres.
    """

    images: tuple[str, ...]
    starts: tuple[float, ...] | None = None
    in_mm: bool = False


def read(path: str | Path) -> Order:
    """Read an order.

    Args:
        path: The table.

    Raises:
        ConfigError: If it cannot be read, names no image or one twice, or if a
            start is no number.
    """
    columns, rows = _table(Path(path))
    name = next((one for one in _NAMES if one in columns), None)
    if name is None:
        found = f", but {', '.join(map(repr, columns))}" if columns else ": its first line is empty"
        msg = f"{path} has no column 'image' or 'file'{found}"
        raise ConfigError(msg)
    images = tuple(row[name] or "" for row in rows)
    if not images:
        msg = f"{path} names no image"
        raise ConfigError(msg)
    seen: set[str] = set()
    for line, image in enumerate(images, start=2):
        if image in seen or not image:
            what = f"{image!r} a second time" if image else "no image"
            msg = f"{path} names {what} in line {line}"
            raise ConfigError(msg)
        seen.add(image)
    start = next((one for one in _STARTS if one in columns), None)
    if start is None:
        return Order(images=images)
    return Order(images=images, starts=_starts(Path(path), rows, start), in_mm=start == "start_mm")


def resolve(order: Order, names: Sequence[Sequence[str]]) -> list[int]:
    """Find the images of an order.

    Args:
        order: The order.
        names: What each image may be called; where names differ in the folder
            only, the order must name that too.

    Returns:
        Number of each image of the order.

    Raises:
        ConfigError: If an image of the order is not there, or stands for
            several.
    """
    numbers: dict[str, set[int]] = {}
    for number, called in enumerate(names):
        for name in called:
            numbers.setdefault(name, set()).add(number)
    _refuse_missing(order, numbers)
    found = [numbers[image] for image in order.images]
    several = [image for image, which in zip(order.images, found, strict=True) if len(which) > 1]
    if several:
        msg = (
            f"{several[0]!r} stands for several images: name it with its folder, as images.csv does"
        )
        raise ConfigError(msg)
    return [next(iter(which)) for which in found]


def _refuse_missing(order: Order, numbers: Mapping[str, object]) -> None:
    missing = [image for image in order.images if image not in numbers]
    if missing:
        named = ", ".join(missing[:_MOST_NAMED])
        msg = (
            f"not among the images: {len(missing)} of {amount(len(order.images), 'image')} that "
            f"the order names, first: {named}. Add what is missing, or take it out of the order"
        )
        raise ConfigError(msg)


def _table(path: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            return reader.fieldnames or (), list(reader)
    except (OSError, ValueError, csv.Error) as error:
        msg = f"{path} cannot be read as an order of images: {error}"
        raise ConfigError(msg) from error


def _starts(path: Path, rows: Sequence[Mapping[str, str]], column: str) -> tuple[float, ...]:
    starts = []
    for line, row in enumerate(rows, start=2):
        try:
            number = float(row[column])
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number) or number < 0:
            got = repr(row[column])
            msg = f"{path} line {line}: expected a number of 0 or more as {column}, got {got}"
            raise ConfigError(msg)
        starts.append(number)
    return tuple(starts)
