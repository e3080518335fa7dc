"""How far long work has come: a bar on a terminal, a line a minute in a log."""

import io
import logging
import sys
from collections.abc import Iterable
from typing import Any, Final

from tqdm import tqdm

_LOG = logging.getLogger(__name__)
SECONDS_OF_SILENCE: Final = 60.0
"""Time between two lines, and before the first one."""


def progress_bar(  # noqa: PLR0913 -- what a bar says, one thing each
    things: Iterable[Any] | None = None,
    *,
    unit: str,
    total: int | None = None,
    done: int = 0,
    what: str = "",
    leave: bool = True,
    shown: bool = True,
) -> "tqdm[Any]":
    """Show how far a piece of work has come.

    A bar is drawn on standard error if that is a terminal. Elsewhere, as in the log
    of a job, this module's logger gets a line a minute, as information.

    Args:
        things: What is worked on, to be taken from what is returned; None for
            work that is counted by its ``update``.
        unit: What one of them is called; ``B`` for bytes.
        total: How many there are, if ``things`` does not know its length.
        done: How many of them are done before.
        what: What the work is called, before the number.
        leave: Whether the bar stays when it is closed.
        shown: Whether to show anything at all.
    """
    usual: dict[str, Any] = {
        "iterable": things,
        "unit": unit,
        "unit_scale": unit == "B",
        "total": total,
        "initial": done,
        "desc": what or None,
    }
    if not shown:
        return tqdm(disable=True, **usual)
    # None where standard error was closed.
    if sys.stderr is not None and sys.stderr.isatty():
        return tqdm(leave=leave, **usual)
    return _Lines(**usual)


class _Lines(tqdm):  # type: ignore[type-arg]  # generic in its stubs only
    """A bar that is a line a minute."""

    def __init__(self, **usual: Any) -> None:
        """Keep silent for the first minute."""
        super().__init__(
            file=io.StringIO(),
            leave=False,
            # Each step looks at the clock; else a thread of tqdm's would, and speak besides.
            miniters=1,
            mininterval=SECONDS_OF_SILENCE,
            delay=SECONDS_OF_SILENCE,
            **usual,
        )

    def display(self, msg: str | None = None, pos: int | None = None) -> None:  # noqa: ARG002
        """Say how far it is; what would empty a bar is said by nothing."""
        if msg is None:
            _LOG.info("%s", self._line())

    def clear(self, *_: object, **__: object) -> None:
        """Leave the lines as they are."""

    def _line(self) -> str:
        of = "" if self.total is None else f" of {self._size(self.total)}"
        line = f"{self._size(self.n)}{of}"
        if self.unit != "B":
            line = f"{line} {self.unit}{'es' if self.unit.endswith('ch') else 's'}"
        rate = self.format_dict["rate"]
        if self.total is not None and rate:
            left = self.format_interval(max(self.total - self.n, 0) / rate)
            line = f"{line}, {left} left at this rate"
        return f"{self.desc}: {line}" if self.desc else line

    def _size(self, number: float) -> str:
        return f"{self.format_sizeof(number)}B" if self.unit == "B" else f"{number:,}"
