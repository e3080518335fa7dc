"""Numbers as a reader of a report sees them."""

import math
from collections.abc import Sequence
from typing import Any

UNKNOWN = "–"
"""Stands for a number that is not known."""


def one_line(text: str) -> str:
    """Put a text of several lines into one, as the commands print it."""
    return " ".join(text.split())


def count(number: float) -> str:
    """Write a whole number, with a comma between thousands; a dash for not-a-number."""
    return f"{number:,.0f}" if math.isfinite(number) else UNKNOWN


def number(value: Any) -> str:
    """Write whatever a file of measures holds: whole numbers as they are, others short.

    Args:
        value: A number, a text, a truth value, None, or a list or mapping of
            those.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {number(part)}" for name, part in value.items()) or UNKNOWN
    if isinstance(value, list | tuple):
        return ", ".join(map(number, value)) or UNKNOWN
    return f"{value:,}" if isinstance(value, int) else one_line(str(value))


def percent(share: float) -> str:
    """Write a share of 1 in percent; what is there never becomes 0.

    Example:
        >>> percent(0.0157), percent(0.00001), percent(0.0)
        ('1.57 %', '0.001 %', '0 %')
    """
    if not math.isfinite(share):
        return UNKNOWN
    digits = 2 if share <= 0 or share >= 0.001 else 1 - math.floor(math.log10(share * 100))
    text = f"{100 * share:.{max(digits, 0)}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def joined(parts: Sequence[str]) -> str:
    """List what there is, or say that there is nothing."""
    return ", ".join(parts) or UNKNOWN
