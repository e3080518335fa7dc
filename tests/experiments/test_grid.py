"""Variants: every choice of one value per axis."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.experiments.grid import variants
from steel_defect_detection.training.config import CascadeConfig
from tests.experiments.small_studies import TINY, study

AXES = st.fixed_dictionaries(
    {},
    optional={
        "learning_rate": st.lists(st.sampled_from([0.1, 0.01, 0.001]), min_size=1, unique=True),
        "flips": st.lists(st.booleans(), min_size=1, unique=True),
        "fraction": st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=1, unique=True),
        "recipe": st.lists(st.sampled_from(["none", "phases"]), min_size=1, unique=True).map(
            lambda names: {name: {"policy": name} for name in names}
        ),
    },
).filter(bool)


@given(AXES)
def test_there_is_one_variant_for_each_choice_and_no_name_twice(axes):
    found = variants(study(axes=axes))
    assert len(found) == math.prod(map(len, axes.values()))
    assert len({variant.name for variant in found}) == len(found)
    assert len({tuple(variant.labels.values()) for variant in found}) == len(found)
    assert all(list(variant.labels) == list(axes) for variant in found)


def test_the_last_axis_changes_fastest():
    axes = {"model": {"a": {}, "b": {"encoder": "resnet18"}}, "learning_rate": [0.1, 0.2]}
    names = [variant.name for variant in variants(study(axes=axes))]
    assert names == [
        "a,learning_rate=0.1",
        "a,learning_rate=0.2",
        "b,learning_rate=0.1",
        "b,learning_rate=0.2",
    ]


def test_settings_of_images_and_of_training_are_told_apart():
    found = variants(study(axes={"fraction": [0.5, 1]}))
    assert [variant.images.fraction for variant in found] == [0.5, 1]
    assert found[0].config == found[1].config


def test_a_preset_may_be_an_axis_and_the_base_changes_it():
    names = ["prints-resnet18", "prints-mobilenet-v2"]
    asked = study(base={"epochs": 3}, axes={"preset": names})
    assert [variant.config.encoder for variant in variants(asked)] == ["resnet18", "mobilenet_v2"]
    assert {variant.config.epochs for variant in variants(asked)} == {3}


def test_a_cascade_may_stand_beside_a_single_network():
    axes = {"heads": {"one": {"preset": "strip-two-head"}, "two": {"preset": "strip"}}}
    one, two = variants(study(base={"epochs": 3}, axes=axes))
    assert isinstance(two.config, CascadeConfig)
    assert [len(one.stages()), len(two.stages())] == [1, 2]
    assert {stage.epochs for stage in (*one.stages(), *two.stages())} == {3}


def test_no_charts_are_drawn_unless_asked_for():
    assert not variants(study())[0].config.pictures
    assert variants(study(base=TINY | {"pictures": True}))[0].config.pictures


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"axes": {"epochs": [1, 0]}}, "epochs=0: epochs should be greater than or equal to 1"),
        ({"axes": {"fraction": [0]}}, "fraction=0: fraction should be greater than 0"),
        ({"axes": {"model": {"a": {}, "b": {"epochs": 2}}}}, "variants a and b are the same"),
        ({"axes": {"learning_rate": [1, 1.0]}}, "are the same"),
        ({"axes": {"validation_share": [0.1, 0.2]}}, "give all the same validation_share"),
        ({"base": TINY | {"devices": 2}}, "trains on one device at a time"),
        ({"axes": {"preset": ["no-such"]}}, "preset=no-such: 'no-such' is neither a preset"),
    ],
)
def test_variants_that_cannot_be_trained_or_compared_are_refused(changes, said):
    with pytest.raises(ConfigError) as caught:
        variants(study(**changes))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
