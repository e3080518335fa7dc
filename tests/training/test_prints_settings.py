"""Experiments of the prints system as training runs; what is expected stands in that system."""

import pytest

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.prints_settings import (
    PrintsModel,
    PrintsScheduler,
    PrintsSettings,
    train_settings,
)


def config(**settings) -> TrainConfig:
    return TrainConfig(**train_settings(PrintsSettings(**settings)))


def test_a_gradient_penalty_without_a_distance_head_is_refused():
    assert config(gradient_penalty=0) == config()
    message = (
        r"gp_const asks for a gradient penalty of 0\.1, .* set it to None, or RBF_flag to True"
    )
    with pytest.raises(ConfigError, match=message):
        config(gradient_penalty=0.1)


@pytest.mark.parametrize(("constant", "weight"), [(0.5, 0.5), (None, 0.0)])
def test_a_distance_head_learns_exclusive_classes_by_binary_cross_entropy(constant, weight):
    found = config(duq=True, loss="binary_cross_entropy", gradient_penalty=constant)
    assert (found.head, found.labels, found.gradient_penalty) == ("duq", "exclusive", weight)


def test_a_distance_head_with_another_loss_is_refused():
    message = r"RBF_flag asks for a distance head .* nn\.BCELoss\(\) alone"
    with pytest.raises(ConfigError, match=message):
        config(duq=True)


@pytest.mark.parametrize(
    ("loss", "labels"),
    [("cross_entropy", "exclusive"), ("binary_cross_entropy", "independent")],
)
def test_the_loss_says_whether_classes_exclude_each_other(loss, labels):
    assert config(loss=loss).labels == labels


def test_cifar_images_are_small_and_the_others_are_squeezed_to_224():
    small, large = config(dataset="cifar10"), config(dataset="synthetic_prints")
    assert (small.size, small.stem) == ((32, 32), "small")
    assert (large.size, large.stem) == ((224, 224), "standard")
    assert small.channels == large.channels == 3


@pytest.mark.parametrize(("pretrained", "init"), [(True, "imagenet"), (False, "scratch")])
def test_a_network_without_weights_begins_at_random(pretrained, init):
    assert config(model=PrintsModel(pretrained=pretrained)).init == init


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        (PrintsScheduler(step_epochs=(3, 8), step_factor=0.5), ("steps", (3, 8), 0.5)),
        # StepLR lowers the rate after each so many epochs, while there are epochs left.
        (PrintsScheduler(name="every", step_epochs=(4,)), ("steps", (4, 8), 0.1)),
        (PrintsScheduler(name="every", step_epochs=(10,)), ("constant", (), 0.1)),
        (PrintsScheduler(name="constant", step_epochs=()), ("constant", (), 0.1)),
    ],
)
def test_the_rate_falls_as_that_system_lets_it(scheduler, expected):
    found = config(epochs=10, scheduler=scheduler)
    assert (found.scheduler, found.step_epochs, found.step_factor) == expected


def test_only_its_simple_augmentation_mirrors():
    assert config(policy="flips").flips
    assert not config(policy="rand_augment").flips
