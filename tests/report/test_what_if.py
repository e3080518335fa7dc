import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.report import judged, what_if
from steel_defect_detection.report.judged import Judged, Results
from tests.report import folders_of
from tests.report.folders_of import RUN, prediction


def told(folder, *images, run=None):
    """Results of images given as verdict and probability of any defect."""
    made = [
        prediction(f"{number}.png", verdict, gate_probability=probability)
        for number, (verdict, probability) in enumerate(images)
    ]
    return judged.read(folders_of.results(folder, *made, run=run))


def test_a_higher_threshold_is_exact_and_a_lower_one_is_not(tmp_path):
    # The gate fires on three images, and the segmenter outlines something on two of them.
    found = told(tmp_path, ("defect", 0.95), ("defect", 0.75), ("clean", 0.55), ("clean", 0.25))
    said = {each.threshold: each[1:] for each in what_if.outcomes(found, 0.5)}
    assert said[0.2] == (4, 2, 3, False)
    assert said[0.5] == (3, 2, 2, True)
    assert said[0.7] == (2, 2, 2, False)
    assert said[0.8] == (1, 1, 1, False)


def test_unfamiliar_images_keep_their_verdict(tmp_path):
    made = [
        prediction("a.png", "unfamiliar", gate_probability=0.9),
        prediction("b.png", "defect", gate_probability=0.6, familiarity=0.01),
        prediction("c.png", "defect", gate_probability=0.6, familiarity=0.7),
    ]
    found = judged.read(folders_of.results(tmp_path, *made))
    said = {each.threshold: (each.least, each.most) for each in what_if.outcomes(found, 0.5)}
    assert said[0.5] == (2, 2)
    assert said[0.8] == (1, 1)  # b is called a defect because it is unlike all others


def test_a_classifier_with_one_threshold_is_exact_everywhere(tmp_path):
    model = {"architecture": "classifier"}
    run = RUN | {"model": model, "thresholds": {"gate": 0.5, "defect": 0.4}}
    found = told(tmp_path, ("defect", 0.75), ("clean", 0.25), run=run)
    assert what_if.deciding(found) == 0.4
    said = {each.threshold: (each.least, each.most) for each in what_if.outcomes(found, 0.4)}
    assert (said[0.2], said[0.4], said[0.8]) == ((2, 2), (1, 1), (0, 0))


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [("cascade", 0.5), ("two_head", 0.5), ("classifier", None), ("segmenter", None), (None, None)],
)
def test_not_every_verdict_rests_on_one_threshold(tmp_path, architecture, expected):
    run = RUN | {"model": {"architecture": architecture}}
    assert what_if.deciding(told(tmp_path, ("clean", 0.5), run=run)) == expected


def test_without_probabilities_there_is_nothing_to_try(tmp_path):
    assert what_if.deciding(told(tmp_path, ("clean", None))) is None


images = st.lists(
    st.tuples(st.sampled_from(["defect", "clean"]), st.floats(0, 1)), min_size=1, max_size=6
)


def in_memory(images, present):
    """Results that were never written: verdict and probability, as six digits hold it."""
    shared = {
        "class_name": "",
        "certainty": math.nan,
        "familiarity": math.nan,
        "scores": (),
        "areas": (),
        "pixels": math.nan,
        "milliseconds": {},
        "error": "",
        "mask": None,
        "overlay": None,
    }
    made = tuple(
        Judged(
            file=f"{number}.png",
            name=f"{number}.png",
            verdict=verdict,
            gate_probability=float(f"{probability:.6g}"),
            **shared,
        )
        for number, (verdict, probability) in enumerate(images)
    )
    run = RUN | {"thresholds": {"gate": present, "familiarity": 0.0}}
    return Results(folder=Path(), classes=(), images=made, run=run)


@given(images=images, present=st.sampled_from([0.3, 0.5, 1 / 3]))
def test_bounds_hold_and_fall_with_the_threshold(images, present):
    consistent = [
        ("defect" if verdict == "defect" and probability >= present else "clean", probability)
        for verdict, probability in images
    ]
    said = what_if.outcomes(in_memory(consistent, present), present)
    called = sum(verdict == "defect" for verdict, _ in consistent)
    assert all(each.least <= each.most <= each.reached for each in said)
    assert [each.most for each in said] == sorted((each.most for each in said), reverse=True)
    (now,) = (each for each in said if each.is_present)
    assert now.least == now.most == called
