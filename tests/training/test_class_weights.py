import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training.class_weights import Counts, class_weights
from steel_defect_detection.training.config import TrainConfig

CONFIG = TrainConfig(architecture="classifier")


def test_classes_weigh_alike_unless_the_settings_say_otherwise():
    assert class_weights(CONFIG, ("a", "b", "c")) == (1.0, 1.0, 1.0)
    config = CONFIG.model_copy(update={"class_weights": (1.0, 3.0)})
    assert class_weights(config, ("a", "b")) == (1.0, 3.0)


def test_weights_that_are_not_one_per_class_are_refused():
    config = CONFIG.model_copy(update={"class_weights": (1.0, 3.0)})
    message = r"has 2 values, but the data has 3 classes: a, b, c\. Give one weight per class"
    with pytest.raises(ConfigError, match=message):
        class_weights(config, ("a", "b", "c"))


def test_weights_by_rarity_are_those_of_scikit_learn():
    shown = np.repeat([0, 1, 2], [60, 30, 10])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=shown)
    assert Counts((60, 30, 10), 100).weights(exclusive=True) == pytest.approx(expected)


def test_images_without_a_class_weigh_against_those_with_it():
    # 40 images without the first class and 60 with it, and so on.
    expected = (40 / 60, 70 / 30, 90 / 10)
    assert Counts((60, 30, 10), 100).weights(exclusive=False) == pytest.approx(expected)
