"""Values of options: from words to numbers, with a message where that cannot be."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from steel_defect_detection import files


def _comma(text: str) -> str:
    """What to say of a number with a comma where a point is to stand."""
    is_one = re.fullmatch(r"-?\d+,\d+", text)
    return f"{text!r} has a comma: write {text.replace(',', '.')}" if is_one else ""


class FiniteRange(click.FloatRange):
    """A number within bounds; not-a-number and infinity lie within none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number."""
        if problem := _comma(str(value)):
            self.fail(problem, param, ctx)
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            bounds = self.min is not None or self.max is not None
            within = f" in the range {self._describe_range()}" if bounds else ""
            self.fail(f"{value} is no finite number{within}", param, ctx)
        return number


class Place(click.Path):
    """A file or folder to write, which need not exist.

    Args:
        is_file: Whether it is a file.
    """

    def __init__(self, *, is_file: bool = False) -> None:
        """Choose which of both it is."""
        super().__init__(path_type=Path, file_okay=is_file, dir_okay=not is_file)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path | str:
        """Read the name; a variable of a script that is not set leaves an empty one."""
        if not str(value).strip():
            advice = "" if self.file_okay else ": write . for the folder you are in"
            self.fail(f"the name is empty{advice}", param, ctx)
        return Path(str(super().convert(value, param, ctx)))


class FolderOrAddress(Place):
    """A folder of this machine, or the address of one, such as ``s3://bucket/folder``."""

    def __init__(self) -> None:
        """Take folders that need not exist."""
        super().__init__()
        self.name = "folder"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path | str:
        """Leave an address as it is."""
        if files.is_address(str(value)):
            return str(value)
        return super().convert(value, param, ctx)


class Size(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """Height and width, such as ``256x1600``."""

    name = "HEIGHTxWIDTH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Part the two numbers."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", str(value))
        if found is None:
            self.fail(f"{value!r} is no HEIGHTxWIDTH, such as 256x1600", param, ctx)
        return int(found[1]), int(found[2])


class Numbers(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """Numbers separated by commas, or a single one; or ``none``.

    Their count and range are checked with the other settings.

    Args:
        single: Whether it is one number.
    """

    def __init__(self, *, single: bool = False) -> None:
        """Choose how many."""
        self._single = single
        self.name = "NUMBER|none" if single else "NUMBER,..."

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Read the numbers."""
        if not isinstance(value, str):
            return value
        if value.lower() == "none":
            return None
        try:
            if self._single:
                return float(value)
            return tuple(float(part) for part in value.replace("x", ",").split(","))
        except ValueError:
            what = "a number or 'none'" if self._single else "a list of numbers like 256,320"
            self.fail(f"{value!r} is not {what}", param, ctx)


class Shares(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """Shares of parts: ``train=0.8,validation=0.2``."""

    name = "PART=SHARE,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, float]:
        """Part names from numbers."""
        if isinstance(value, dict):
            return value
        pairs = [pair.partition("=") for pair in str(value).split(",")]
        try:
            shares = {name.strip(): float(number) for name, _, number in pairs}
        except ValueError:
            self.fail(f"{value!r} is no list like train=0.8,validation=0.2", param, ctx)
        if len(shares) < len(pairs) or not all(shares):
            self.fail(f"{value!r} names a part twice or not at all", param, ctx)
        return shares


class PerPart(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """A number for the training images, or ``PART=NUMBER,...``.

    Args:
        kind: Whether it is a whole number (``int``) or any (``float``).
    """

    name = "[PART=]NUMBER,..."

    def __init__(self, kind: type[int] | type[float]) -> None:
        """Choose the kind of number."""
        self._kind = kind

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, float]:
        """Part names from numbers."""
        if isinstance(value, dict):
            return value
        text = str(value) if "=" in str(value) else f"train={value}"
        pairs = [pair.partition("=") for pair in text.split(",")]
        try:
            numbers = {name.strip(): self._kind(number) for name, _, number in pairs}
        except ValueError:
            what = "whole number" if self._kind is int else "number"
            self.fail(f"{value!r} is no {what}, or list like train=50,validation=5", param, ctx)
        if len(numbers) < len(pairs) or not all(numbers):
            self.fail(f"{value!r} names a part twice or not at all", param, ctx)
        return numbers


class Range(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """A number, or two with a colon between: ``0.2:0.8``."""

    name = "NUMBER[:NUMBER]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Read the two ends; a single number is both."""
        if isinstance(value, tuple):
            return value
        low, colon, high = str(value).partition(":")
        try:
            ends = float(low), float(high if colon else low)
        except ValueError:
            ends = math.nan, math.nan
        if not all(map(math.isfinite, ends)):
            self.fail(f"{value!r} is no number, or range like 0.2:0.8", param, ctx)
        return ends


class PerClass(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """A number for all classes, or ``CLASS=NUMBER``.

    Args:
        most: The largest number; the least one is 0.
        whole: Whether it is a whole number.
    """

    name = "[CLASS=]NUMBER"

    def __init__(self, *, most: float = math.inf, whole: bool = False) -> None:
        """Choose the range."""
        self._most = most
        self._whole = whole

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, float]:
        """Split the class from its number; the class is empty for all."""
        if isinstance(value, tuple):
            return value
        label, _, text = str(value).rpartition("=")
        if problem := _comma(text):
            self.fail(problem, param, ctx)
        try:
            number = float(text)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor CLASS=NUMBER", param, ctx)
        if not self._fits(number):
            kind = "a whole number" if self._whole else "a number"
            within = "from 0 on" if math.isinf(self._most) else f"from 0 to {self._most:g}"
            self.fail(f"{text!r} is not {kind} {within}", param, ctx)
        return label, number

    def _fits(self, number: float) -> bool:
        is_whole = number.is_integer() or not self._whole
        return math.isfinite(number) and 0 <= number <= self._most and is_whole


def per_class(values: tuple[tuple[str, float], ...]) -> float | Mapping[str, float] | None:
    """Join the values of an option that may be given once per class.

    Returns:
        None without values, one number for all classes, or numbers by class.

    Raises:
        click.UsageError: If a number for all stands beside others.
    """
    if not values:
        return None
    if len(values) == 1 and not values[0][0]:
        return values[0][1]
    if not all(label for label, _ in values):
        msg = "give one number for all classes, or CLASS=NUMBER for each"
        raise click.UsageError(msg)
    if len({label for label, _ in values}) < len(values):
        msg = "give each class one number only"
        raise click.UsageError(msg)
    return dict(values)


class CountOrAuto(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """A whole number from 2 on, or ``auto``."""

    name = "NUMBER|auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """Read the number; ``auto`` is None."""
        if isinstance(value, int):
            return value
        if str(value).lower() == "auto":
            return None
        if not str(value).isdecimal() or int(value) < 2:
            self.fail(f"{value!r} is neither 'auto' nor a whole number from 2 on", param, ctx)
        return int(value)
