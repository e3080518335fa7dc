"""Settings of a generator of images: which are possible, and what is said of the others."""

import pytest
from pydantic import ValidationError

from steel_defect_detection.synthesis.gan_config import GanConfig


def test_defaults_are_those_of_the_prints_system():
    config = GanConfig()
    assert (config.latent_size, config.epochs, config.batch_size) == (100, 100, 32)
    assert (config.learning_rate, config.beta_1) == (2e-4, 0.5)


@pytest.mark.parametrize(("size", "advice"), [(40, "32 or 48"), (65, "64 or 80"), (224 - 1, "208")])
def test_a_size_that_cannot_be_halved_four_times_is_refused_with_the_nearest_ones(size, advice):
    message = f"image_size must be a multiple of 16, got {size}. Take {advice}"
    with pytest.raises(ValidationError, match=message):
        GanConfig(image_size=size)


@pytest.mark.parametrize(
    "wrong", [{"image_size": 0}, {"channels": 2}, {"batch_size": 1}, {"epochs": 0}, {"epoch": 3}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        GanConfig(**wrong)


def test_every_setting_says_what_it_is():
    assert all(field.description for field in GanConfig.model_fields.values())
