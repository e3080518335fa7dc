import json
import math
import re

import pytest

from steel_defect_detection import coil
from steel_defect_detection.errors import ConfigError
from tests.coil import built


@pytest.fixture(scope="module")
def facts():
    places = [(500 + 1000 * turn, 50, 1) for turn in range(24)]
    return coil.examine(
        built.coil([*places, (70_300, 190, 2)], mm_per_pixel=0.5, unread=[90])
    ).facts()


def test_facts_are_json_without_nan(facts):
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_lengths_are_in_the_unit_that_is_named(facts):
    assert (facts["unit"], facts["length"], facts["width"]) == ("mm", 50_000, 100)
    assert facts["seen_length"] == 49_500
    (mark,) = facts["recurrences"]
    assert mark["period"] == pytest.approx(500)
    assert mark["roll_diameter"] == pytest.approx(500 / math.pi, abs=0.001)
    assert mark["phase"] == pytest.approx(250)
    assert mark["across"] == 25
    assert (mark["members"], mark["places"], mark["class"]) == (24, 24, "pits")
    assert mark["defects"] == list(range(1, 25))


def test_counts_add_up(facts):
    assert facts["defects"] == 25
    assert facts["classes"] == {"pits": 24, "scratches": 1}
    assert sum(map(sum, facts["metres"]["counts"])) == 25
    assert len(facts["metres"]["counts"]) == 50
    assert [sum(row) for row in facts["zones"]["counts"]] == [0, 0, 24, 0, 0, 0, 0, 0, 0, 1]


def test_unread_images_are_named(facts):
    assert facts["unread"] == ["0090.png"]


def test_zones_are_as_many_as_asked_for():
    report = coil.examine(built.coil([]), zone_count=4)
    assert len(report.facts()["zones"]["counts"]) == 4


def test_periods_that_have_no_room_are_refused():
    one = built.coil([(500, 50, 1)], mm_per_pixel=0.5)
    coil.examine(one, coil.Settings(shortest=100_000))
    message = (
        "the shortest period, 50,000 mm, is longer than the coil, 50,000 mm: nothing could come "
        "again. Choose a shorter one"
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        coil.examine(one, coil.Settings(shortest=100_000.5))


def test_a_coil_shorter_than_any_period_that_nobody_asked_for_is_no_mistake():
    short = coil.examine(built.coil([], length=50.0, images=1))
    assert short.search.recurrences == ()
