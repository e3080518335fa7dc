import json
from pathlib import Path

import numpy as np
import pytest

from steel_defect_detection import images, results
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.results import ResultsWriter
from steel_defect_detection.results import writer as writer_module
from tests.results.runs import CLASSES, clean, defect, failure, write


def test_the_mask_is_the_label_map_in_a_png(tmp_path):
    write(tmp_path, defect("a/roll.jpg"))
    mask = images.read(tmp_path / "masks/roll.png")
    assert (mask[..., 0] == defect("").label_map).all()


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
    monkeypatch.setattr(writer_module, "_MOST_WAITING", 0)
    write(tmp_path, defect("before.jpg"))
    paths = [Path("a.jpg"), Path("b.jpg")]
    writer = ResultsWriter(tmp_path, paths, CLASSES)
    writer.__enter__()
    assert results.read_images(tmp_path).file.tolist() == ["before.jpg"]
    writer.add(defect("a.jpg"))  # the first image is written at once, as if time had passed
    assert results.read_images(tmp_path).file.tolist() == ["a.jpg"]
    assert json.loads((tmp_path / "run.json").read_text())["counts"]["asked"] == 2


def test_results_of_other_images_are_left_alone(tmp_path):
    write(tmp_path, defect("old.jpg"))
    (tmp_path / "notes.txt").write_text("mine")
    write(tmp_path, defect("new.jpg"))
    assert (tmp_path / "masks/old.png").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_known_before_the_work(tmp_path):
    (tmp_path / "outputs").write_text("a file, not a folder")
    with (
        pytest.raises(ResultsError, match="outputs"),
        ResultsWriter(tmp_path / "outputs", [], CLASSES),
    ):
        pytest.fail("must not be reached")


def test_a_folder_that_is_moved_meanwhile_is_an_error(tmp_path):
    def run() -> None:
        paths = [Path("a.jpg"), Path("b.jpg")]
        with ResultsWriter(tmp_path / "results", paths, CLASSES) as writer:
            writer.add(defect("a.jpg"))
            (tmp_path / "results").rename(tmp_path / "elsewhere")
            writer.add(defect("b.jpg"))

    with pytest.raises(ResultsError, match="results was moved or removed while"):
        run()
    assert not (tmp_path / "results/images.csv").exists()


def test_a_file_that_cannot_be_written_is_an_error_and_keeps_the_rest(tmp_path):
    paths = [Path("a.jpg"), Path("b.jpg")]

    def run() -> None:
        with ResultsWriter(tmp_path, paths, CLASSES) as writer:
            (tmp_path / "masks" / "b.png").mkdir(parents=True)
            writer.add(clean("a.jpg"))
            writer.add(clean("b.jpg"))

    with pytest.raises(ResultsError, match=r"b\.png"):
        run()
    assert results.read_images(tmp_path).file.tolist() == ["a.jpg"]


@pytest.mark.parametrize(
    "name", ["masks/a.png", "overlays/a.png", "images.csv", "predictions.csv", "run.json"]
)
def test_what_no_run_has_written_is_left_alone(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(
        ResultsError,
        match=f"holds {name.split('/')[0]}, and (no run.json says|it is none of a run)",
    ):
        write(tmp_path, defect("a.jpg"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]
    assert (tmp_path / name).read_text() == "mine"


def test_images_may_lie_where_the_results_go(tmp_path):
    (tmp_path / "a.jpg").write_text("mine")
    write(tmp_path, defect("a.jpg"))
    write(tmp_path, clean("a.jpg"))
    assert (tmp_path / "a.jpg").read_text() == "mine"
