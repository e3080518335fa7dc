import csv
import os

from steel_defect_detection import images, results, rle
from tests.results.runs import clean, defect, failure, write


def test_the_tables_have_the_columns_that_are_promised(tmp_path):
    write(tmp_path, defect("roll.jpg"), failure("torn.jpg"))
    with (tmp_path / "images.csv").open(newline="") as file:
        header, roll, torn = csv.reader(file)
    assert header == [
        "file", "mask", "verdict", "class", "gate_probability", "certainty", "familiarity",
        "score_scratch", "score_patch", "area_scratch", "area_patch",
        "decode_ms", "gate_ms", "segment_ms", "error",
    ]  # fmt: skip
    assert roll == [
        "roll.jpg", "masks/roll.png", "defect", "patch", "0.9", "", "",
        "0.25", "0.75", "12", "24", "1.5", "2.25", "", "",
    ]  # fmt: skip
    assert torn == ["torn.jpg", "", "error", *[""] * 11, "torn.jpg is broken"]


def test_names_that_are_no_text_do_not_break_the_tables(tmp_path):
    write(tmp_path, defect(os.fsdecode(b"caf\xe9.png")), failure(os.fsdecode(b"\xff.png")))
    assert results.read_images(tmp_path).file.tolist() == ["caf\\udce9.png", "\\udcff.png"]
    assert set(results.read_predictions(tmp_path).ImageId) == {"caf\\udce9.png"}


def test_runs_decode_to_the_pixels_of_the_mask(tmp_path):
    write(tmp_path, defect("roll.jpg"), clean("sheet.jpg"))
    table = results.read_predictions(tmp_path)
    assert table[["ImageId", "ClassId"]].values.tolist() == [["roll.jpg", 1], ["roll.jpg", 2]]
    mask = images.read(tmp_path / "masks/roll.png")[..., 0]
    for _, row in table.iterrows():
        assert (rle.decode(row.EncodedPixels, mask.shape) == (mask == row.ClassId)).all()
