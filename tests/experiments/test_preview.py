"""What a study would train."""

from steel_defect_detection.experiments.preview import preview
from tests.experiments.small_studies import draw_classes, study


def test_variants_are_listed_without_data():
    rows = preview(study())
    assert rows == [
        ["variant", "runs", "epochs at most"],
        ["learning_rate=0.001", "2", "2"],
        ["learning_rate=0.01", "2", "2"],
    ]


def test_images_are_counted_and_none_is_made(tmp_path):
    asked = study(axes={"fraction": [0.5, 1]}, part="test", test_share=0.25)
    rows = preview(asked, draw_classes(tmp_path / "data"))
    assert rows[0][3:] == ["real images", "synthetic", "to validate on", "to measure on (test)"]
    # Of 24 images 6 are for the test, and of the rest 4 (a quarter) to validate on.
    assert [row[3:] for row in rows[1:]] == [["7", "0", "4", "6"], ["14", "0", "4", "6"]]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_the_epochs_of_both_networks_of_a_cascade_are_told():
    rows = preview(study(base={}, axes={"preset": ["strip"], "epochs": [3]}))
    assert rows[1][2] == "3 + 3"
