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
    ("settings", "message"),
    [
        ({"architecture": "unet"}, "the head 'duq' is for the architecture 'classifier', got 'une"),
        ({"labels": "independent"}, "set labels to 'exclusive', or the head to 'linear'"),
        ({"head_width": 7}, "takes the place of any_defect 'logit' and of head_width"),
        ({"label_smoothing": 0.1}, "label_smoothing is for the head 'linear': set it to 0"),
        ({"devices": 2}, "set devices and nodes to 1, got 2 and 1"),
        ({"nodes": 3}, "set devices and nodes to 1, got 1 and 3"),
        (
            {"gradient_penalty": 0.1, "precision": "bfloat16"},
            "for which bfloat16 is too coarse: set precision to 'float32' or 'auto'",
        ),
        ({"head": "linear", "gradient_penalty": 0.1}, "is for the head 'duq': set it to 0, got 0."),
    ],
)
def test_what_does_not_fit_a_distance_head_is_refused(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        TrainConfig(**{"architecture": "classifier", "head": "duq"} | settings)


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        GATE.epochs = 3


def test_a_loss_of_outlines_is_refused_where_none_are_drawn():
    with pytest.raises(ValueError, match=r"lovasz_weight is for outlines.*set it to 0, got 2"):
        TrainConfig(architecture="classifier", lovasz_weight=2)
    assert TrainConfig(architecture="linknet", lovasz_weight=2).lovasz_weight == 2
    with pytest.raises(ValueError, match="dice_per_class is for outlines"):
        TrainConfig(architecture="classifier", dice_per_class=True)


@pytest.mark.parametrize("settings", [{"averaging": "ema"}, {"replacement": 2}])
def test_weights_that_are_dealt_out_are_neither_averaged_nor_brought_back(settings):
    with pytest.raises(ValueError, match="strategy 'fsdp' deals the weights out"):
        TrainConfig(architecture="unet", strategy="fsdp", **settings)
    TrainConfig(architecture="unet", strategy="ddp", **settings)


def test_both_runs_of_a_cascade_are_trained_by_the_same_processes():
    gate = TrainConfig(architecture="classifier", devices=2)
    with pytest.raises(ValueError, match=r"same devices and nodes, got \(2, 1\) and \(1, 1\)"):
        CascadeConfig(gate=gate, segmenter=TrainConfig(architecture="unet"))
