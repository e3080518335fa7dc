"""Names of measures, and which of them are shown."""

import pytest

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.experiments import measures

SUMMARY = {
    "any_defect": {"auroc": 0.9, "auroc_interval": [0.8, 1.0]},
    "outlines": {"images": 3, "dice_on_defects": 0.5, "per_class": {"pit": {"dice_pooled": 0.1}}},
}


def test_measures_that_are_one_number_get_one_name():
    assert measures.flat(SUMMARY) == {
        "any_defect.auroc": 0.9,
        "outlines.images": 3.0,
        "outlines.dice_on_defects": 0.5,
    }


def test_the_usual_measures_are_shown_as_far_as_there_are_any():
    found = [measures.flat(SUMMARY)]
    assert measures.shown((), found) == ("any_defect.auroc", "outlines.dice_on_defects")
    assert measures.shown(("outlines.miou", "outlines.images"), found) == ("outlines.images",)
    assert measures.shown((), []) == ()


def test_what_a_measure_is_without_a_model_is_averaged_over_the_runs():
    found = [{"classes.accuracy": 0.9, "classes.accuracy_majority": value} for value in (0.2, 0.4)]
    known = measures.without_model(("classes.accuracy", "outlines.miou"), found)
    assert known["classes.accuracy"] == pytest.approx(0.3)
    assert known["outlines.miou"] is None


def test_every_usual_measure_has_a_meaning():
    for section, names in measures.SHOWN.items():
        for name in names:
            measures.check([f"{section}.{name}"])
            assert measures.meaning(f"{section}.{name}").endswith(".")


def test_a_measure_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"Did you mean 'classes.accuracy'"):
        measures.check(["classes.acuracy"])
