import base64
import hashlib
import html as html_of_python
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from steel_defect_detection.report import page
from steel_defect_detection.report.blocks import (
    Column,
    Drawing,
    Facts,
    Gallery,
    Histogram,
    Named,
    Note,
    Part,
    Picture,
    Section,
    Shares,
    Shown,
    Table,
    Verdict,
)
from tests.report import reading

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgAB"
    "SK+kcQAAAABJRU5ErkJggg=="
)


def everywhere(text):
    """A section with a text in each place that takes one."""
    picture = Picture(alt=text or "-", source=PIXEL, width=1, height=1)
    table = Table(
        caption=text,
        columns=[Column(text), Column(text, True)],
        rows=[[text, text], [Named(text, "#000000"), Verdict(text)], [picture, None]],
        is_folded=True,
        is_sortable=True,
    )
    blocks = [
        table,
        Facts(items={text: text}),
        Note(text=text, is_warning=True),
        Gallery(shown=[Shown(title=text, picture=picture, verdict=text, lines=[text])]),
        Shares(counts={text: 1}),
        Histogram(title=text, counts=[1, 2], color="#000000", mark=0.5),
    ]
    parts = [Part(title=text, blocks=blocks)]
    return Section(title=text, source=text, parts=parts, problems=[(text, "broken")])


def structure(html):
    """Elements and their attributes, but for the class that lets long names be broken."""
    found = reading.read(html).elements
    return [
        (tag, sorted(set(attributes) - ({"class"} if tag == "th" else set())))
        for tag, attributes in found
    ]


PLAIN = page.render("plain", [everywhere("plain")])


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "\"><img src=x onerror='alert(1)'>",
        "</style></title></script><!-- ",
        "{{ 7 * 7 }}{% include 'page.html.jinja' %}",
        "&lt;b&gt; &amp; ' onload=",
        "a\nb\r\n\0\u202e\ufeff",
        "strip-\udcff.png",
        "]]>\x1b[31m",
    ],
)
def test_no_text_changes_what_a_page_is_made_of(text):
    html = page.render(text, [everywhere(text)])
    assert structure(html) == structure(PLAIN)
    html.encode("utf-8")


@given(st.text(min_size=1))
def test_any_text_is_shown_as_it_is_and_does_nothing(text):
    html = page.render("title", [everywhere(text)])
    assert structure(html) == structure(PLAIN)
    if text.isprintable():
        found = re.search(r'<p class="note warning">(.*?)</p>', html)
        assert html_of_python.unescape(found[1]) == text


def test_marks_of_direction_are_written_out():
    said = reading.read(page.render("t", [everywhere("gnp.\u202efdp")])).text
    assert r"gnp.\u202efdp" in said
    assert "\u202e" not in said


def test_the_policy_allows_what_the_page_holds_and_nothing_else():
    found = {each.get("http-equiv"): each for each in reading.read(PLAIN).all("meta")}
    policy = found["Content-Security-Policy"]["content"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for name in ("style", "script"):
        text = re.search(f"<{name}>(.*?)</{name}>", PLAIN, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{name}-src"] == f"'sha256-{digest}'"


def test_the_page_names_no_address():
    assert reading.addresses(PLAIN) == []


def test_the_page_is_fit_for_telephones_and_readers():
    found = reading.read(PLAIN)
    assert found.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in found.all(
        "meta"
    )
    tags = [tag for tag, _ in found.elements]
    assert {"header", "nav", "main", "section", "h1", "h2", "h3"} <= set(tags)
    assert all(cell.get("scope") in {"col", "row"} for cell in found.all("th"))
    drawings = [each for each in found.all("svg") if "aria-hidden" not in each]
    assert all(each["role"] == "img" and each["aria-label"] for each in drawings)
    assert all(each["loading"] == "lazy" for each in found.all("img"))


def test_a_drawing_of_the_package_stands_as_it_is():
    svg = Markup('<svg viewBox="0 0 1 1" role="img" aria-label="map"></svg>')
    drawing = Drawing(label='Where "they" lie', svg=svg)
    section = Section(title="t", source="s", parts=[Part(title="Along the coil", blocks=[drawing])])
    found = reading.read(page.render("t", [section]))
    assert found.all("svg")[0]["aria-label"] == "map"
    # It scrolls by itself, also by keys.
    (box,) = [each for each in found.all("div") if each.get("class") == "drawing"]
    assert box == {
        "class": "drawing",
        "tabindex": "0",
        "role": "region",
        "aria-label": 'Where "they" lie',
    }


def luminance(color):
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    """WCAG 2: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_text_can_be_read_in_light_dark_and_print():
    blocks = re.findall(r":root \{(.*?)\}", PLAIN, re.DOTALL)
    assert len(blocks) == 3
    colors = {}
    for block in blocks:
        colors |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for ink in ("ink", "quiet", "link", "warning"):
            assert contrast(colors[ink], colors["paper"]) >= 4.5, ink
            assert contrast(colors[ink], colors["soft"]) >= 4.5, ink
        assert contrast(colors["ink"], colors["marked"]) >= 4.5
        for verdict in ("defect", "clean", "unfamiliar", "error", "other"):
            assert contrast("#ffffff", colors[verdict]) >= 4.5, verdict
