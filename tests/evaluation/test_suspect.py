import json

import numpy as np

from steel_defect_detection.evaluation.suspect import REASONS, Suspect, words


def suspect(score, **further):
    given = {"image": "a", "reason": "outline not found", "labelled": "pits"}
    return Suspect(**given, suggested="nothing", score=score, certainty=1 - score, **further)


def test_the_worst_score_comes_first_then_the_larger_region_then_what_only_looks_alike():
    small, large = suspect(0.011, area_pixels=10), suspect(0.013, area_pixels=500)
    better, alike = suspect(0.3, area_pixels=9000), suspect(0.0, beside="b")
    given = [alike, better, small, large]
    assert sorted(given, key=lambda one: one.order) == [large, small, better, alike]


def test_what_is_not_known_is_left_out_of_the_report():
    report = suspect(0.25).report()
    assert json.loads(json.dumps(report)) == {
        "image": "a",
        "reason": "outline not found",
        "labelled": "pits",
        "suggested": "nothing",
        "score": 0.25,
        "certainty": 0.75,
    }
    assert report["reason"] in REASONS


def test_an_image_that_shows_nothing_is_called_clean():
    assert words(("pits", "rust"), np.array([False, False])) == "clean"
    assert words(("pits", "rust"), np.array([True, True])) == "pits and rust"
