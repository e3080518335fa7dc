from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Card, DataSource
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
