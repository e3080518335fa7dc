from pathlib import Path

import pytest

from steel_defect_detection import files, results
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.results import ResultsWriter
from tests.results.runs import CLASSES, clean, defect, failure, write


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


def test_a_mask_that_is_gone_is_made_again(tmp_path):
    write(tmp_path, defect("a.jpg"), defect("b.jpg"), failure("c.jpg"))
    (tmp_path / "masks/a.png").unlink()
    with resumed(tmp_path, ["a.jpg", "b.jpg", "c.jpg"]) as writer:
        assert writer.missing == [Path("a.jpg"), Path("c.jpg")]
        writer.add(defect("a.jpg"))
        writer.add(failure("c.jpg"))
    assert (tmp_path / "masks/a.png").is_file()


def test_a_mask_whose_name_now_belongs_to_another_image_is_made_again(tmp_path):
    write(tmp_path, defect("x/roll.jpg"))
    with resumed(tmp_path, ["w/roll.jpg", "x/roll.jpg"]) as writer:
        assert writer.missing == [Path("w/roll.jpg"), Path("x/roll.jpg")]


def test_an_image_whose_id_changed_keeps_its_runs(tmp_path):
    write(tmp_path, defect("x/roll.jpg"), clean("x/other.jpg"))
    with resumed(tmp_path, ["x/roll.jpg", "x/other.jpg", "y/roll.jpg"]) as writer:
        assert writer.missing == [Path("x/roll.jpg"), Path("y/roll.jpg")]
        writer.add(defect("x/roll.jpg"))
        writer.add(clean("y/roll.jpg"))
    found = results.read_predictions(tmp_path)
    assert found.ImageId.tolist() == ["x/roll.jpg", "x/roll.jpg"]


def test_nothing_to_resume_is_a_run_from_the_start(tmp_path):
    with resumed(tmp_path / "new", ["a.jpg"]) as writer:
        assert writer.missing == [Path("a.jpg")]


def test_a_row_that_was_cut_short_was_not_finished(tmp_path):
    write(tmp_path, defect("a.jpg"), clean("b.jpg"))
    table = tmp_path / "images.csv"
    table.write_bytes(table.read_bytes()[:-20])
    assert resumed(tmp_path, ["a.jpg", "b.jpg"]).missing == [Path("b.jpg")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model", "another model"),
        ("thresholds", "other thresholds or least areas, or another --only-named"),
        ("options", "other outlines, .* or another --on-unfamiliar or --flips"),
    ],
)
def test_results_of_another_model_are_not_resumed(tmp_path, name, words):
    with ResultsWriter(tmp_path, [Path("a.jpg")], CLASSES, run={name: {"gate": (1, 2)}}) as writer:
        writer.add(clean("a.jpg"))
    resumed(tmp_path, ["a.jpg"], run={name: {"gate": (1, 2)}})
    with pytest.raises(ResultsError, match=f"it holds results of {words}. Take another"):
        resumed(tmp_path, ["a.jpg"], run={name: {"gate": (1, 3)}})


def test_a_run_that_is_killed_before_its_first_image_leaves_the_earlier_one_whole(tmp_path):
    with ResultsWriter(tmp_path, [Path("a.jpg")], CLASSES, run={"model": "X"}) as writer:
        writer.add(defect("a.jpg"))
    earlier = {path.name: path.read_bytes() for path in tmp_path.glob("*.*")}
    killed = ResultsWriter(tmp_path, [Path("a.jpg")], CLASSES, run={"model": "Y"})
    killed.__enter__()
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.*")} == earlier
    with pytest.raises(ResultsError, match="another model"):
        resumed(tmp_path, ["a.jpg"], run={"model": "Y"})


@pytest.mark.parametrize("survives", range(6))
def test_a_run_that_is_killed_between_two_files_is_not_taken_for_another(
    tmp_path, monkeypatch, survives
):
    with ResultsWriter(tmp_path, [Path("a.jpg")], CLASSES, run={"model": "X"}) as writer:
        writer.add(defect("a.jpg"))
    left = [survives]
    real = files.write_text

    def killed(path, text):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(path, text)

    second = ResultsWriter(tmp_path, [Path("a.jpg")], CLASSES, run={"model": "Y"})
    second.__enter__()
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            second.add(clean("a.jpg"))
    for model, verdict in (("X", "defect"), ("Y", "clean")):
        try:
            writer = resumed(tmp_path, ["a.jpg"], run={"model": model})
        except ResultsError:
            continue
        assert writer.missing or set(writer.counts) == {verdict}


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
