import pytest

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.report import folders
from tests.report import folders_of

EXPECTED = (
    r"expected results of sdd-predict \(images\.csv, run\.json\), of sdd-evaluate or sdd-calibrate "
    r"--output \(evaluation\.json, calibration\.json\), or a run of sdd-train \(config\.json, "
    r"metrics\.json\)"
)


def kinds(folder):
    return [(found.folder.name, found.kind) for found in folders.recognise(folder)]


def test_each_kind_is_recognised(tmp_path):
    folders_of.results(tmp_path / "outputs", folders_of.prediction("a.png"))
    folders_of.evaluation(tmp_path / "measured")
    folders_of.run(tmp_path / "mine")
    assert kinds(tmp_path / "outputs") == [("outputs", "results")]
    assert kinds(tmp_path / "measured") == [("measured", "evaluation")]
    assert kinds(tmp_path / "mine") == [("mine", "run")]
    folders_of.calibration(tmp_path / "calibrated")
    assert kinds(tmp_path / "calibrated") == [("calibrated", "calibration")]


def test_several_runs_follow_their_folder_by_number(tmp_path):
    for number in (10, 9, 1):
        folders_of.run(tmp_path / f"fold-{number}")
    found = [name for name, _ in kinds(tmp_path)]
    assert found == [tmp_path.name, "fold-1", "fold-9", "fold-10"]
    assert [kind for _, kind in kinds(tmp_path)] == ["runs", "run", "run", "run"]


def test_a_run_that_is_interrupted_is_a_run(tmp_path):
    folders_of.run(tmp_path / "mine", finished=False)
    assert kinds(tmp_path / "mine") == [("mine", "run")]


def test_an_evaluation_that_took_the_place_of_results_is_one(tmp_path):
    folders_of.results(tmp_path / "outputs", folders_of.prediction("a.png"))
    (tmp_path / "outputs/evaluation.json").write_text("{}")
    (tmp_path / "outputs/images.csv").write_text("image,right\n")
    assert kinds(tmp_path / "outputs") == [("outputs", "evaluation")]


def test_a_folder_of_something_else_is_told_what_was_expected(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "epochs.csv").write_text("epoch\n")
    with pytest.raises(ResultsError, match=f"^nothing to report in '.*': {EXPECTED}$"):
        folders.recognise(tmp_path)
    with pytest.raises(ResultsError, match=f"config.json' is no folder: {EXPECTED}$"):
        folders.recognise(tmp_path / "config.json")
    with pytest.raises(ResultsError, match=f"nowhere' does not exist: {EXPECTED}$"):
        folders.recognise(tmp_path / "nowhere")
