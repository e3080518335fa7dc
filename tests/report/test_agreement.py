import json

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.report import agreement, judged
from steel_defect_detection.report.album import Album
from tests.report import folders_of
from tests.report.folders_of import prediction


@pytest.fixture
def folder(tmp_path):
    """Two patches of 8 and 4 pixels on one and on four."""
    return folders_of.results(
        tmp_path,
        prediction("a/one.png", "defect"),
        prediction("a/two.png"),
        prediction("a/three.png", "error"),
        prediction("b/one.png", "defect"),
    )


def doubts(folder):
    results = judged.read(folder)
    return agreement.doubts(results, Album(results))


def change(path, *replacements):
    text = path.read_text()
    for before, after in replacements:
        assert before in text
        text = text.replace(before, after, 1)
    path.write_text(text)


def test_what_a_run_has_left_agrees(folder):
    assert doubts(folder) == []


@pytest.mark.parametrize(
    "made",
    [
        [],
        [prediction("a.png", "defect", label_map=None), prediction("b.png", label_map=None)],
        [prediction("one\nline.png", "defect"), prediction('a "b", c.png', "defect")],
    ],
    ids=["no image", "a classifier", "names with commas and lines"],
)
def test_unusual_results_agree(tmp_path, made):
    assert doubts(folders_of.results(tmp_path, *made)) == []


def test_masks_that_nobody_kept_are_no_doubt(folder):
    for mask in (folder / "masks").iterdir():
        mask.unlink()
    assert doubts(folder) == []


def test_paths_of_windows_agree(tmp_path):
    folder = folders_of.results(tmp_path, prediction("one.png", "defect"))
    change(folder / "images.csv", ("one.png,masks", "C:\\coil\\one.png,masks"))
    assert doubts(folder) == []


@pytest.mark.parametrize("content", [None, "", "{", "[1]"])
def test_a_record_that_is_missing_or_broken_is_said(folder, content):
    if content is None:
        (folder / "run.json").unlink()
    else:
        (folder / "run.json").write_text(content)
    said = "There is no run.json that can be read: model and thresholds are not known."
    assert doubts(folder) == [said]


def test_a_run_that_was_interrupted_says_so(tmp_path):
    folder = folders_of.results(tmp_path, prediction("one.png"), asked=7)
    said = "The run was interrupted, or still goes on: 1 of 7 images are judged."
    assert doubts(folder) == [said]


def test_a_row_that_is_missing_is_said(folder):
    lines = (folder / "images.csv").read_text().splitlines(keepends=True)
    (folder / "images.csv").write_text("".join(lines[:-1]))
    record, tables = doubts(folder)
    assert "images.csv has 3 rows, and run.json counts 4 images." in record
    assert "predictions.csv has other outlines than images.csv has areas for one.png." in tables


def test_a_row_that_is_cut_is_said(folder):
    text = (folder / "images.csv").read_text()
    (folder / "images.csv").write_text(text[: text.index("b/one.png") + 4])
    found = " ".join(doubts(folder))
    assert "images.csv is cut short or damaged: the row that ends in line 5 has 1 of 15 cells" in (
        found
    )
    assert "no verdict, or an unknown one, for on." in found


def test_a_last_line_without_an_end_is_said(folder):
    text = (folder / "images.csv").read_text()
    (folder / "images.csv").write_text(text.rstrip("\n"))
    assert doubts(folder) == [
        "images.csv is cut short or damaged: its last line does not end. Run sdd-predict again."
    ]


def test_verdicts_that_were_changed_are_said(folder):
    change(folder / "images.csv", (",defect,", ",clean,"))
    (said,) = doubts(folder)
    assert "images.csv and run.json count other numbers of clean and defect." in said


def test_a_row_that_is_there_twice_is_said(folder):
    lines = (folder / "images.csv").read_text().splitlines(keepends=True)
    (folder / "images.csv").write_text("".join([*lines, lines[1]]))
    found = " ".join(doubts(folder))
    assert "several rows for one image: 2 images, such as a/one.png." in found


def test_outlines_that_are_missing_in_the_other_table_are_said(folder):
    lines = (folder / "predictions.csv").read_text().splitlines(keepends=True)
    (folder / "predictions.csv").write_text("".join(lines[:-1]))
    (said,) = doubts(folder)
    assert said.startswith("The tables do not agree: predictions.csv has other outlines")
    (folder / "predictions.csv").write_text("ImageId\n")
    (said,) = doubts(folder)
    assert "predictions.csv cannot be compared with images.csv" in said


def test_another_mask_is_said(folder):
    mask = folder / "masks/one.png"
    labels = images.read(mask, grey=True)[..., 0]
    images.write(mask, np.ascontiguousarray(labels[:, : labels.shape[1] // 2]))
    (said,) = doubts(folder)
    assert said.startswith("The masks do not agree with the table: images.csv has other areas for")


def test_a_mask_of_a_clean_image_that_has_a_defect_is_said(folder):
    (folder / "masks/two.png").write_bytes((folder / "masks/one.png").read_bytes())
    (said,) = doubts(folder)
    assert "images.csv has other areas for two.png" in said


@pytest.mark.parametrize("name", ["one.png", "two.png"])
def test_a_mask_that_was_cut_in_two_is_said(folder, name):
    data = (folder / "masks" / name).read_bytes()
    (folder / "masks" / name).write_bytes(data[: len(data) // 2])
    (said,) = doubts(folder)
    assert said.startswith("Some masks cannot be read: those of ")


def test_a_mask_that_is_missing_is_said(folder):
    (folder / "masks/two.png").unlink()
    assert doubts(folder) == ["Some masks are not there: those of two.png."]


def test_counts_of_an_older_record_are_not_asked_for(folder):
    record = json.loads((folder / "run.json").read_text())
    del record["counts"]
    (folder / "run.json").write_text(json.dumps(record))
    assert doubts(folder) == []


def test_masks_of_an_earlier_run_are_told(folder):
    for name in ("other.png", "another.png"):
        images.write(folder / "masks" / name, np.zeros((4, 4), dtype=np.uint8))
    (said,) = agreement.remarks(judged.read(folder))
    assert doubts(folder) == []
    assert said.startswith("masks/ holds 2 files that no row of images.csv names, such as another.")


def test_the_masks_of_all_rows_are_no_remark(folder):
    assert agreement.remarks(judged.read(folder)) == []
    for mask in (folder / "masks").iterdir():
        mask.unlink()
    assert agreement.remarks(judged.read(folder)) == []
