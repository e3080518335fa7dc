import re
from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection import calibration, checkpoints
from steel_defect_detection.checkpoints import Header, Thresholds
from steel_defect_detection.errors import CheckpointError, ConfigError
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.sample import Sample
from tests.export import toys

CLASSES = ("pit", "scratch")


class Fixed(Predictor):
    """A square of 16 pixels at 0.9 that is there, and one of 4 at 0.95 that is not."""

    @property
    def networks(self):
        return {}

    def judge(self, image, source):
        probabilities = np.zeros((2, 16, 16), dtype=np.float32)
        probabilities[0, 2:6, 2:6] = 0.9
        probabilities[0, 10:12, 10:12] = 0.95
        label_map = np.zeros((16, 16), dtype=np.uint8)
        return Prediction(
            source=source,
            classes=CLASSES,
            verdict="clean",
            label_map=label_map,
            probabilities=probabilities,
        )


def sample() -> Sample:
    masks = np.zeros((2, 16, 16), dtype=np.bool_)
    masks[0, 2:6, 2:6] = True
    image = np.zeros((16, 16, 1), dtype=np.uint8)
    return Sample(name="a", image=image, classes=CLASSES, masks=masks)


def test_each_choice_is_scored_class_by_class():
    predictor = Fixed(CLASSES, Thresholds.default(2))
    found = calibration.sweep(predictor, [sample()], thresholds=(0.5, 0.92), min_areas=(0, 5, 17))
    # Both squares: 2 * 16 / (20 + 16); the true one alone: 1; the false one alone, or none: 0.
    assert np.allclose(found.dice[0], [[32 / 36, 1, 0], [0, 0, 0]])
    assert (found.dice[1] == 1).all()
    assert found.all_empty.tolist() == [0, 1]
    assert found.best()[0] == (0.5, 5)


def save(path, config, thresholds) -> Header:
    """Save a segmenter; gives its header."""
    header = Header(
        architecture="segmenter",
        graphs={"segmenter": config},
        classes=config.network.classes,
        thresholds=thresholds,
    )
    checkpoints.save(path, header, weights.arrays(graphs.build(config)))
    return header


def test_the_best_are_stored_in_the_checkpoint(tmp_path, segmenter_config):
    header = save(tmp_path / "m.safetensors", segmenter_config, Thresholds.default(4))
    found = calibration.Sweep(
        classes=header.classes,
        thresholds=(0.3, 0.7),
        min_areas=(0, 600),
        dice=np.array([[[0, 0], [0, 1]]] * 4, dtype=float),
        all_empty=np.zeros(4),
    )
    calibration.store(tmp_path / "m.safetensors", found)
    stored = checkpoints.load(tmp_path / "m.safetensors").header.thresholds
    assert (stored.pixels, stored.min_areas) == ((0.7,) * 4, (600,) * 4)


def test_a_class_that_nothing_helps_keeps_what_it_has(tmp_path, segmenter_config):
    limits = Thresholds(classes=(0.5,) * 4, pixels=(0.45,) * 4, min_areas=(7,) * 4)
    header = save(tmp_path / "m.safetensors", segmenter_config, limits)
    found = calibration.Sweep(
        classes=header.classes,
        thresholds=(0.3, 0.7),
        min_areas=(0, 600),
        dice=np.array([[[0.2, 0.3], [0.4, 0.6]]] * 4),
        all_empty=np.array([0.6, 0.5, 0.9, 0.59]),
    )
    assert found.gainless() == [header.classes[0], header.classes[2]]
    calibration.store(tmp_path / "m.safetensors", found)
    stored = checkpoints.load(tmp_path / "m.safetensors").header.thresholds
    assert (stored.pixels, stored.min_areas) == ((0.45, 0.7, 0.45, 0.7), (7, 600, 7, 600))


def test_flips_are_stored_with_the_thresholds_that_are_theirs(tmp_path):
    predictor = Fixed(CLASSES, Thresholds.default(2))
    predictor.flips = "both"
    found = calibration.sweep(predictor, [sample()])
    model = toys.save(tmp_path / "m.safetensors", "segmenter", toys.SEGMENTER)
    calibration.store(model, found)
    assert checkpoints.load(model).header.flips == "both"
    other = toys.save_calibrated(tmp_path / "c.safetensors", "segmenter", toys.SEGMENTER)
    message = "is calibrated for flips 'none', these thresholds are for 'both'. Calibrate it with"
    with pytest.raises(ConfigError, match=message):
        calibration.store(other, found)
    calibration.store(other, replace(found, flips="none"))
    assert checkpoints.load(other).header.calibration == toys.CALIBRATION


def test_the_built_in_model_is_not_written_to():
    found = calibration.Sweep(
        classes=("a",), thresholds=(), min_areas=(), dice=np.zeros(0), all_empty=np.zeros(0)
    )
    with pytest.raises(ConfigError, match="comes with the package"):
        calibration.store("strip", found)
    with pytest.raises(CheckpointError, match="no model 'nowhere'"):
        calibration.store("nowhere", found)


def test_images_without_masks_cannot_be_tried(tmp_path):
    bare = Sample(name="a", image=np.zeros((16, 16, 1), dtype=np.uint8), classes=CLASSES)
    predictor = Fixed(CLASSES, Thresholds.default(2))
    with pytest.raises(ConfigError, match=re.escape("a has no masks")):
        calibration.sweep(predictor, [bare])
    with pytest.raises(ConfigError, match="there are no images to try thresholds on"):
        calibration.sweep(predictor, [])


def test_a_segmenter_that_keeps_no_probabilities_is_no_gate_that_lets_pass():
    class Forgetful(Fixed):
        def judge(self, image, source):
            return replace(super().judge(image, source), probabilities=None)

    with pytest.raises(ConfigError, match="was loaded without keep_probabilities"):
        calibration.sweep(Forgetful(CLASSES, Thresholds.default(2)), [sample()])


def test_what_a_gate_lets_pass_is_outlined_nowhere():
    class Gated(Fixed):
        def judge(self, image, source):
            return replace(super().judge(image, source), probabilities=None, gate_probability=0.2)

    found = calibration.sweep(
        Gated(CLASSES, Thresholds.default(2)), [sample()], thresholds=(0.5,), min_areas=(0,)
    )
    assert found.dice.tolist() == [[[0]], [[1]]]
