import re
from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection.calibration import Aim, Decisions, thresholds
from steel_defect_detection.calibration.answers import Answers
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.config import ClassifierConfig
from tests.calibration import toys
from tests.calibration.test_answers import seen

LIMITS = Thresholds(gate=0.4, classes=(0.2, 0.5, 0.7), pixels=(0.5,) * 3, min_areas=(1, 2, 3))
FOUR = LIMITS.model_copy(update={"classes": (0.2, 0.5, 0.7, 0.6)})


def answers(count=40, classes=4, **settings) -> Answers:
    random = np.random.default_rng(3)
    names = ("good", "pit", "scratch", "rust")[:classes]
    logits = random.normal(0, 3, (count, classes))
    labels = np.eye(classes, dtype=np.bool_)[random.integers(0, classes, count)]
    return Answers(ClassifierConfig(classes=names, **settings), seen(logits, labels))


def test_moved_thresholds_of_independent_classes_change_no_decision():
    said = answers(classes=3)
    after = thresholds.kept(LIMITS, said, 1.0)
    assert said.temperature > 1.5
    heat = said.temperature
    old, new = (said.classes(1.0) >= LIMITS.classes), (said.classes(heat) >= after.classes)
    assert np.array_equal(old, new)
    assert np.array_equal(said.any_defect(1.0) >= 0.4, said.any_defect(heat) >= after.gate)
    assert (after.pixels, after.min_areas) == (LIMITS.pixels, LIMITS.min_areas)
    assert after.defect is None


def test_a_gate_of_classes_that_add_up_changes_as_few_decisions_as_can_be():
    said = answers(exclusive=True, good_class="good")
    limits = FOUR.model_copy(update={"defect": 0.9})
    after = thresholds.kept(limits, said, 1.0)
    now = said.any_defect(said.temperature)
    for old, new in ((0.4, after.gate), (0.9, after.defect)):
        called = said.any_defect(1.0) >= old
        changed = [int(((now >= value) != called).sum()) for value in np.linspace(0, 1, 2001)]
        assert int(((now >= new) != called).sum()) <= min(changed)


def test_thresholds_at_the_old_temperature_stay():
    said = answers(exclusive=True, good_class="good")
    again = thresholds.kept(FOUR, said, said.temperature)
    assert again.gate == pytest.approx(0.4)
    assert again.classes == pytest.approx(FOUR.classes)


def test_thresholds_of_averaged_copies_change_as_few_decisions_as_can_be():
    random = np.random.default_rng(3)
    logits = random.normal(0, 4, (40, 2, 3))
    labels = random.random((40, 3)) < 0.4
    said = Answers(ClassifierConfig(classes=("pit", "scratch", "rust")), seen(logits, labels))
    assert said.temperature > 1.5
    after = thresholds.kept(LIMITS, said, 1.0)
    before, now = said.classes(1.0), said.classes(said.temperature)
    for place, new in enumerate(after.classes):
        called = before[:, place] >= LIMITS.classes[place]
        tried = np.linspace(0, 1, 2001)
        changed = [int(((now[:, place] >= value) != called).sum()) for value in tried]
        assert int(((now[:, place] >= new) != called).sum()) <= min(changed)


def decision(name, truth, **fields) -> Decisions:
    scores = np.array([0.1, 0.4, 0.6, 0.9])
    settings = {"setting": "classes"} | fields
    return Decisions(name=name, scores=scores, defective=np.array(truth), **settings)


def test_what_can_be_chosen_is_and_the_rest_is_named():
    half, never = [False, False, True, True], [False] * 4
    rows = [decision("pit", half), decision("rust", never, place=1)]
    gate = decision("any defect", half, setting="gate")
    found, left = thresholds.chosen(LIMITS, [*rows, gate], Aim(target_recall=1))
    assert found.classes == (0.5, 0.5, 0.7)
    assert found.gate == 0.5
    assert left == {"rust": "no image shows it"}


def test_if_nothing_can_be_chosen_the_reasons_are_told():
    rows = [decision("pit", [True] * 4), decision("rust", [False] * 4, place=1)]
    message = (
        "no threshold can be chosen for a recall of 0.9: pit: all images show it; rust: no image "
        "shows it"
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        thresholds.chosen(LIMITS, rows, Aim(target_recall=0.9))


def without_masks(dataset):
    return replace(
        dataset, entries=tuple(replace(one, masks=None) for one in dataset.labelled().entries)
    )


def only(dataset, *, defective):
    return dataset.subset(np.flatnonzero(dataset.labelled().defective() == defective))


@pytest.mark.parametrize(
    ("kind", "dataset", "message"),
    [
        (
            "exclusive",
            toys.truth_for("exclusive"),
            "the model always names one class and none means good, so no threshold can be chosen",
        ),
        (
            "segmenter",
            without_masks(toys.strips()),
            "thresholds of outlines are chosen by masks, but none of the 24 images has one",
        ),
        (
            "with good",
            only(toys.truth_for("with good"), defective=True),
            "that takes images with and without a defect, but all 16 images show one",
        ),
        (
            "with good",
            only(toys.truth_for("with good"), defective=False),
            "no threshold can be chosen: that takes images with and without a defect, but no image "
            "shows one",
        ),
    ],
)
def test_hopeless_images_are_refused(kind, dataset, message):
    header = toys.model(kind).header
    with pytest.raises(ConfigError, match=re.escape(message)):
        thresholds.refuse_hopeless(header, dataset.labelled())


@pytest.mark.parametrize("kind", ["independent", "with good", "segmenter", "cascade", "two_head"])
def test_images_of_both_kinds_are_not(kind):
    thresholds.refuse_hopeless(toys.model(kind).header, toys.truth_for(kind).labelled())


def test_each_model_decides_what_its_kind_decides():
    said = answers(classes=3)
    header = toys.model("independent").header.model_copy(update={"classes": ("a", "b", "c")})
    assert [one.name for one in thresholds.of_images(header, said)] == ["a", "b", "c"]
    cascade = header.model_copy(update={"architecture": "cascade"})
    (gate,) = thresholds.of_images(cascade, said)
    assert (gate.name, gate.setting, gate.unset) == ("any defect", "gate", None)
    (defect,) = thresholds.of_images(header, answers(exclusive=True, good_class="good"))
    assert defect.setting == "defect"
    assert defect.unset.any()
    assert thresholds.of_images(header, answers(exclusive=True)) == []
    assert thresholds.per_class("pixels", ("a",), np.zeros((0, 1)), np.zeros((0, 1), bool)) == []
