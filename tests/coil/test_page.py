import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from steel_defect_detection import coil
from steel_defect_detection.coil import page
from steel_defect_detection.synthesis.coils import Mark, Plan, simulate
from tests import browsing
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


def rows(html, heading):
    """Cells of the table below a heading, row by row, without the titles."""
    table = html.split(f"<h2>{heading}</h2>")[1].split("</table>")[0]
    found = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)]
    return found[1:]


def test_the_worst_metres_come_first_and_are_at_most_twenty():
    # One defect on each of 30 stretches, two on the 8th and the 25th, three on the 20th.
    more = [7, 24, 19, 19]
    places = [(1000 * number + 500, 50, 1) for number in range(30)]
    places += [(1000 * number + 600 + turn, 90, 2) for turn, number in enumerate(more)]
    html = page.html(coil.examine(built.coil(places)), "Coil", "")
    found = [(row[0], row[-2]) for row in rows(html, "Most defects per 1,000 px")]
    ones = [number for number in range(30) if number not in more][:17]
    assert found == [
        ("19,000 px", "3"),
        ("7,000 px", "2"),
        ("24,000 px", "2"),
        *((f"{1000 * number:,} px", "1") for number in ones),
    ]
    assert "The most first, 20 at most. All are in metres.csv." in html


def test_of_many_unread_images_the_first_are_named():
    html = page.html(coil.examine(built.coil([(500, 50, 1)], unread=range(10, 70))), "Coil", "")
    assert len(rows(html, "Images that could not be judged: 60")) == 50
    assert "The first 50. All are in coil.json." in html


def test_every_letter_of_a_name_can_be_seen():
    one = built.coil([(500 + 1000 * turn, 50, 1) for turn in range(24)], unread=[90])
    images = (*one.images[:90], "gnp.\u202eexe\udcff", *one.images[91:])
    one = replace(one, classes=("pi\x1b[31mts", "b\u2066"), images=images)
    html = page.html(coil.examine(one), "Coil\u202e 7", "")
    assert r"<h1>Coil\u202e 7</h1>" in html
    assert r"<td>gnp.\u202eexe\udcff</td>" in html
    assert r"pi\x1b[31mts" in html
    assert r"b\u2066" in html
    assert all(sign.isprintable() or sign == "\n" for sign in html)


@pytest.fixture(scope="module")
def browser():
    with browsing.launched() as started:
        yield started


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A page of a coil with marks at nearly one width, and names as long as names can be."""
    marks = (
        Mark(period=3141.6, first=2000, across=100),
        Mark(period=2211, first=500, across=108, class_number=2),
        Mark(period=1777, first=100, across=2, class_number=4),
    )
    one = simulate(Plan(images=120, defects=300, marks=marks), 0).coil
    classes = ("pits", "in\u202eclusions", "scratches", "a_class_with_a_name_" * 4)
    one = replace(one, classes=classes, unread=built.coil([], images=120, unread=[7]).unread)
    folder = tmp_path_factory.mktemp("page")
    coil.write(coil.examine(one), folder, title=f"Coil {'7' * 80}")
    return folder / "coil.html"


@pytest.fixture
def opened(browser, file):
    """Opens the page; at the end nothing may have gone wrong in it."""
    contexts, complaints = [], []

    def open_it(screen):
        context = browser.new_context(**screen)
        contexts.append(context)
        opened = context.new_page()
        opened.on("console", lambda said: complaints.append(said.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.goto(file.as_uri())
        return opened

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("screen", [browsing.DESK, browsing.PHONE], ids=["desk", "phone"])
def test_the_page_is_no_wider_than_the_screen(opened, screen):
    found = opened(screen)
    width = screen["viewport"]["width"]
    assert found.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width]


def test_on_a_telephone_map_and_tables_scroll_in_boxes_of_their_own(opened):
    found = opened(browsing.PHONE)
    assert found.locator("svg.coil-map").bounding_box()["width"] == 640
    boxes = found.locator("[role=region][tabindex='0'][aria-label]")
    assert boxes.count() == found.locator("table").count() + 1
    assert found.locator("[role=region] > table").count() == found.locator("table").count()
    for number in (0, 1):  # the map, and the marks
        box = boxes.nth(number)
        box.focus()
        found.keyboard.press("ArrowRight")
        found.wait_for_function("document.activeElement.scrollLeft > 0")
    assert found.evaluate("scrollX") == 0


def test_by_touch_buttons_zoom_and_move(opened):
    found = opened(browsing.PHONE)
    plot = found.locator("svg.plot")
    found.get_by_role("button", name="closer").tap()
    assert plot.get_attribute("viewBox") == "2500 0 5000 1000"
    found.get_by_role("button", name="right").tap()
    assert plot.get_attribute("viewBox") == "3750 0 5000 1000"
    found.get_by_role("button", name="whole coil").tap()
    assert plot.get_attribute("viewBox") == "0 0 10000 1000"
    assert (
        min(found.locator("button").evaluate_all("all => all.map(one => one.offsetHeight)")) >= 44
    )
    assert "By touch" in found.locator(".controls").inner_text()


def test_no_two_texts_of_the_map_touch(opened):
    found = opened(browsing.DESK)
    texts = found.locator("svg.coil-map text").evaluate_all(
        "all => all.map(one => {const b = one.getBoundingClientRect();"
        # No letter fills the height of its line.
        "return [one.textContent, b.left, b.top + 2, b.right, b.bottom - 2]})"
    )
    assert {"defects", "0", "R1", "R2", "R3"} <= {text[0] for text in texts}
    touching = [
        (one[0], other[0])
        for number, one in enumerate(texts)
        for other in texts[:number]
        if one[1] < other[3] and other[1] < one[3] and one[2] < other[4] and other[2] < one[4]
    ]
    assert touching == []
