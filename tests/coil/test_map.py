import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection import coil
from steel_defect_detection.coil import map as drawn
from steel_defect_detection.coil import map_svg
from tests.coil import built

SVG = "{http://www.w3.org/2000/svg}"


def parsed(*arguments):
    return ET.fromstring(map_svg(*arguments))


def boxes(root):
    return [box for box in root.iter(f"{SVG}rect") if box.find(f"{SVG}title") is not None]


def test_each_defect_is_a_box_at_its_place():
    # 10 x 10 pixels about (25,000, 50), of 100,000 x 200.
    (box,) = boxes(parsed(built.coil([(25_000, 50, 1)])))
    assert float(box.get("x")) == pytest.approx(10_000 * 0.25, abs=1)
    assert float(box.get("y")) == pytest.approx(1_000 * 45 / 200, abs=1)
    assert float(box.get("height")) == pytest.approx(1_000 * 10 / 200)


def test_a_tooltip_names_number_class_place_and_image():
    (box,) = boxes(parsed(built.coil([(25_000, 50, 2)], mm_per_pixel=0.5)))
    assert box.find(f"{SVG}title").text == "1: scratches, 12.5 m, 25.0 mm, 0025.png"


def test_classes_have_the_colours_of_the_overlays():
    groups = parsed(built.coil([(100, 50, 1), (200, 50, 2)])).iter(f"{SVG}g")
    assert [one.get("fill") for one in groups if one.get("fill")] == ["#e69f00", "#56b4e9"]


def test_names_are_escaped():
    one = replace(built.coil([(100, 50, 1)]), classes=("<b>&pits", "x"))
    one = replace(one, images=("<i>.png", *one.images[1:]))
    (box,) = boxes(parsed(one))
    assert box.find(f"{SVG}title").text == "1: <b>&pits, 100 px, 50.0 px, <i>.png"


def test_every_letter_of_a_name_can_be_seen():
    classes = ("pits\u202e", "x")
    one = replace(built.coil([(100, 50, 1)]), classes=classes)
    one = replace(one, images=("\x1b[31mgnp.\u202eexe\udcff", *one.images[1:]))
    text = map_svg(one)
    (box,) = boxes(ET.fromstring(text))
    name = r"\x1b[31mgnp.\u202eexe\udcff"
    assert box.find(f"{SVG}title").text == rf"1: pits\u202e, 100 px, 50.0 px, {name}"
    assert all(sign.isprintable() or sign == "\n" for sign in text)


def test_what_was_not_read_is_grey():
    grey = [
        box
        for box in parsed(built.coil([], unread=[10, 11])).iter(f"{SVG}rect")
        if box.get("class") == "unread"
    ]
    assert [(box.get("x"), box.get("width")) for box in grey] == [("1000", "200")]


def test_marks_that_come_again_are_lined_and_numbered():
    one = built.coil([(500 + 1000 * turn, 50, 1) for turn in range(24)])
    root = parsed(one, coil.find_recurrences(one).recurrences)
    (line,) = [path for path in root.iter(f"{SVG}path") if path.get("class") == "found"]
    assert line.get("d").startswith("M50 250H2350")
    # One move to the line, one to each member.
    assert line.get("d").count("M") == 25
    assert "R1" in [text.text for text in root.iter(f"{SVG}text")]


def test_lines_are_thinner_where_there_are_many():
    few = built.coil([(100 * number, 50, 1) for number in range(100)])
    many = built.coil([(10 * number, 50, 1) for number in range(6000)])
    widths = [
        next(group for group in parsed(one).iter(f"{SVG}g") if group.get("fill")).get(
            "stroke-width"
        )
        for one in (few, many)
    ]
    assert [float(width) for width in widths] == pytest.approx([1.5, 1.5 / 4], abs=0.01)


def test_a_coil_without_defects_can_be_drawn():
    assert boxes(parsed(built.coil([]))) == []


def test_the_same_coil_gives_the_same_picture():
    one = built.coil([(25_000, 50, 1)])
    assert map_svg(one) == map_svg(one)


def test_nothing_is_asked_of_a_network():
    text = map_svg(built.coil([(25_000, 50, 1)]))
    assert text.count("http") == 1
    assert 'xmlns="http://www.w3.org/2000/svg"' in text


def test_a_long_coil_is_a_light_picture():
    places = [(number, number % 200, 1 + number % 2) for number in range(0, 100_000, 50)]
    assert len(map_svg(built.coil(places))) < 150 * len(places) + 20_000


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 128, [0, 50, 100]),
        (3, 4.2, [3, 3.25, 3.5, 3.75, 4]),
        (5, 5, []),
    ],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert drawn.ticks(low, high, 5) == pytest.approx(expected)


TOP, BOTTOM = 58, 278  # of the plot, in the picture
PLACES = st.lists(st.floats(TOP, BOTTOM), max_size=17)


def test_labels_with_room_stay_where_they_belong():
    assert drawn.spread(np.array([200.0, 60.0, 213.0])).tolist() == [200, 60, 213]


def test_labels_that_would_lie_on_each_other_share_the_way():
    assert drawn.spread(np.array([100.0, 101.0])).tolist() == [94, 107]
    # There is no room above the plot, nor below.
    assert drawn.spread(np.array([58.0, 59.0])).tolist() == [58, 71]
    assert drawn.spread(np.array([278.0, 278.0])).tolist() == [265, 278]


@given(PLACES)
def test_labels_lie_a_line_apart_beside_the_plot(places):
    found = drawn.spread(np.array(places))
    assert ((found >= TOP - 1e-6) & (found <= BOTTOM + 1e-6)).all()
    assert (np.diff(np.sort(found)) >= 13 - 1e-6).all()
    order = np.argsort(places, kind="stable")
    assert (np.diff(found[order]) > 0).all()


def rows(*widths):
    """A coil with a mark at each of some widths, and its marks."""
    places = [
        (100 * number + (900 + 13 * number) * turn, across, 1)
        for number, across in enumerate(widths, start=1)
        for turn in range(60)
    ]
    one = built.coil(places, width=1000.0)
    return one, coil.find_recurrences(one).recurrences


def labels(root):
    """Height of each mark's name in the picture."""
    return {
        text.text: float(text.get("y"))
        for text in root.iter(f"{SVG}text")
        if (text.text or "").startswith("R")
    }


def test_marks_at_nearly_one_width_have_names_apart_and_lines_that_lead_there():
    one, marks = rows(300, 325, 800)
    root = parsed(one, marks)
    found = labels(root)
    assert len(found) == 3
    heights = sorted(found.values())
    assert heights[1] - heights[0] == pytest.approx(13)
    leads = [path.get("d") for path in root.iter(f"{SVG}path") if path.get("stroke-width") == ".75"]
    starts = sorted(float(lead.split("l")[0].split(" ")[1]) for lead in leads)
    assert starts == pytest.approx([58 + 220 * share for share in (0.3, 0.325, 0.8)], abs=0.3)


def test_as_many_marks_are_named_as_have_room():
    one, marks = rows(300)
    found = labels(parsed(one, marks * 20))
    assert list(found) == [f"R{number}" for number in range(1, 18)]
    assert max(found.values()) - min(found.values()) == pytest.approx(16 * 13)
