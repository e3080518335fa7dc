import numpy as np
import pytest

from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.predictors.segmenter import SegmenterPredictor
from tests.conftest import CLASSES
from tests.predictors.conftest import FixedRuntime
from tests.predictors.contract import PredictorContract


class TestSegmenterPredictor(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def predictor(cls, segmenter_runtime):
        return SegmenterPredictor(CLASSES, Thresholds.default(4), segmenter=segmenter_runtime)


def predict(probabilities: np.ndarray, **settings):
    limits = Thresholds.default(4).model_dump() | settings
    predictor = SegmenterPredictor(
        CLASSES,
        Thresholds(**limits),
        segmenter=FixedRuntime(probabilities=probabilities.astype(np.float32)),
        keep_probabilities=True,
    )
    return predictor.predict(np.zeros((8, 8, 3), dtype=np.uint8))


def test_the_likeliest_class_takes_the_pixel():
    probabilities = np.zeros((4, 8, 8))
    probabilities[0, :4] = 0.6
    probabilities[2, 2:6] = 0.8
    prediction = predict(probabilities)
    assert prediction.label_map[:, 0].tolist() == [1, 1, 3, 3, 3, 3, 0, 0]
    assert prediction.areas.tolist() == [16, 0, 32, 0]
    assert prediction.verdict == "defect"
    assert prediction.class_name == "defect_3"
    assert prediction.scores == pytest.approx([0.6, 0, 0.8, 0])


def test_small_defects_are_dropped_and_the_image_is_clean():
    probabilities = np.zeros((4, 8, 8))
    probabilities[1, 0, :3] = 0.9
    assert predict(probabilities, min_areas=(0, 4, 0, 0)).verdict == "clean"
    assert predict(probabilities, min_areas=(0, 3, 0, 0)).verdict == "defect"


def test_probabilities_are_kept_when_asked_for():
    probabilities = np.random.default_rng(0).random((4, 8, 8))
    assert np.allclose(predict(probabilities).probabilities, probabilities)
