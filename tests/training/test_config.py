"""Settings that fit each other, and those that do not."""

import re

import pytest

from steel_defect_detection.training.config import CascadeConfig, TrainConfig

GATE = TrainConfig(architecture="classifier")
SEGMENTER = TrainConfig(architecture="linknet")
EVERYTHING = {"validation_share": 0, "keep": "last", "scheduler": "constant"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "classifier", "gate_head": True}, "a classifier is a gate already"),
        ({"architecture": "unet", "train_part": "gate"}, "needs gate_head"),
        ({"architecture": "unet", "scheduler": "steps"}, "needs step_epochs"),
        ({"architecture": "unet", "encoder": "shufflenet_v2"}, "there is no encoder"),
        (
            {"architecture": "unet", "early_stopping": 5} | EVERYTHING,
            "leaves no image to stop by: set early_stopping to 0, or monitor to 'train_loss', "
            "got 5 and 'validation_loss'",
        ),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        TrainConfig(**settings)


def test_a_run_without_validation_images_can_stop_by_its_training_loss():
    settings = {"early_stopping": 5, "monitor": "train_loss"} | EVERYTHING
    assert not TrainConfig(architecture="unet", **settings).stops_by_validation
    assert not TrainConfig(architecture="unet").stops_by_validation
    assert TrainConfig(architecture="unet", early_stopping=1).stops_by_validation


def test_a_shared_backbone_needs_the_same_network_twice():
    gate = TrainConfig(
        architecture="linknet", encoder="resnet18", gate_head=True, train_part="gate"
    )
    other = gate.model_copy(update={"train_part": "decoder", "encoder": "resnet34"})
    with pytest.raises(ValueError, match="the same network in both"):
        CascadeConfig(gate=gate, segmenter=other)


def test_both_networks_of_a_cascade_are_validated_on_the_same_images():
    # The segmenter's own share was passed over.
    segmenter = TrainConfig(architecture="linknet", validation_share=0.3)
    with pytest.raises(ValueError, match=r"same validation_share, got 0\.2 and 0\.3"):
        CascadeConfig(gate=GATE, segmenter=segmenter)
    CascadeConfig(gate=GATE, segmenter=SEGMENTER)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"architecture": "classifier"}, "classifier"),
        ({"architecture": "unet"}, "segmenter"),
        ({"architecture": "linknet", "gate_head": True}, "two_head"),
    ],
)
def test_the_kind_says_which_question_is_answered(settings, kind):
    config = TrainConfig(**settings)
    assert config.kind == kind
    assert config.graph(("rust",)).network.kind == kind


@pytest.mark.parametrize(
    ("labels", "data_is", "exclusive"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("exclusive", False, True),
        ("independent", True, False),
    ],
)
def test_labels_that_are_declared_go_before_what_the_data_show(labels, data_is, exclusive):
    config = TrainConfig(architecture="classifier", labels=labels)
    graph_config = config.graph(("rust", "pits"), exclusive=data_is)
    assert graph_config.network.exclusive == exclusive


def test_the_graph_sees_images_as_the_settings_say():
    config = TrainConfig(
        architecture="unet", channels=3, mean=0.4, std=0.2, scale=0.5, size=(64, 96)
    )
    found = config.graph(("rust",)).preprocessing.model_dump()
    expected = {"channels": 3, "mean": 0.4, "std": 0.2, "scale": 0.5, "size": (64, 96)}
    assert {name: found[name] for name in expected} == expected


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        GATE.epochs = 3


def test_a_loss_of_outlines_is_refused_where_none_are_drawn():
    with pytest.raises(ValueError, match=r"lovasz_weight is for outlines.*set it to 0, got 2"):
        TrainConfig(architecture="classifier", lovasz_weight=2)
    assert TrainConfig(architecture="linknet", lovasz_weight=2).lovasz_weight == 2
