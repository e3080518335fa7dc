import numpy as np
import pytest

from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.models.config import GraphConfig, TwoHeadConfig
from steel_defect_detection.predictors.two_head import TwoHeadPredictor
from steel_defect_detection.runtimes import tiling
from tests.predictors.conftest import FixedRuntime, runtime_of
from tests.predictors.contract import PredictorContract

CLASSES = ("a", "b")
GRAPH = GraphConfig(network=TwoHeadConfig(encoder="resnet18", classes=CLASSES))


class TestTwoHead(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def predictor(cls):
        return TwoHeadPredictor(CLASSES, Thresholds.default(2), two_head=runtime_of(GRAPH))


def fixed(defect: float, pixels: float = 0.9, shape: tuple[int, int] = (8, 8)) -> FixedRuntime:
    outlined = np.zeros((2, *shape), dtype=np.float32)
    outlined[1, :4] = pixels
    return FixedRuntime(
        probabilities=outlined,
        class_probabilities=np.array([0.2, 0.7], dtype=np.float32),
        defect_probability=np.float32(defect),
    )


@pytest.mark.parametrize(
    ("defect", "pixels", "verdict"),
    [(0.4, 0.9, "clean"), (0.6, 0.2, "clean"), (0.6, 0.9, "defect")],
)
def test_an_image_is_a_defect_where_the_gate_fires_and_pixels_are_outlined(defect, pixels, verdict):
    runtime = fixed(defect, pixels)
    predictor = TwoHeadPredictor(CLASSES, Thresholds.default(2), two_head=runtime)
    prediction = predictor.predict(np.zeros((8, 8, 3), dtype=np.uint8))
    assert prediction.verdict == verdict
    assert prediction.areas.tolist() == [0, 32 if verdict == "defect" else 0]
    assert prediction.scores.tolist() == [np.float32(0.2), np.float32(0.7)]
    assert prediction.gate_probability == pytest.approx(defect)
    assert (prediction.times.segment_ms is None) == (defect < 0.5)


def test_large_images_are_judged_tile_by_tile(monkeypatch):
    monkeypatch.setattr(tiling, "MOST_PIXELS", 100)
    monkeypatch.setattr(tiling.windows, "__kwdefaults__", {"size": 8, "overlap": 0})
    runtime = fixed(0.6)
    predictor = TwoHeadPredictor(CLASSES, Thresholds.default(2), two_head=runtime)
    prediction = predictor.predict(np.zeros((16, 16, 3), dtype=np.uint8))
    assert runtime.calls == 4
    assert prediction.areas.tolist() == [0, 4 * 32]


@pytest.mark.parametrize(
    ("first", "asked"), [(0.44, False), (0.46, True), (0.54, True), (0.56, False)]
)
def test_a_close_answer_of_the_gate_is_asked_for_again(first, asked):
    careful = fixed(0.6, pixels=0.8)
    predictor = TwoHeadPredictor(
        CLASSES, Thresholds.default(2), two_head=fixed(first), careful=careful
    )
    prediction = predictor.predict(np.zeros((8, 8, 3), dtype=np.uint8))
    assert careful.calls == asked
    assert prediction.gate_probability == pytest.approx(0.6 if asked else first)


@pytest.mark.parametrize(("least", "area"), [(0.69, 32), (0.71, 0)])
def test_only_classes_that_the_gate_s_head_names_are_outlined(least, area):
    limits = Thresholds(classes=(0.1, least), pixels=(0.5, 0.5), min_areas=(0, 0), only_named=True)
    predictor = TwoHeadPredictor(CLASSES, limits, two_head=fixed(0.9), keep_probabilities=True)
    prediction = predictor.predict(np.zeros((8, 8, 3), dtype=np.uint8))
    assert prediction.areas.tolist() == [0, area]
    assert prediction.verdict == ("defect" if area else "clean")
    assert bool(prediction.probabilities[1].any()) == bool(area)
