import re
from html.parser import HTMLParser

import pytest

from steel_defect_detection import coil
from steel_defect_detection.coil import page
from tests.coil import built


class Outline(HTMLParser):
    """Tags that are open, and the texts of headings and cells."""

    empty = ("meta", "!DOCTYPE")

    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.empty:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in {"h1", "h2", "td", "th", "li"}:
            self.texts.append(data)


@pytest.fixture(scope="module")
def html():
    places = [(500 + 1000 * turn, 50, 1) for turn in range(24)]
    report = coil.examine(built.coil(places, mm_per_pixel=0.5, unread=[90]))
    return page.html(report, "Coil <7>", coil.map_svg(report.coil))


@pytest.fixture(scope="module")
def outline(html):
    parser = Outline()
    parser.feed(html)
    return parser


def test_every_tag_is_closed(outline):
    assert outline.open == []


def test_titles_and_names_are_escaped(outline):
    assert outline.texts[0] == "Coil <7>"


def test_marks_stretches_zones_and_unread_images_are_tables(outline):
    headings = [
        "Marks that come again",
        "Most defects per metre",
        "Across the width, from edge 1",
        "Images that could not be judged: 1",
    ]
    assert [text for text in outline.texts if text in headings] == headings
    assert "0090.png" in outline.texts


def test_nothing_is_fetched(html):
    addresses = set(re.findall(r"https?://[^\"' ]*", html))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(?:link|img|iframe)|src=|@import|url\(", html)


def test_each_button_has_its_key(html):
    keys = re.findall(r'data-key="([^"]+)"', html)
    assert keys == ["+", "-", "ArrowLeft", "ArrowRight", "0"]
    for key in keys:
        assert f'"{key}":' in html or f"{key}:" in html


def test_a_coil_without_marks_has_no_table_of_them():
    report = coil.examine(built.coil([]))
    assert "<h2>Marks that come again" not in page.html(report, "Coil", "")
