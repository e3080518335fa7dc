import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection import images
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import ConversionError, ImageError, InferenceError
from steel_defect_detection.models.config import Preprocessing
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.predictors.cascade import CascadePredictor
from steel_defect_detection.predictors.classifier import ClassifierPredictor
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.predictors.segmenter import SegmenterPredictor
from steel_defect_detection.predictors.shared_backbone import SharedBackbonePredictor
from steel_defect_detection.predictors.two_head import TwoHeadPredictor
from steel_defect_detection.runtimes import tiling
from tests.predictors.conftest import FixedRuntime


class Failing(Predictor):
    """Fails on dark images."""

    def __init__(self, error):
        super().__init__(("a",), Thresholds.default(1))
        self._error = error

    @property
    def networks(self):
        return {}

    def judge(self, image, source):
        if image.max() < 50:
            raise self._error
        return Prediction(source=source, classes=("a",), verdict="clean")


@pytest.mark.parametrize("kind", [ImageError, InferenceError, ConversionError])
def test_a_stream_names_the_file_that_failed_and_goes_on(tmp_path, kind):
    for name, value in (("dark", 0), ("light", 90)):
        images.write(tmp_path / f"{name}.png", np.full((8, 8, 1), value, dtype=np.uint8))
    paths = [tmp_path / "dark.png", tmp_path / "light.png"]
    dark, light = Failing(kind("too dark")).stream(paths)
    assert (dark.verdict, dark.error) == ("error", f"{paths[0]}: too dark")
    assert light.verdict == "clean"


def test_a_mistake_of_ours_is_not_taken_for_a_bad_image(tmp_path):
    images.write(tmp_path / "dark.png", np.zeros((8, 8, 1), dtype=np.uint8))
    with pytest.raises(ZeroDivisionError):
        list(Failing(ZeroDivisionError()).stream([tmp_path / "dark.png"]))


def classifier(precision: str, *, channels: int = 3, careful=None) -> ClassifierPredictor:
    runtime = FixedRuntime(probabilities=np.zeros(1), defect_probability=np.zeros(()))
    runtime.precision = precision
    runtime.preprocessing = Preprocessing(channels=channels)
    return ClassifierPredictor(("a",), Thresholds.default(1), classifier=runtime, careful=careful)


@pytest.mark.parametrize(("channels", "grey"), [(1, True), (3, False)])
def test_files_are_read_as_grey_where_brightness_is_all_that_is_seen(channels, grey):
    assert classifier("float32", channels=channels).grey is grey


def test_what_is_asked_again_is_named_beside_the_engines():
    careful = FixedRuntime()
    careful.name = "fixed cpu float32"
    found = classifier("bfloat16", careful=careful).runtimes
    assert found == {"classifier": "fixed", "careful": "fixed cpu float32"}
    # In float32 nobody is asked twice.
    assert classifier("float32", careful=careful).runtimes == {"classifier": "fixed"}


def test_one_path_is_no_list_of_paths():
    with pytest.raises(ImageError, match="expected many paths, got one"):
        list(classifier("float32").stream("strip.jpg"))


IMAGE = np.zeros((8, 8, 3), dtype=np.uint8)
LIMITS = Thresholds.default(2).model_copy(update={"familiarity": 0.1})


def number(value: float) -> np.ndarray:
    return np.array(value, dtype=np.float32)


def outlined() -> np.ndarray:
    """Probabilities of two classes; the upper half is the second one."""
    pixels = np.zeros((2, 8, 8), dtype=np.float32)
    pixels[1, :4] = 0.9
    return pixels


def naming(familiarity: float, defect: float = 0.7) -> FixedRuntime:
    """A classifier's network."""
    scores = np.array([defect / 2, defect], dtype=np.float32)
    return FixedRuntime(
        probabilities=scores, defect_probability=number(defect), familiarity=number(familiarity)
    )


def outlining(familiarity: float) -> FixedRuntime:
    """A segmenter's network."""
    return FixedRuntime(probabilities=outlined(), familiarity=number(familiarity))


def doing_both(familiarity: float, defect: float = 0.7) -> FixedRuntime:
    """A network with two heads."""
    return FixedRuntime(
        probabilities=outlined(),
        class_probabilities=np.array([defect / 2, defect], dtype=np.float32),
        defect_probability=number(defect),
        familiarity=number(familiarity),
    )


class Decoding(FixedRuntime):
    """The second half of a shared backbone."""

    def run(self, images, **features):
        return super().run(images)


def a_classifier(**says):
    return ClassifierPredictor(("a", "b"), LIMITS, classifier=naming(**says))


def a_segmenter(**says):
    return SegmenterPredictor(
        ("a", "b"), LIMITS, segmenter=outlining(**says), keep_probabilities=True
    )


def a_cascade(**says):
    outlines = SegmenterPredictor(
        ("a", "b"), LIMITS, segmenter=FixedRuntime(probabilities=outlined())
    )
    return CascadePredictor(a_classifier(**says), outlines)


def two_heads(**says):
    network = doing_both(**says)
    return TwoHeadPredictor(("a", "b"), LIMITS, two_head=network)


def a_shared_backbone(**says):
    return SharedBackbonePredictor(
        ("a", "b"),
        LIMITS,
        encoder_gate=naming(**says),
        decoder=Decoding(probabilities=outlined()),
    )


KINDS = [a_classifier, a_segmenter, a_cascade, two_heads, a_shared_backbone]


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_model_does_not_know_is_unfamiliar(kind):
    known, strange = kind(familiarity=0.1), kind(familiarity=0.09)
    assert known.predict(IMAGE).verdict == "defect"
    assert known.predict(IMAGE).familiarity == pytest.approx(0.1)
    found = strange.predict(IMAGE)
    assert (found.verdict, found.class_name) == ("unfamiliar", None)
    assert found.familiarity == pytest.approx(0.09)
    # What was seen on it can still be looked at.
    assert np.array_equal(found.scores, known.predict(IMAGE).scores)
    assert np.array_equal(found.areas, known.predict(IMAGE).areas)


@pytest.mark.parametrize("kind", KINDS)
def test_with_0_as_least_nothing_is_unfamiliar(kind):
    predictor = kind(familiarity=0.0)
    never = LIMITS.model_copy(update={"familiarity": 0.0})
    predictor.thresholds = never
    assert predictor.predict(IMAGE).verdict == "defect"


@pytest.mark.parametrize("kind", KINDS)
def test_an_unfamiliar_image_can_be_called_a_defect_and_keeps_its_outlines(kind):
    known, strange = kind(familiarity=0.5), kind(familiarity=0.0)
    strange.on_unfamiliar = "defect"
    found, expected = strange.predict(IMAGE), known.predict(IMAGE)
    assert (found.verdict, found.class_name) == ("defect", "b")
    assert np.array_equal(found.areas, expected.areas)
    assert found.familiarity == 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_unfamiliar_image_can_be_called_clean_and_has_no_outlines(kind):
    predictor = kind(familiarity=0.0)
    predictor.on_unfamiliar = "clean"
    found = predictor.predict(IMAGE)
    assert (found.verdict, found.class_name) == ("clean", None)
    assert found.areas.tolist() == [0, 0]
    assert found.runs() == {}
    assert found.probabilities is None
    assert (found.label_map is None) == (kind is a_classifier)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unfamiliar_image_can_be_an_error_of_which_nothing_is_kept(kind, tmp_path):
    predictor = kind(familiarity=0.0123)
    predictor.on_unfamiliar = "error"
    path = tmp_path / "odd.png"
    images.write(path, IMAGE)
    (found,) = predictor.stream([path])
    assert found.verdict == "error"
    assert found.error == (
        f"{path}: the image is unlike those that the model knows (familiarity 0.0123, least is 0.1)"
    )
    assert (found.scores, found.label_map, found.probabilities) == (None, None, None)
    assert (found.gate_probability, found.certainty) == (None, None)
    assert found.familiarity == pytest.approx(0.0123)
    assert found.times.decode_ms > 0
    assert not predictor.shown(found).any()


@pytest.mark.parametrize("choice", ["unfamiliar", "defect", "clean", "error"])
def test_familiar_images_are_what_they_are_whatever_strangers_are_called(choice):
    predictor = a_cascade(familiarity=0.5)
    predictor.on_unfamiliar = choice
    assert predictor.predict(IMAGE).verdict == "defect"


class Strange:
    """Answers as another runtime, but knows no tile with a white pixel."""

    def __init__(self, runtime) -> None:
        self.runtime = runtime
        self.name, self.parallel, self.precision = "strange", 1, runtime.precision
        self.preprocessing = runtime.preprocessing

    def run(self, shown):
        familiarity = 0.01 if shown.max() == 255 else 0.6
        return self.runtime.run(shown) | {"familiarity": number(familiarity)[None]}


@pytest.mark.parametrize("kind", [a_classifier, a_segmenter, a_cascade, two_heads])
def test_one_strange_tile_makes_a_large_image_unfamiliar(kind, monkeypatch):
    monkeypatch.setattr(tiling, "MOST_PIXELS", 100)
    monkeypatch.setattr(tiling.windows, "__kwdefaults__", {"size": 8, "overlap": 0})
    predictor = kind(familiarity=1.0)
    looks = predictor._gate if kind is a_cascade else predictor
    for name in ("_classifier", "_segmenter", "_network"):
        if hasattr(looks, name):
            setattr(looks, name, Strange(getattr(looks, name)))
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    if kind is a_cascade:
        predictor._segmenter._segmenter.answers["probabilities"] = outlined()
    assert predictor.predict(image).familiarity == pytest.approx(0.6)
    assert predictor.predict(image).verdict == "defect"
    image[13, 2] = 255
    found = predictor.predict(image)
    assert (found.verdict, found.familiarity) == ("unfamiliar", pytest.approx(0.01))


@pytest.mark.parametrize("kind", KINDS)
def test_only_calibrated_models_say_how_certain_they_are(kind):
    predictor = kind(familiarity=0.5)
    assert predictor.predict(IMAGE).certainty is None
    predictor.is_calibrated = True
    # A model that only outlines has no probability for the image.
    expected = None if kind is a_segmenter else pytest.approx(0.7)
    assert predictor.predict(IMAGE).certainty == expected


@given(st.floats(0, 1), st.floats(0, 1))
def test_certainty_is_the_probability_of_the_verdict(defect, threshold):
    limits = Thresholds.default(2).model_copy(update={"gate": threshold, "classes": (1, threshold)})
    for predictor in (
        ClassifierPredictor(("a", "b"), limits, classifier=naming(1.0, defect)),
        TwoHeadPredictor(("a", "b"), limits, two_head=doing_both(1.0, defect)),
    ):
        predictor.is_calibrated = True
        found = predictor.predict(IMAGE)
        probability = {"defect": defect, "clean": 1 - defect}[found.verdict]
        assert found.certainty == pytest.approx(probability, abs=1e-6)


def test_what_an_unfamiliar_image_was_thought_to_be_stays_on_record():
    predictor = a_classifier(familiarity=0.0, defect=0.8)
    predictor.is_calibrated = True
    found = predictor.predict(IMAGE)
    assert (found.verdict, found.certainty) == ("unfamiliar", pytest.approx(0.8))
