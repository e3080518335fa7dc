import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection import images, results, rle
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.prediction import Prediction, Times
from steel_defect_detection.results import Names, ResultsWriter, name_all

CLASSES = ("scratch", "patch")


def defect(source: str, *, image=None) -> Prediction:
    label_map = np.zeros((20, 30), dtype=np.uint8)
    label_map[2:6, 3:9] = 2
    label_map[10:12, 3:9] = 1
    return Prediction(
        source=source,
        classes=CLASSES,
        verdict="defect",
        scores=np.array([0.25, 0.75], dtype=np.float32),
        label_map=label_map,
        gate_probability=0.9,
        times=Times(decode_ms=1.5, gate_ms=2.25),
        image=image,
    )


def clean(source: str) -> Prediction:
    return Prediction(
        source=source,
        classes=CLASSES,
        verdict="clean",
        scores=np.zeros(2, dtype=np.float32),
        label_map=np.zeros((20, 30), dtype=np.uint8),
    )


def failure(source: str) -> Prediction:
    return Prediction(source=source, classes=CLASSES, verdict="error", error=f"{source} is broken")


def write(output: Path, *predictions: Prediction) -> None:
    paths = [Path(prediction.source) for prediction in predictions]
    with ResultsWriter(output, paths, CLASSES) as writer:
        for prediction in predictions:
            writer.add(prediction)


def test_the_mask_is_the_label_map_in_a_png(tmp_path):
    write(tmp_path, defect("a/roll.jpg"))
    mask = images.read(tmp_path / "masks/roll.png")
    assert (mask[..., 0] == defect("").label_map).all()


def test_runs_decode_to_the_pixels_of_the_mask(tmp_path):
    write(tmp_path, defect("roll.jpg"), clean("sheet.jpg"))
    table = results.read_predictions(tmp_path)
    assert table[["ImageId", "ClassId"]].values.tolist() == [["roll.jpg", 1], ["roll.jpg", 2]]
    mask = images.read(tmp_path / "masks/roll.png")[..., 0]
    for _, row in table.iterrows():
        assert (rle.decode(row.EncodedPixels, mask.shape) == (mask == row.ClassId)).all()


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


def test_overlays_are_drawn_when_the_image_is_kept(tmp_path):
    image = np.full((20, 30, 3), 90, dtype=np.uint8)
    write(tmp_path, defect("roll.jpg", image=image))
    assert images.read(tmp_path / "overlays/roll.png").shape == image.shape
    assert (images.read(tmp_path / "overlays/roll.png") != image).any()


def test_probabilities_are_written_when_they_are_kept(tmp_path):
    values = np.random.default_rng(0).random((2, 20, 30), dtype=np.float32)
    prediction = Prediction(
        source="roll.jpg", classes=CLASSES, verdict="clean", probabilities=values
    )
    write(tmp_path, prediction)
    with np.load(tmp_path / "probabilities/roll.npz") as content:
        assert np.array_equal(content["probabilities"], values)


def test_run_json_counts_the_verdicts(tmp_path):
    write(tmp_path, defect("a.jpg"), clean("b.jpg"), clean("c.jpg"), failure("d.jpg"))
    counts = json.loads((tmp_path / "run.json").read_text())["counts"]
    assert counts == {"images": 4, "asked": 4, "defect": 1, "clean": 2, "error": 1}


def test_an_interrupted_run_keeps_what_is_complete(tmp_path):
    paths = [Path("a.jpg"), Path("b.jpg")]

    def run() -> None:
        with ResultsWriter(tmp_path, paths, CLASSES) as writer:
            writer.add(defect("a.jpg"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert results.read_images(tmp_path).file.tolist() == ["a.jpg"]
    assert json.loads((tmp_path / "run.json").read_text())["counts"]["asked"] == 2


def test_a_run_that_is_killed_leaves_what_was_written_last(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "_MOST_WAITING", 0)
    write(tmp_path, defect("before.jpg"))
    paths = [Path("a.jpg"), Path("b.jpg")]
    writer = ResultsWriter(tmp_path, paths, CLASSES)
    writer.__enter__()
    assert results.read_images(tmp_path).file.tolist() == ["before.jpg"]
    writer.add(defect("a.jpg"))  # the first image is written at once, as if time had passed
    assert results.read_images(tmp_path).file.tolist() == ["a.jpg"]
    assert json.loads((tmp_path / "run.json").read_text())["counts"]["asked"] == 2


def test_names_that_are_no_text_do_not_break_the_tables(tmp_path):
    write(tmp_path, defect(os.fsdecode(b"caf\xe9.png")), failure(os.fsdecode(b"\xff.png")))
    assert results.read_images(tmp_path).file.tolist() == ["caf\\udce9.png", "\\udcff.png"]
    assert set(results.read_predictions(tmp_path).ImageId) == {"caf\\udce9.png"}


def test_very_long_names_are_cut_and_stay_apart(tmp_path):
    write(tmp_path, *(defect("x" * 240 + f"{number}.png") for number in range(3)))
    assert len(list((tmp_path / "masks").iterdir())) == 3


def test_results_of_other_images_are_left_alone(tmp_path):
    write(tmp_path, defect("old.jpg"))
    (tmp_path / "notes.txt").write_text("mine")
    write(tmp_path, defect("new.jpg"))
    assert (tmp_path / "masks/old.png").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_names_that_look_like_numbers_stay_texts(tmp_path):
    write(tmp_path, defect("001"), defect("NA"))
    assert results.read_images(tmp_path).file.tolist() == ["001", "NA"]
    assert results.read_predictions(tmp_path).ImageId.tolist() == ["001", "001", "NA", "NA"]


def test_inputs_of_one_stem_get_names_of_their_own():
    names = name_all([Path("roll.png"), Path("roll.jpg"), Path("Roll.bmp"), Path("roll-2.png")])
    assert names == [
        Names("roll.png", "roll"),
        Names("roll.jpg", "roll-2"),
        Names("Roll.bmp", "Roll-3"),
        Names("roll-2.png", "roll-2-2"),
    ]


def test_file_names_that_repeat_are_told_apart_by_their_folders():
    names = name_all([Path("x/a/roll.png"), Path("x/b/roll.png"), Path("x/c/sheet.png")])
    assert names == [
        Names("a/roll.png", "roll"),
        Names("b/roll.png", "roll-2"),
        Names("sheet.png", "sheet"),
    ]


@given(
    st.lists(
        st.from_regex(r"(?:[ab]/)?[ab](?:-2){0,2}\.(?:png|jpg)", fullmatch=True),
        max_size=12,
        unique=True,
    )
)
def test_no_result_ever_overwrites_another(paths):
    names = name_all([Path(path) for path in paths])
    assert len({name.stem.casefold() for name in names}) == len(paths)
    assert len({name.image_id for name in names}) == len(paths)


def test_a_folder_that_cannot_be_written_is_known_before_the_work(tmp_path):
    (tmp_path / "outputs").write_text("a file, not a folder")
    with (
        pytest.raises(ResultsError, match="outputs"),
        ResultsWriter(tmp_path / "outputs", [], CLASSES),
    ):
        pytest.fail("must not be reached")


def test_a_folder_without_results_says_so(tmp_path):
    with pytest.raises(ResultsError, match=re.escape("images.csv cannot be read")):
        results.read_images(tmp_path)


def test_another_table_is_no_results(tmp_path):
    (tmp_path / "images.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ResultsError, match="the column 'file' is missing"):
        results.read_images(tmp_path)


def resumed(folder, paths, **settings) -> ResultsWriter:
    return ResultsWriter(folder, [Path(path) for path in paths], CLASSES, resume=True, **settings)


def test_an_interrupted_run_goes_on_and_ends_like_one_that_was_not(tmp_path):
    everything = [defect("a.jpg"), failure("b.jpg"), clean("c.jpg"), defect("d.jpg")]
    write(tmp_path / "whole", *everything)
    paths = [prediction.source for prediction in everything]

    def first_three() -> None:
        with ResultsWriter(tmp_path / "half", [Path(path) for path in paths], CLASSES) as writer:
            for prediction in everything[:3]:
                writer.add(prediction)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first_three()
    with resumed(tmp_path / "half", paths) as writer:
        # What was an error may have been mended.
        assert writer.missing == [Path("b.jpg"), Path("d.jpg")]
        writer.add(everything[1])
        writer.add(everything[3])
    for table in ("images.csv", "predictions.csv", "run.json"):
        half, whole = (tmp_path / name / table for name in ("half", "whole"))
        assert half.read_bytes() == whole.read_bytes()


def test_images_that_were_added_since_take_their_place_in_the_order(tmp_path):
    write(tmp_path, defect("a.jpg"), clean("c.jpg"))
    with resumed(tmp_path, ["a.jpg", "b.jpg", "c.jpg"]) as writer:
        assert writer.missing == [Path("b.jpg")]
        writer.add(defect("b.jpg"))
    assert results.read_images(tmp_path).file.tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert results.read_predictions(tmp_path).ImageId.unique().tolist() == ["a.jpg", "b.jpg"]


def test_a_mask_whose_name_now_belongs_to_another_image_is_made_again(tmp_path):
    write(tmp_path, defect("x/roll.jpg"))
    with resumed(tmp_path, ["w/roll.jpg", "x/roll.jpg"]) as writer:
        assert writer.missing == [Path("w/roll.jpg"), Path("x/roll.jpg")]


def test_nothing_to_resume_is_a_run_from_the_start(tmp_path):
    with resumed(tmp_path / "new", ["a.jpg"]) as writer:
        assert writer.missing == [Path("a.jpg")]


def test_a_row_that_was_cut_short_was_not_finished(tmp_path):
    write(tmp_path, defect("a.jpg"), clean("b.jpg"))
    table = tmp_path / "images.csv"
    table.write_bytes(table.read_bytes()[:-20])
    assert resumed(tmp_path, ["a.jpg", "b.jpg"]).missing == [Path("b.jpg")]


@pytest.mark.parametrize("name", ["model", "thresholds"])
def test_results_of_another_model_are_not_resumed(tmp_path, name):
    with ResultsWriter(tmp_path, [Path("a.jpg")], CLASSES, run={name: {"gate": (1, 2)}}) as writer:
        writer.add(clean("a.jpg"))
    resumed(tmp_path, ["a.jpg"], run={name: {"gate": (1, 2)}})
    with pytest.raises(ResultsError, match=f"it holds results of .*{name}. Take another"):
        resumed(tmp_path, ["a.jpg"], run={name: {"gate": (1, 3)}})


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", "{"),
        ("run.json", "[]"),
        ("images.csv", ""),
        ("images.csv", "a,b\n"),
    ],
)
def test_damaged_tables_are_not_resumed(tmp_path, file, content):
    write(tmp_path, defect("a.jpg"))
    (tmp_path / file).write_text(content)
    with pytest.raises(ResultsError, match="cannot be resumed"):
        resumed(tmp_path, ["a.jpg"])


def test_a_file_that_cannot_be_written_is_an_error_and_keeps_the_rest(tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "b.png").mkdir()
    paths = [Path("a.jpg"), Path("b.jpg")]

    def run() -> None:
        with ResultsWriter(tmp_path, paths, CLASSES) as writer:
            writer.add(clean("a.jpg"))
            writer.add(clean("b.jpg"))

    with pytest.raises(ResultsError, match=r"b\.png"):
        run()
    assert results.read_images(tmp_path).file.tolist() == ["a.jpg"]
