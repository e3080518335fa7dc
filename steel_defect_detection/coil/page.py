"""A coil as one page (HTML): the map to zoom into, and tables.

The page is complete in itself: it asks nothing of any network, and without its
script it still shows the whole map and all tables.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

import numpy as np

from steel_defect_detection import wording
from steel_defect_detection.coil import words
from steel_defect_detection.coil.map import LEFT, LENGTH, PLOT_HEIGHT, PLOT_WIDTH, TOP
from steel_defect_detection.coil.report import Report
from steel_defect_detection.coil.units import Units
from steel_defect_detection.coil.zones import Bins

_MOST_BINS = 20
_MOST_NAMES = 50

_STYLE = """
body { font: 15px/1.45 sans-serif; color: #111; max-width: 1240px; margin: 1.5em auto;
  padding: 0 1em; overflow-wrap: anywhere; }
.box { overflow-x: auto; margin: .5em 0 1.5em; }
table { border-collapse: collapse; overflow-wrap: normal; }
th, td { border: 1px solid #bbb; padding: .2em .6em; text-align: right; }
th:first-child, td:first-child { text-align: left; }
td { white-space: nowrap; }
svg.coil-map { display: block; width: 100%; min-width: 640px; height: auto; border: 1px solid #ccc;
  box-sizing: border-box; touch-action: pan-y pinch-zoom; }
:focus-visible { outline: 3px solid #0072b2; outline-offset: -3px; }
button { font: inherit; padding: .2em .8em; }
@media (pointer: coarse) { button { min-height: 44px; margin: 2px 0; } }
/* Where the map is wider than the screen, a swipe moves its box. */
@media (max-width: 672px) { svg.coil-map { touch-action: manipulation; } }
@media print {
  .controls { display: none; }
  body { max-width: none; }
  .box { overflow: visible; }
  svg.coil-map { min-width: 0; }
}
"""

# The plot and the bars above it share their stretch of the coil: `from` and `size`, in parts of
# 10,000 of its length. Ticks are drawn anew for each stretch.
_SCRIPT = """
"use strict";
const map = document.querySelector("svg.coil-map");
const plot = map.querySelector(".plot"), density = map.querySelector(".density");
const ticks = map.querySelector(".ticks");
const lines = [...plot.querySelectorAll("g")].map(
  (line) => [line, Number(line.getAttribute("stroke-width"))]);
const whole = %(length)d, left = %(left)d, width = %(width)d, base = %(base)d;
const metres = map.dataset.unit === "mm";
const coil = Number(map.dataset.length) / (metres ? 1000 : 1);
let from = 0, size = whole;
function step(raw) {
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw * 0.999);
}
function add(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  ticks.append(made);
}
function show(newFrom, newSize) {
  size = Math.min(whole, Math.max(whole / 100000, newSize));
  from = Math.min(whole - size, Math.max(0, newFrom));
  plot.setAttribute("viewBox", `${from} 0 ${size} 1000`);
  density.setAttribute("viewBox", `${from} 0 ${size} 100`);
  // Thin lines of a crowded map grow to their full width as there is room for them.
  lines.forEach(([line, thin]) => {
    line.setAttribute("stroke-width", Math.max(thin, Math.min(1.5, thin * whole / size)));
  });
  const low = from / whole * coil, high = (from + size) / whole * coil;
  const gap = step((high - low) / 8);
  ticks.replaceChildren();
  for (let count = Math.ceil(low / gap); count * gap <= high; count += 1) {
    const x = left + width * (count * gap - low) / (high - low);
    const digits = Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(gap))));
    add("path", { d: `M${x} ${base}v5`, stroke: "#444" }, "");
    add("text", { x, y: base + 18 }, String(Number((count * gap).toFixed(digits))));
  }
}
function zoom(factor, at = 0.5) { show(from + at * size * (1 - factor), size * factor); }
function placeOf(event) {
  const box = map.getBoundingClientRect();
  const x = (event.clientX - box.left) * map.viewBox.baseVal.width / box.width;
  return Math.min(1, Math.max(0, (x - left) / width));
}
const actions = {
  "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "0": () => show(0, whole),
  ArrowLeft: () => show(from - size / 4, size), ArrowRight: () => show(from + size / 4, size),
  Home: () => show(0, size), End: () => show(whole, size),
};
map.addEventListener("keydown", (event) => {
  if (!actions[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  actions[event.key]();
});
map.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.shiftKey) return;
  event.preventDefault();
  zoom((event.deltaY || event.deltaX) > 0 ? 1.25 : 0.8, placeOf(event));
}, { passive: false });
map.addEventListener("dblclick", (event) => zoom(0.4, placeOf(event)));
let held = null;
map.addEventListener("pointerdown", (event) => { held = { at: placeOf(event), from }; });
map.addEventListener("pointermove", (event) => {
  if (held) show(held.from + (held.at - placeOf(event)) * size, size);
});
for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
  map.addEventListener(name, () => { held = null; });
}
for (const button of document.querySelectorAll("button[data-key]")) {
  button.addEventListener("click", () => actions[button.dataset.key]());
}
map.setAttribute("tabindex", "0");
document.querySelector(".controls").hidden = false;
"""


def html(report: Report, title: str, svg: str) -> str:
    """Write a coil as a page.

    Args:
        report: What is said of it.
        title: What the coil is called.
        svg: Its map.
    """
    script = _SCRIPT % {
        "length": LENGTH,
        "left": LEFT,
        "width": PLOT_WIDTH,
        "base": TOP + PLOT_HEIGHT,
    }
    said = "".join(f"<li>{_shown(line)}</li>\n" for line in words.sentences(report))
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_shown(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        f"<h1>{_shown(title)}</h1>\n<ul>\n{said}</ul>",
        _CONTROLS,
        _box("Map of the defects", svg),
        *_tables(report),
        f"<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


_CONTROLS = (
    '<p class="controls" hidden>'
    '<button data-key="+">closer</button> <button data-key="-">farther</button> '
    '<button data-key="ArrowLeft">left</button> <button data-key="ArrowRight">right</button> '
    '<button data-key="0">whole coil</button> '
    "By touch these buttons zoom and move; swipe where the map is wider than the screen. "
    "With a mouse also: double-click, Ctrl + wheel, drag; point at a defect to see what and where "
    "it is. On the map the keys + - 0 ← → Home End.</p>"
)


def _tables(report: Report) -> Iterator[str]:
    units = Units(report.coil.mm_per_pixel)
    if report.search.recurrences:
        yield "<h2>Marks that come again</h2>"
        yield _table("Marks that come again", _RECURRENCE_TITLES, _recurrences(report, units))
        yield (
            "<p>A roll's diameter is its mark's period divided by pi. What a stand before the last "
            "has marked was stretched with the strip, and the roll is smaller by as much.</p>"
        )
    classes = report.coil.classes
    counts = report.metres.counts.sum(axis=1)
    worst = np.argsort(-counts, kind="stable")[:_MOST_BINS]
    heading = f"Most defects per {units.part_name}"
    yield f"<h2>{heading}</h2>"
    yield f"<p>The most first, {_MOST_BINS} at most. All are in metres.csv.</p>"
    yield _table(
        heading,
        ("from", "to", "seen", *classes, "all", "area, px"),
        _bin_rows(report.metres, worst[counts[worst] > 0].tolist(), units, is_long=True),
    )
    yield "<h2>Across the width, from edge 1</h2>"
    yield _table(
        "Across the width",
        ("from", "to", "seen", *classes, "all", "area, px"),
        _bin_rows(report.zones, range(len(report.zones.counts)), units, is_long=False),
    )
    coil = report.coil
    unread = [name for name, skip in zip(coil.images, coil.unread, strict=True) if skip]
    if unread:
        heading = f"Images that could not be judged: {len(unread):,}"
        yield f"<h2>{heading}</h2>"
        if len(unread) > _MOST_NAMES:
            yield f"<p>The first {_MOST_NAMES}. All are in coil.json.</p>"
        yield _table(heading, ("image",), [[name] for name in unread[:_MOST_NAMES]])


_RECURRENCE_TITLES = (
    "mark",
    "class",
    "period",
    "±",
    "from edge 1",
    "first",
    "last",
    "members",
    "places",
    "false-alarm probability",
    "roll diameter",
)


def _recurrences(report: Report, units: Units) -> Iterator[Sequence[str]]:
    for number, one in enumerate(report.search.recurrences, start=1):
        yield (
            f"R{number}",
            report.coil.classes[one.class_number - 1],
            units.short(one.period),
            words.error(one, units),
            units.short(one.across),
            units.long(one.first),
            units.long(one.last),
            str(len(one.members)),
            str(one.places),
            f"{one.false_alarm:.1g}",
            "image length" if one.images_per_period else units.short(one.diameter),
        )


def _bin_rows(
    bins: Bins, places: Iterable[int], units: Units, *, is_long: bool
) -> Iterator[Sequence[str]]:
    write = units.long if is_long else units.short
    for place in places:
        counts = bins.counts[place]
        yield (
            write(bins.edges[place]),
            write(bins.edges[place + 1]),
            f"{bins.seen[place]:.0%}",
            *(f"{count:,}" for count in counts.tolist()),
            f"{counts.sum():,}",
            f"{bins.areas[place].sum():,}",
        )


def _table(label: str, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{_shown(title)}</th>' for title in titles)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{_shown(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return _box(label, table)


def _box(label: str, content: str) -> str:
    """What is wider than the screen scrolls in a box of its own, also by keys."""
    opened = f'<div class="box" tabindex="0" role="region" aria-label="{_shown(label)}">'
    return f"{opened}\n{content}\n</div>"


def _shown(text: str) -> str:
    return escape(wording.visible(text))
