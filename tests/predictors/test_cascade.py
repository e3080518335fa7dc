import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import InferenceError
from steel_defect_detection.predictors.cascade import CascadePredictor
from steel_defect_detection.predictors.classifier import ClassifierPredictor
from steel_defect_detection.predictors.segmenter import SegmenterPredictor
from tests.conftest import CLASSES
from tests.predictors.conftest import FixedRuntime
from tests.predictors.contract import PredictorContract

IMAGE = np.zeros((8, 8, 3), dtype=np.uint8)


class TestCascadePredictor(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def predictor(cls, gate_runtime, segmenter_runtime):
        limits = Thresholds.default(4)
        return CascadePredictor(
            ClassifierPredictor(CLASSES, limits, classifier=gate_runtime),
            SegmenterPredictor(CLASSES, limits, segmenter=segmenter_runtime),
        )


def cascade(gate_probability: float, pixel_probability: float):
    """A cascade that fires at 0.4, and its segmenter's runtime."""
    limits = Thresholds.default(4).model_copy(update={"gate": 0.4})
    segmenter = FixedRuntime(probabilities=np.full((4, 8, 8), pixel_probability, dtype=np.float32))
    gate = FixedRuntime(
        probabilities=np.array([0.1, 0.2, gate_probability, 0.0], dtype=np.float64),
        defect_probability=np.array(gate_probability),
    )
    predictor = CascadePredictor(
        ClassifierPredictor(CLASSES, limits, classifier=gate),
        SegmenterPredictor(CLASSES, limits, segmenter=segmenter),
    )
    return predictor, segmenter


def test_a_clean_image_never_reaches_the_segmenter():
    predictor, segmenter = cascade(gate_probability=0.39, pixel_probability=0.9)
    prediction = predictor.predict(IMAGE)
    assert prediction.verdict == "clean"
    assert segmenter.calls == 0
    assert prediction.label_map.shape == (8, 8)
    assert not prediction.label_map.any()
    assert prediction.times.segment_ms is None


def test_an_image_that_fires_is_outlined_and_scored_by_the_gate():
    predictor, segmenter = cascade(gate_probability=0.4, pixel_probability=0.9)
    prediction = predictor.predict(IMAGE)
    assert prediction.verdict == "defect"
    assert segmenter.calls == 1
    assert prediction.gate_probability == 0.4
    assert prediction.scores.tolist() == [0.1, 0.2, 0.4, 0.0]
    assert prediction.times.gate_ms is not None
    assert prediction.times.segment_ms is not None


def test_a_gate_that_answers_no_number_lets_nothing_pass(tmp_path):
    predictor, _ = cascade(gate_probability=float("nan"), pixel_probability=0.9)
    with pytest.raises(InferenceError, match="not-a-number"):
        predictor.predict(IMAGE)
    images.write(tmp_path / "a.png", IMAGE)
    (prediction,) = predictor.stream([tmp_path / "a.png"])
    assert prediction.verdict == "error"
    assert prediction.error.startswith(str(tmp_path / "a.png"))


def test_without_an_outline_there_is_no_defect():
    predictor, _ = cascade(gate_probability=0.9, pixel_probability=0.1)
    assert predictor.predict(IMAGE).verdict == "clean"
