"""Blocks: what a report is made of, as data.

``Section`` (one folder) > ``Part`` (one heading) > blocks. Each block names the
macro of ``templates/blocks.html.jinja`` that draws it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from markupsafe import Markup

Color = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that stands in the file itself.

    Args:
        alt: What it shows, for those who do not see it.
        source: Its bytes as a ``data:`` address.
        width: Pixels from left to right.
        height: Pixels from top to bottom.
    """

    kind: ClassVar[str] = "picture"
    alt: str
    source: str
    width: int
    height: int

    @property
    def is_wide(self) -> bool:
        """Whether it deserves the whole width of a page, as a strip does."""
        return self.width > 2.5 * self.height


class Named(NamedTuple):
    """A class and its colour in overlays."""

    name: str
    color: str
    kind: str = "named"


class Verdict(NamedTuple):
    """A verdict, in its colour."""

    word: str
    kind: str = "verdict"


Cell = str | Picture | Named | Verdict | None


class Column(NamedTuple):
    """A column of a table.

    Args:
        title: What stands above it.
        is_number: Whether it holds numbers, which stand to the right.
    """

    title: str
    is_number: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table.

    Args:
        caption: What it holds.
        columns: Its columns; the first one names the rows.
        rows: Cells by row.
        marked: Numbers of rows that stand out.
        is_folded: Whether it is closed until a reader opens it.
        is_sortable: Whether a click on a title sorts it.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    marked: frozenset[int] = frozenset()
    is_folded: bool = False
    is_sortable: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Terms and what is to be said about each.

    Args:
        items: What is said, by term.
    """

    kind: ClassVar[str] = "facts"
    items: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Note:
    """A sentence.

    Args:
        text: The sentence.
        is_warning: Whether a reader must not overlook it.
    """

    kind: ClassVar[str] = "note"
    text: str
    is_warning: bool = False


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture in a gallery.

    Args:
        title: Name of what is shown.
        picture: The picture; None if there is none.
        verdict: What was said of it; empty for nothing.
        lines: What else is known about it.
    """

    title: str
    picture: Picture | None
    verdict: str = ""
    lines: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Pictures beside and below each other, each under its name.

    Args:
        shown: The pictures.
        is_single: Whether each has the whole width of the page.
    """

    kind: ClassVar[str] = "gallery"
    shown: Sequence[Shown]
    is_single: bool = False


@dataclass(frozen=True, kw_only=True)
class Shares:
    """A bar that is parted as images are by their verdicts.

    Args:
        counts: Images by verdict.
    """

    kind: ClassVar[str] = "shares"
    counts: Mapping[str, int]

    @property
    def pieces(self) -> list[tuple[str, int, float, float]]:
        """Verdict, count, start and length of each piece of a bar 100 long."""
        total, start, found = sum(self.counts.values()), 0.0, []
        for verdict, count in self.counts.items():
            if count:
                length = 100 * count / total
                found.append((verdict, count, start, length))
                start += length
        return found


class Bar(NamedTuple):
    """A bar of a histogram, in the units of the drawing."""

    x: float
    y: float
    height: float
    images: int
    words: str


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How many images have which probability.

    Args:
        title: What is probable.
        counts: Images by probability, from 0 to 1 in steps of one size.
        color: Of the bars, as HTML writes colours.
        mark: Threshold to draw; None for none.
    """

    kind: ClassVar[str] = "histogram"
    title: str
    counts: Sequence[int]
    color: str
    mark: float | None = None

    WIDTH: ClassVar[int] = 400
    HEIGHT: ClassVar[int] = 150

    @property
    def step(self) -> float:
        """Width of a bar."""
        return self.WIDTH / len(self.counts)

    @property
    def bars(self) -> list[Bar]:
        """The bars, as high as there are images; one image can be seen beside thousands."""
        highest = max(*self.counts, 1)
        found = []
        for place, count in enumerate(self.counts):
            height = max(self.HEIGHT * count / highest, 2.0) if count else 0.0
            low, high = place / len(self.counts), (place + 1) / len(self.counts)
            words = f"{low:g} to {high:g}: {count:,}"
            found.append(Bar(place * self.step, self.HEIGHT - height, height, count, words))
        return found

    @property
    def words(self) -> str:
        """What it shows, for those who do not see it."""
        filled = [bar.words for bar in self.bars if bar.images]
        mark = "" if self.mark is None else f" Threshold {self.mark:g}."
        return f"{self.title}, images by probability. {'; '.join(filled) or 'No images'}.{mark}"


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A drawing made by this package.

    Args:
        label: What it shows, in a few words.
        svg: The drawing as an ``<svg>`` element that names no address, with all
            texts in it escaped, and a ``<title>`` or an ``aria-label``.
    """

    kind: ClassVar[str] = "drawing"
    label: str
    svg: Markup


Block = Table | Facts | Note | Gallery | Shares | Histogram | Drawing


@dataclass(frozen=True, kw_only=True)
class Part:
    """What stands under one heading.

    Args:
        title: The heading.
        blocks: What stands under it.
    """

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, kw_only=True)
class Section:
    """What a report says about one folder.

    Args:
        title: The heading.
        source: The folder, or what else it is about.
        parts: What is said, heading by heading.
        facts: The main counts, as JSON holds them.
        problems: What is wrong with files of the folder, by their names.
    """

    title: str
    source: str
    parts: Sequence[Part]
    facts: Mapping[str, Any] = field(default_factory=dict)
    problems: Sequence[tuple[str, str]] = ()


def html_color(color: Color) -> str:
    """Write a colour as HTML does.

    Args:
        color: Red, green, blue, 0 to 255.

    Example:
        >>> html_color((230, 159, 0))
        '#e69f00'
    """
    return "#{:02x}{:02x}{:02x}".format(*color)
