import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

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
