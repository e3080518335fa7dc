import numpy as np
import pytest

from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.predictors.classifier import ClassifierPredictor
from tests.conftest import CLASSES
from tests.predictors.conftest import FixedRuntime
from tests.predictors.contract import PredictorContract


class TestClassifierPredictor(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def predictor(cls, gate_runtime):
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


@pytest.mark.parametrize(
    ("first", "asked"), [(0.44, False), (0.46, True), (0.54, True), (0.56, False)]
)
def test_close_answers_are_asked_for_again(first, asked):
    quick, careful = (
        FixedRuntime(
            probabilities=np.array([probability, 0.0], dtype=np.float32),
            defect_probability=np.array(probability, dtype=np.float32),
        )
        for probability in (first, 0.3)
    )
    predictor = ClassifierPredictor(
        ("a", "b"), Thresholds.default(2), classifier=quick, careful=careful
    )
    prediction = predictor.predict(np.zeros((8, 8, 1), dtype=np.uint8))
    assert careful.calls == asked
    assert prediction.gate_probability == pytest.approx(0.3 if asked else first)


@pytest.mark.parametrize(("second", "asked"), [(0.35, False), (0.41, True)])
def test_classes_that_exclude_each_other_are_close_where_two_lead(second, asked):
    scores = np.array([0.46, second, 0.0], dtype=np.float32)
    answers = {"probabilities": scores, "defect_probability": np.array(1.0, dtype=np.float32)}
    quick, careful = FixedRuntime(**answers), FixedRuntime(**answers)
    predictor = ClassifierPredictor(
        ("a", "b", "c"),
        Thresholds.default(3),
        classifier=quick,
        careful=careful,
        exclusive=True,
    )
    predictor.predict(np.zeros((8, 8, 1), dtype=np.uint8))
    assert careful.calls == asked


@pytest.mark.parametrize("is_gate", [False, True])
def test_a_gate_does_not_ask_again_for_what_it_does_not_decide(is_gate):
    answers = {
        "probabilities": np.array([0.51, 0.2], dtype=np.float32),
        "defect_probability": np.array(0.9, dtype=np.float32),
    }
    quick, careful = FixedRuntime(**answers), FixedRuntime(**answers)
    limits = Thresholds.default(2)
    predictor = ClassifierPredictor(
        ("a", "b"), limits, classifier=quick, careful=careful, is_gate=is_gate
    )
    predictor.predict(np.zeros((8, 8, 1), dtype=np.uint8))
    assert careful.calls == (not is_gate)


@pytest.mark.parametrize(
    ("kernels", "verdict", "name"),
    [
        ((0.9, 0.1), "clean", None),
        ((0.1, 0.9), "defect", "pit"),
        ((0.1, 0.2), "defect", "pit"),
        # The nearest class is the good one, but it is far away, too.
        ((0.2, 0.1), "unfamiliar", None),
        ((0.0, 0.0), "unfamiliar", None),
    ],
)
def test_an_image_far_from_every_class_does_not_pass_as_clean(kernels, verdict, name):
    scores = np.array(kernels, dtype=np.float32)
    runtime = FixedRuntime(probabilities=scores, defect_probability=1 - scores[0])
    settings = {"classifier": runtime, "exclusive": True, "good_class": "good"}
    classes, limits = ("good", "pit"), Thresholds.default(2)
    predictor = ClassifierPredictor(classes, limits, kernels=True, **settings)
    prediction = predictor.predict(np.zeros((8, 8, 3), dtype=np.uint8))
    assert (prediction.verdict, prediction.class_name) == (verdict, name)
    assert prediction.certainty == pytest.approx(max(kernels))
    # Probabilities that add up to 1 say nothing of that.
    plain = ClassifierPredictor(classes, limits, **settings)
    prediction = plain.predict(np.zeros((8, 8, 3), dtype=np.uint8))
    assert prediction.verdict in {"clean", "defect"}
    assert prediction.certainty is None


GOOD = ("pit", "good", "rust")


def exclusive(*scores: float, defect: float | None, careful=None) -> ClassifierPredictor:
    """One of three classes, of which the second one is good."""
    found = np.array(scores, dtype=np.float32)
    runtime = FixedRuntime(probabilities=found, defect_probability=1 - found[1])
    limits = Thresholds.default(3).model_copy(update={"defect": defect})
    predictor = ClassifierPredictor(
        GOOD, limits, classifier=runtime, careful=careful, exclusive=True, good_class="good"
    )
    predictor.is_calibrated = True
    return predictor


@pytest.mark.parametrize(
    ("defect", "scores", "verdict", "name", "certainty"),
    [
        # By the likeliest class, whatever it is.
        (None, (0.1, 0.7, 0.2), "clean", None, 0.7),
        (None, (0.25, 0.35, 0.4), "defect", "rust", 0.4),
        # From 0.2 for all others together the likeliest of those.
        (0.2, (0.1, 0.7, 0.2), "defect", "rust", 0.2),
        (0.2, (0.18, 0.7, 0.12), "defect", "pit", 0.18),
        (0.2, (0.05, 0.85, 0.1), "clean", None, 0.85),
        # It can also be set so high that a good class is named that is not the likeliest.
        (0.8, (0.5, 0.3, 0.2), "clean", None, 0.3),
        (0.8, (0.5, 0.1, 0.4), "defect", "pit", 0.5),
    ],
)
def test_a_threshold_on_any_defect_names_the_likeliest_bad_class(
    defect, scores, verdict, name, certainty
):
    predictor = exclusive(*scores, defect=defect)
    found = predictor.predict(np.zeros((8, 8, 3), dtype=np.uint8))
    assert (found.verdict, found.class_name) == (verdict, name)
    assert found.certainty == pytest.approx(certainty)
    shown = [GOOD[number] for number in np.flatnonzero(predictor.shown(found))]
    assert shown == [name or "good"]


@pytest.mark.parametrize(
    ("scores", "asked"),
    [
        ((0.05, 0.90, 0.05), False),
        ((0.02, 0.84, 0.14), True),
        ((0.01, 0.76, 0.23), True),
        ((0.05, 0.70, 0.25), False),
        # Surely a defect, and which one is close.
        ((0.30, 0.34, 0.36), True),
        # The good one and a bad one are close, which decides nothing here.
        ((0.02, 0.50, 0.48), False),
    ],
)
def test_with_a_threshold_on_any_defect_answers_near_it_are_asked_for_again(scores, asked):
    careful = FixedRuntime(
        probabilities=np.array(scores, dtype=np.float32),
        defect_probability=np.array(1 - scores[1], dtype=np.float32),
    )
    exclusive(*scores, defect=0.2, careful=careful).predict(np.zeros((8, 8, 3), dtype=np.uint8))
    assert careful.calls == asked
