import pytest

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Calibration, Card, DataSource, Thresholds
from tests.checkpoints.made import saved


def test_a_model_is_told_by_what_it_is_and_how_it_was_measured(tmp_path):
    card = Card(
        name="strip",
        description="Finds scratches.",
        limits="Not for bars.",
        data=(DataSource(name="Severstal", images=1234, licence="competition"),),
        metrics={"dice": 0.91},
        measured="by hand",
    )
    checkpoint = saved(tmp_path / "one.safetensors", "segmenter", card=card)
    text = checkpoints.describe(checkpoint)
    # Six weights and a count.
    assert text.splitlines()[0] == "strip (segmenter, 7 numbers)"
    for words in (
        "Finds scratches.",
        "Not for bars.",
        "classes: scratch, patch",
        "segmenter: efficientnet-b0, 1 channels, sees 1 of the size",
        "learned from 1,234 images: Severstal (competition)",
        "dice: 0.91",
        "measured: by hand",
        f"sha256 {checkpoint.sha256}",
    ):
        assert words in text


def test_a_model_that_was_not_calibrated_says_so(tmp_path):
    checkpoint = saved(tmp_path / "one.safetensors", "classifier")
    assert "not calibrated: see sdd-calibrate" in checkpoints.describe(checkpoint)


def test_a_calibration_is_told(tmp_path):
    record = Calibration(
        images=1234,
        data="coils",
        split="validation",
        aim="a recall of 0.95",
        metrics={"temperature": 1.5},
    )
    limits = Thresholds.default(2).model_copy(update={"defect": 0.3, "familiarity": 0.02})
    checkpoint = saved(
        tmp_path / "one.safetensors", "classifier", calibration=record, thresholds=limits
    )
    text = checkpoints.describe(checkpoint)
    for words in (
        "calibrated on 1,234 images of coils validation\n",
        "thresholds were chosen for a recall of 0.95\n",
        "images of familiarity below 0.02 are called unfamiliar\n",
        "temperature: 1.5\n",
        ", any defect 0.3\n",
    ):
        assert words in text
    assert "not calibrated" not in text


def test_flips_are_told_beside_the_thresholds_that_are_theirs(tmp_path):
    checkpoint = saved(tmp_path / "one.safetensors", "segmenter", flips="vertical")
    lines = checkpoints.describe(checkpoint).splitlines()
    (said,) = [line for line in lines if line.startswith("thresholds: ")]
    assert said.endswith(", with flips vertical")


@pytest.mark.parametrize(
    ("data", "split", "words"),
    [
        ("", "", "calibrated on 8 images\n"),
        ("coils", "", "calibrated on 8 images of coils\n"),
        ("", "test", "calibrated on 8 images of test\n"),
    ],
)
def test_what_a_calibration_does_not_know_is_left_out(tmp_path, data, split, words):
    record = Calibration(images=8, data=data, split=split)
    checkpoint = saved(tmp_path / "one.safetensors", "classifier", calibration=record)
    text = checkpoints.describe(checkpoint)
    assert words in text
    for missing in ("flips", "thresholds were chosen", "unfamiliar", "any defect"):
        assert missing not in text


def test_the_size_of_the_images_that_it_learned_from_is_told(tmp_path):
    card = Card(image_size=(256, 1600))
    text = checkpoints.describe(saved(tmp_path / "one.safetensors", "segmenter", card=card))
    assert "\nmade for images of about 1600 x 256 pixels\n" in text
