import re
from dataclasses import replace

from steel_defect_detection import coil
from steel_defect_detection.coil import words
from tests.coil import built

ROW = [(500 + 1000 * turn, 50, 1) for turn in range(24)]


def said(places, **settings):
    return list(words.sentences(coil.examine(built.coil(places, **settings))))


def test_length_and_counts_come_first():
    lines = said([*ROW, (70_300, 190, 2)], mm_per_pixel=0.5)
    assert lines[0] == "50.0 m of strip, 100 mm wide, on 100 images: 25 defects, 0.5 per metre"
    assert lines[1] == "by class: pits 24, scratches 1"


def test_a_mark_is_told_with_the_roll_that_would_cause_it():
    lines = said(ROW, mm_per_pixel=0.5, images=37)
    expected = (
        r"R1: every 500 mm \(± below 0\.001 mm\) at 25\.0 mm from edge 1, 24 of 24 places from "
        r"0\.2 m to 11\.8 m, class pits, false-alarm probability \de-\d+: a roll of 159 mm "
        r"diameter"
    )
    assert any(re.fullmatch(expected, line) for line in lines), lines


def test_a_mark_at_the_length_of_an_image_may_be_dirt():
    lines = said(ROW, images=100)
    assert any(
        line.endswith("the length of an image: dirt on the camera or its window?") for line in lines
    )


def test_marks_of_one_roll_name_each_other():
    places = [*ROW, *((900 + 1000 * turn, 150, 2) for turn in range(24))]
    lines = said(places, images=37)
    assert any("diameter, the same period as R2" in line for line in lines)
    assert any("diameter, the same period as R1" in line for line in lines)


def test_where_nothing_recurs_it_is_said_what_could_have_been_found():
    lines = said([(500, 50, 1)])
    assert "nothing recurs with a period of 100 px to 20,000 px" in lines
    assert re.fullmatch(
        r"a mark that is seen at each turn would be found from about \d+ turns of 376 px, "
        r"\d+ turns of 1,414 px, \d+ turns of 5,318 px on",
        lines[-1],
    )


def test_the_worst_stretches_are_named():
    lines = said([(5_100, 50, 1), (5_300, 90, 1), (9_100, 50, 2)])
    assert "most defects per 1,000 px: 2 from 5,000 px on, 1 from 9,000 px on" in lines


def test_what_was_not_seen_is_told():
    lines = said([], mm_per_pixel=1.0, unread=[3, 4])
    expected = "not seen: 2.0 m, with 2 images that could not be judged; counts leave it out"
    assert expected in lines


def test_one_is_not_several():
    lines = said([(50, 50, 1)], images=1, length=1000.0)
    assert lines[0] == "1,000 px of strip, 200 px wide, on 1 image: 1 defect, 1 per 1,000 px"
    lines = said([], unread=[3])
    assert "not seen: 1,000 px, with 1 image that could not be judged; counts leave it out" in lines


def test_gaps_between_images_are_told_without_images():
    one = built.coil([], images=10)
    one = replace(one, lengths=one.lengths - 100)
    lines = list(words.sentences(coil.examine(one)))
    assert "not seen: 900 px; counts leave it out" in lines


def test_every_letter_of_a_name_can_be_seen():
    one = replace(built.coil(ROW), classes=("pi\u202ets\x1b[31m", "x"))
    lines = list(words.sentences(coil.examine(one)))
    assert r"by class: pi\u202ets\x1b[31m 24" in lines
    assert all(line.isprintable() for line in lines)


def test_a_crowded_edge_and_a_trend_are_told():
    edge = [(100_000 * (number / 300) ** 0.5, number % 10, 1) for number in range(300)]
    lines = said(edge)
    assert any(
        line.startswith("edge 1 is crowded: 100% of the defects lie on the 10% of the width")
        for line in lines
    )
    assert any(line.startswith("more defects towards the end: ") for line in lines)


def test_an_even_coil_is_said_to_be_even():
    lines = said([(333 + 997 * number, (37 * number) % 200, 1) for number in range(100)])
    assert "neither edge is crowded" in lines
    assert "no sure trend along the coil" in lines


def test_a_coil_without_defects_is_told_in_words():
    assert said([])[0] == (
        "100,000 px of strip, 200 px wide, on 100 images: 0 defects, 0 per 1,000 px"
    )
