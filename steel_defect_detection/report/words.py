r"""Words and numbers as a reader sees them.

Names of files and classes, errors and model cards come from anywhere. What no
screen shows, or what would turn the order of letters around, is written as
Python would write it: ``\n``, ``\u202e``.
"""

import math
from collections.abc import Sequence
from typing import Any

UNKNOWN = "–"
"""Stands for a number that is not known."""


def visible(text: str) -> str:
    r"""Make every letter of a text visible.

    Args:
        text: Any text, also the name of a file whose bytes are no text.

    Returns:
        The text; controls, marks that change the direction of writing, unusual
        spaces and broken letters are written as escapes.

    Example:
        >>> print(visible("a\u202eb\n"))
        a\u202eb\n
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in text
    )


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


def amount(number: int, one: str, many: str = "") -> str:
    """Write how many there are of something.

    Example:
        >>> amount(1, "image"), amount(2_000, "image")
        ('1 image', '2,000 images')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def joined(parts: Sequence[str]) -> str:
    """List what there is, or say that there is nothing."""
    return ", ".join(parts) or UNKNOWN
