import pytest

from steel_defect_detection.benchmark import judging
from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.prediction import Prediction
from tests.conftest import CLASSES


class Gate:
    """Fires on images with a pixel as bright as this."""

    runtimes = {"gate": "by hand"}  # noqa: RUF012 -- a stand-in for a test

    def __init__(self, brightness):
        self.brightness = brightness

    def predict(self, image):
        bright = bool(image.max() >= self.brightness)
        return Prediction(source="", classes=CLASSES, verdict="defect" if bright else "clean")


def test_what_only_the_careful_way_finds_is_newly_missed(tiny_severstal):
    # Every other of the eight sheets has a square of brightness 220.
    same = judging.compare(Gate(220), Gate(150), tiny_severstal)
    assert (same["images"], same["defective"], same["newly_missed"]) == (8, 4, [])
    assert same["recall"] == {"careful": 1.0, "quick": 1.0}
    blind = judging.compare(Gate(220), Gate(221), tiny_severstal)
    assert blind["newly_missed"] == [f"sheet-{number}.png" for number in (1, 3, 5, 7)]
    assert blind["recall_change_points"] == -100
    nervous = judging.compare(Gate(220), Gate(0), tiny_severstal)
    assert nervous["false_alarms"] == {"careful": 0, "quick": 4}


def test_images_without_a_defect_can_tell_nothing(tiny_severstal):
    (tiny_severstal / "train.csv").write_text("ImageId,ClassId,EncodedPixels\n", encoding="utf-8")
    with pytest.raises(AnnotationError, match="shows a defect, so none can be missed"):
        judging.compare(Gate(0), Gate(0), tiny_severstal)
