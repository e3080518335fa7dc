import json
import logging

import numpy as np
import pytest

from steel_defect_detection import images, predict_files, results
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import ImageError, ResultsError
from steel_defect_detection.predictors.segmenter import SegmenterPredictor
from tests.predictors.conftest import FixedRuntime


@pytest.fixture
def predictor():
    """Outlines the left half of every image."""
    probabilities = np.zeros((2, 32, 40), dtype=np.float32)
    probabilities[1, :, :20] = 0.9
    runtime = FixedRuntime(probabilities=probabilities)
    return SegmenterPredictor(("pit", "scratch"), Thresholds.default(2), segmenter=runtime)


@pytest.fixture
def paths(tmp_path):
    """Three strips, the second of which is no image."""
    found = [tmp_path / "strips" / f"{name}.png" for name in "abc"]
    for path in found:
        images.write(path, np.full((32, 40, 3), 90, dtype=np.uint8))
    found[1].write_bytes(b"no image")
    return found


def test_files_become_masks_overlays_and_tables(predictor, paths, tmp_path, capsys):
    output = tmp_path / "results"
    assert predict_files(predictor, paths, output) == {
        "images": 3,
        "defect": 2,
        "clean": 0,
        "unfamiliar": 0,
        "error": 1,
    }
    table = results.read_images(output)
    assert table.file.tolist() == [str(path) for path in paths]
    assert table.area_scratch.tolist()[::2] == [640, 640]
    assert (images.read(output / "masks/a.png")[:, :20] == 2).all()
    assert (output / "overlays/c.png").is_file()
    # A library prints nothing.
    assert capsys.readouterr() == ("", "")


def test_what_went_wrong_is_said_to_the_logger(predictor, paths, tmp_path, caplog):
    caplog.set_level(logging.INFO, "steel_defect_detection")
    predict_files(predictor, [str(path) for path in paths], tmp_path / "results")
    (record,) = caplog.records
    assert "b.png is not an image" in record.getMessage()


def test_without_overlays_none_are_drawn(predictor, paths, tmp_path):
    predict_files(predictor, paths, tmp_path / "results", overlays=False)
    assert not (tmp_path / "results/overlays").exists()


def test_a_run_that_was_stopped_goes_on(predictor, paths, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "steel_defect_detection")
    output = tmp_path / "results"
    add = results.ResultsWriter.add

    def interrupt(writer, prediction):
        add(writer, prediction)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(results.ResultsWriter, "add", interrupt)
        with pytest.raises(KeyboardInterrupt):
            predict_files(predictor, paths, output)
    assert f"1 of 3 images are done, and their results in {output} complete" in caplog.text
    before = (output / "masks/a.png").stat().st_mtime_ns
    counts = predict_files(predictor, paths, output, resume=True)
    assert counts == {"images": 3, "defect": 2, "clean": 0, "unfamiliar": 0, "error": 1}
    assert (output / "masks/a.png").stat().st_mtime_ns == before


def test_other_overlays_are_not_resumed(predictor, paths, tmp_path):
    predict_files(predictor, paths, tmp_path / "results", overlays=False)
    with pytest.raises(ResultsError, match="other outlines, overlays or probabilities"):
        predict_files(predictor, paths, tmp_path / "results", resume=True)


def test_the_record_tells_the_caller_s_words_beside_ours(predictor, paths, tmp_path):
    predict_files(predictor, paths, tmp_path / "results", record={"line": 3})
    found = json.loads((tmp_path / "results/run.json").read_text())
    assert found["line"] == 3
    assert found["counts"] == {"images": 3, "asked": 3, "defect": 2, "error": 1}
    assert found["runtimes"] == {"segmenter": "fixed"}
    assert found["thresholds"] == predictor.thresholds.model_dump(mode="json")


def test_the_record_tells_what_a_loaded_predictor_was_made_of(paths, tmp_path):
    from steel_defect_detection import checkpoints, load_predictor

    predictor = load_predictor(runtime="pytorch", fill_holes=True, device="cpu")
    predict_files(predictor, paths[:1], tmp_path / "results")
    found = json.loads((tmp_path / "results/run.json").read_text())
    assert found["model"] == {
        "name": "strip",
        "gate": None,
        "sha256": checkpoints.load("strip").sha256,
        "architecture": "cascade",
    }
    assert found["asked"] == {"runtime": "pytorch", "precision": "auto", "device": "cpu"}
    assert found["options"] == {
        "overlays": True,
        "fill_holes": True,
        "probabilities": False,
        "on_unfamiliar": "unfamiliar",
    }


def test_one_path_is_no_list_of_paths(predictor, tmp_path):
    with pytest.raises(ImageError, match="expected many paths, got one: 'strips'"):
        predict_files(predictor, "strips", tmp_path)
