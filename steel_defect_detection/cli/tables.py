"""Tables as lines to read."""

from collections.abc import Iterator, Sequence


def words(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Line up cells of words, all to the left.

    Args:
        rows: Cells by row, the titles first.
    """
    widths = _widths(rows)
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def numbers(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Line up cells of numbers: the first column to the left, the others to the right.

    Args:
        rows: Cells by row, the titles first.
    """
    first, *others = _widths(rows)
    for name, *cells in rows:
        yield "  ".join([name.ljust(first), *map(str.rjust, cells, others)]).rstrip()


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]
