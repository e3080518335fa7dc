"""What a study may say, and what it is told otherwise."""

import re
from typing import get_args

import pytest

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.experiments.study import ImageSettings, Study
from steel_defect_detection.explain import METHODS
from steel_defect_detection.training.presets import validated
from tests.experiments.small_studies import study


def refused(**changes) -> str:
    content = study().model_dump() | changes
    with pytest.raises(ConfigError) as caught:
        validated(Study, content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_values_of_a_setting_are_labelled_by_themselves():
    choices = study(axes={"size": [[32, 64], None], "flips": [True, False]})
    assert [choice.label for choice in choices.choices("size")] == ["32x64", "none"]
    assert [choice.name for choice in choices.choices("flips")] == ["flips=true", "flips=false"]
    assert choices.choices("size")[0].settings == {"size": [32, 64]}


def test_named_sets_keep_their_names():
    found = study(axes={"model": {"small": {"encoder": "resnet18"}, "as-is": {}}}).choices("model")
    assert [choice.name for choice in found] == ["small", "as-is"]


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({}, "axes are missing"),
        ({"flips": []}, "the axis 'flips' needs a list of values"),
        ({"flips": True}, "the axis 'flips' needs a list of values"),
        ({"model": {}}, "the axis 'model' needs a list of values"),
        ({"learning_rat": [1]}, "unknown setting 'learning_rat'. Did you mean 'learning_rate'?"),
        ({"model": {"a": {"encodr": "x"}}}, "axes.model.a: unknown setting 'encodr'"),
        ({"model": {"a": "resnet18"}}, "axes.model.a must be an object of settings"),
        ({"model": {"../a": {}}}, "expected a word of at most 40 letters"),
        ({"learning_rate": [0.1, 0.1]}, "has '0.1' twice"),
        ({"model": {"a": {}, "A": {}}}, "has 'a' twice"),
        ({"init": ["weights/one.pth"]}, "which is no name for a folder: give it one"),
        ({"seed": [1, 2]}, "'seed' cannot be set: run 1 of each variant"),
        ({"run": {"a": {}}}, "an axis cannot be called 'run'"),
        (
            {"epochs": [1], "model": {"a": {"epochs": 2}}},
            "the axes 'epochs' and 'model' both set epochs",
        ),
    ],
)
def test_axes_that_compare_nothing_or_the_unknown_are_refused(axes, said):
    assert said in refused(axes=axes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"run": 3}, "unknown setting 'run'. Did you mean 'runs'?"),
        ({"runs": 0}, "runs should be greater than or equal to 1, got 0"),
        ({"folds": 1}, "folds must be 0 or at least 2, got 1"),
        ({"part": "train"}, "part should be 'validation' or 'test'"),
        ({"name": "two words"}, "expected a word of at most 40"),
        ({"base": {"description": "x"}}, "base: 'description' cannot be set"),
        ({"base": {"epoch": 3}}, "base: unknown setting 'epoch'. Did you mean 'epochs'?"),
    ],
)
def test_a_study_that_says_the_impossible_is_refused(changes, said):
    assert said in refused(**changes)


def test_a_seed_of_the_first_run_may_be_chosen():
    assert study(base={"seed": 7}).base == {"seed": 7}


def test_settings_for_all_go_before_those_of_the_study_and_its_sets():
    asked = study(axes={"model": {"long": {"epochs": 40, "encoder": "resnet18"}, "short": {}}})
    changed = Study.model_validate(asked.changed({"epochs": 1}))
    assert changed.base["epochs"] == 1
    assert changed.axes == {"model": {"long": {"encoder": "resnet18"}, "short": {}}}


def test_what_is_compared_cannot_be_set_for_all():
    with pytest.raises(ConfigError, match="learning_rate is what the study compares"):
        study().changed({"learning_rate": 0.1})


def test_no_real_image_needs_a_number_of_synthetic_ones():
    with pytest.raises(ValueError, match=re.escape("set images_per_class")):
        ImageSettings(synthetic_ratio=1)
    assert ImageSettings(synthetic_ratio=1, images_per_class=10).synthetic_ratio == 1


def test_every_method_of_explanation_can_be_asked_for():
    (methods,) = [
        kind for kind in get_args(Study.model_fields["explain"].annotation) if get_args(kind)
    ]
    assert set(get_args(methods)) == set(METHODS)
