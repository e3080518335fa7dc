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


def choosy(scores, *, exclusive=False, careful=None):
    """A cascade that outlines only what its gate names: at 0.3, and the third class at 0.6."""
    limits = Thresholds(
        classes=(0.3, 0.3, 0.6, 0.3), pixels=(0.5,) * 4, min_areas=(0,) * 4, only_named=True
    )
    pixels = np.zeros((4, 8, 8), dtype=np.float32)
    pixels[0], pixels[1, :4], pixels[2] = 0.9, 0.8, 0.7
    gate = FixedRuntime(probabilities=np.array(scores), defect_probability=np.array(0.9))
    return CascadePredictor(
        ClassifierPredictor(
            CLASSES, limits, classifier=gate, careful=careful, exclusive=exclusive, is_gate=True
        ),
        SegmenterPredictor(
            CLASSES,
            limits,
            segmenter=FixedRuntime(probabilities=pixels),
            keep_probabilities=True,
        ),
    )


@pytest.mark.parametrize(
    ("scores", "exclusive", "areas", "verdict"),
    [
        ([0.9, 0.9, 0.9, 0.9], False, [64, 0, 0, 0], "defect"),
        ([0.1, 0.3, 0.6, 0.0], False, [0, 32, 32, 0], "defect"),
        ([0.1, 0.3, 0.5, 0.0], False, [0, 32, 0, 0], "defect"),
        ([0.1, 0.1, 0.1, 0.9], False, [0, 0, 0, 0], "clean"),
        ([0.3, 0.3, 0.4, 0.0], True, [0, 0, 64, 0], "defect"),
    ],
)
def test_only_classes_that_the_gate_names_are_outlined(scores, exclusive, areas, verdict):
    prediction = choosy(scores, exclusive=exclusive).predict(IMAGE)
    assert prediction.areas.tolist() == areas
    assert prediction.verdict == verdict
    named = [area > 0 for area in areas]
    assert not prediction.probabilities[~np.array(named) & (np.array(scores) < 0.3)].any()


@pytest.mark.parametrize(("second", "asked"), [(0.2, False), (0.28, True), (0.32, True)])
def test_a_gate_asks_again_where_rounding_could_change_what_it_names(second, asked):
    careful = FixedRuntime(
        probabilities=np.array([0.0, 0.9, 0.0, 0.0]), defect_probability=np.array(0.9)
    )
    prediction = choosy([0.0, second, 0.0, 0.0], careful=careful).predict(IMAGE)
    assert careful.calls == asked
    assert prediction.areas.tolist() == [0, 32 * (asked or second >= 0.3), 0, 0]
