import pytest
import segmentation_models_pytorch as smp
import torchvision
from pydantic import ValidationError

from steel_defect_detection.models.config import (
    CLASSIFIER_ENCODERS,
    SEGMENTER_ENCODERS,
    ClassifierConfig,
    FamiliarityConfig,
    GraphConfig,
    Preprocessing,
    SegmenterConfig,
    TwoHeadConfig,
)


def test_every_classifier_s_encoder_is_one_of_a_library():
    theirs = {
        name.replace("shufflenet_v2_x1_0", "shufflenet_v2")
        for name in torchvision.models.list_models()
    }
    ours = {name for name in CLASSIFIER_ENCODERS if not name.startswith("efficientnet")}
    assert ours <= theirs


def test_every_segmenter_s_encoder_is_one_of_the_library():
    assert set(SEGMENTER_ENCODERS) <= set(smp.encoders.get_encoder_names())


@pytest.mark.parametrize(
    ("kind", "encoders"),
    [
        (ClassifierConfig, CLASSIFIER_ENCODERS),
        (SegmenterConfig, SEGMENTER_ENCODERS),
        (TwoHeadConfig, SEGMENTER_ENCODERS),
    ],
)
def test_an_encoder_that_is_not_there_is_refused_with_the_nearest(kind, encoders):
    assert kind(encoder=encoders[0], classes=("a",)).encoder == encoders[0]
    with pytest.raises(ValidationError, match="Did you mean 'resnet18'"):
        kind(encoder="resnet1", classes=("a",))


@pytest.mark.parametrize("names", [("a", "a"), ("a", " "), ("",)])
def test_class_names_differ_and_are_not_empty(names):
    with pytest.raises(ValidationError, match="class names must differ and not be empty"):
        GraphConfig(network=SegmenterConfig(classes=names))


@pytest.mark.parametrize("count", [0, 256])
def test_a_label_map_has_room_for_255_classes(count):
    with pytest.raises(ValidationError):
        SegmenterConfig(classes=tuple(map(str, range(count))))


def test_the_good_class_is_one_of_the_classes():
    with pytest.raises(ValidationError, match="good_class 'fine' is none of the classes"):
        ClassifierConfig(classes=("pit",), good_class="fine")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exclusive": False}, "set labels to 'exclusive', or the head to 'linear'"),
        ({"any_defect": "logit"}, "leave them at 'maximum' and 0, got 'logit' and 0"),
        ({"head_width": 7}, "leave them at 'maximum' and 0, got 'maximum' and 7"),
        ({"length_scale": 0}, "greater than 0"),
    ],
)
def test_what_a_distance_head_cannot_have_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        ClassifierConfig(**{"classes": ("pit", "oil"), "exclusive": True, "head": "duq"} | settings)


@pytest.mark.parametrize(
    ("settings", "adds_up"),
    [
        ({}, False),
        ({"exclusive": True}, True),
        ({"exclusive": True, "head": "duq"}, False),
    ],
)
def test_only_exclusive_classes_of_a_linear_head_have_probabilities_that_add_up(settings, adds_up):
    assert ClassifierConfig(classes=("pit", "oil"), **settings).adds_up == adds_up


@pytest.mark.parametrize(
    "wrong",
    [{"channels": 2}, {"std": 0}, {"scale": 0}, {"scale": 2}, {"size": (0, 4)}, {"blur": 1}],
)
def test_impossible_preprocessing_is_refused(wrong):
    with pytest.raises(ValidationError):
        Preprocessing(**wrong)


def test_a_config_survives_json():
    config = GraphConfig(
        network=TwoHeadConfig(classes=("pit", "scratch"), encoder="resnet18"),
        part="gate",
        preprocessing=Preprocessing(channels=3, size=(64, 96)),
        temperature=1.7,
        familiarity=FamiliarityConfig(kinds=2, channels=(8, 16), directions=4),
    )
    assert GraphConfig.model_validate_json(config.model_dump_json()) == config


def test_a_config_from_before_calibration_has_temperature_1_and_no_familiarity():
    config = GraphConfig.model_validate_json('{"network": {"kind": "segmenter", "classes": ["a"]}}')
    assert (config.temperature, config.familiarity) == (1.0, None)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_a_temperature_is_a_positive_number(temperature):
    with pytest.raises(ValidationError, match=r"greater than 0|finite number"):
        GraphConfig(network=SegmenterConfig(classes=("a",)), temperature=temperature)


@pytest.mark.parametrize(
    "wrong", [{"kinds": 0}, {"channels": ()}, {"channels": (8, 0)}, {"directions": 0}]
)
def test_a_density_has_kinds_channels_and_directions(wrong):
    with pytest.raises(ValidationError, match=r"greater than 0|at least 1 item"):
        FamiliarityConfig(**{"kinds": 1, "channels": (8,), "directions": 1} | wrong)


def test_a_decoder_has_no_familiarity():
    network = TwoHeadConfig(classes=("a",), encoder="resnet18")
    density = FamiliarityConfig(kinds=1, channels=(8,), directions=1)
    with pytest.raises(ValidationError, match="a decoder sees no images, so it has no familiarity"):
        GraphConfig(network=network, part="decoder", familiarity=density)
