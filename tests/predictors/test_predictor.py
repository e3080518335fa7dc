import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import ConversionError, ImageError, InferenceError
from steel_defect_detection.models.config import Preprocessing
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.predictors.classifier import ClassifierPredictor
from steel_defect_detection.predictors.predictor import Predictor
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
