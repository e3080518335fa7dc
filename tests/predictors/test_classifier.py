import numpy as np
import pytest

from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.predictors.classifier import ClassifierPredictor
from tests.conftest import CLASSES
from tests.predictors.conftest import FixedRuntime
from tests.predictors.contract import PredictorContract


class TestClassifierPredictor(PredictorContract):
    @pytest.fixture
    def predictor(self, gate_runtime):
        return ClassifierPredictor(CLASSES, Thresholds.default(4), classifier=gate_runtime)


@pytest.mark.parametrize(
    ("probabilities", "verdict", "name"),
    [((0.1, 0.2, 0.69, 0.1), "clean", None), ((0.5, 0.2, 0.7, 0.1), "defect", "defect_3")],
)
def test_an_image_is_a_defect_from_the_threshold_of_a_class_on(probabilities, verdict, name):
    limits = Thresholds(classes=(0.9, 0.9, 0.7, 0.9), pixels=(0.5,) * 4, min_areas=(0,) * 4)
    answers = {
        "probabilities": np.array(probabilities, dtype=np.float64),
        "defect_probability": np.float64(0.7),
    }
    predictor = ClassifierPredictor(
        CLASSES, limits, classifier=FixedRuntime(**{k: np.asarray(v) for k, v in answers.items()})
    )
    prediction = predictor.predict(np.zeros((32, 32, 3), dtype=np.uint8))
    assert prediction.verdict == verdict
    assert prediction.class_name == name
    assert prediction.label_map is None


@pytest.mark.parametrize(
    ("exclusive", "shown"),
    [(True, [False, False, True, False]), (False, [True, False, True, True])],
)
def test_of_exclusive_classes_the_likeliest_is_shown_and_else_those_that_reach_their_thresholds(
    exclusive, shown
):
    limits = Thresholds(classes=(0.1, 0.9, 0.6, 0.2), pixels=(0.5,) * 4, min_areas=(0,) * 4)
    answers = {
        "probabilities": np.array([0.1, 0.2, 0.6, 0.2]),
        "defect_probability": np.asarray(0.6),
    }
    runtime = FixedRuntime(**answers)
    predictor = ClassifierPredictor(CLASSES, limits, classifier=runtime, exclusive=exclusive)
    prediction = predictor.predict(np.zeros((32, 32, 3), dtype=np.uint8))
    assert predictor.shown(prediction).tolist() == shown
