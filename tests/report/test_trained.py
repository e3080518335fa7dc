import json
import statistics

import pytest

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.report import trained
from steel_defect_detection.report.blocks import Gallery, Note, Table
from tests.report import folders_of


def parts(section):
    return {part.title: part for part in section.parts}


def tables(part):
    return [block for block in part.blocks if isinstance(block, Table)]


def test_a_run_is_told(tmp_path):
    section = trained.section(folders_of.run(tmp_path / "mine"))
    found = parts(section)
    assert tables(found["Measures"])[0].rows == [["validation f1", "0.75"], ["epoch", "2"]]
    epochs, settings = tables(found["Epochs and settings"])
    assert epochs.rows == [["1", "0.5"], ["2", "0.25"]]
    assert settings.rows == [["encoder", "resnet18"], ["seed", "0"]]
    assert tables(found["Images"])[0].rows == [["train", "2"], ["validation", "1"]]
    gallery = next(block for block in found["Pictures"].blocks if isinstance(block, Gallery))
    assert [shown.picture.width for shown in gallery.shown] == [64, 64]
    assert "Model card" in found
    assert section.facts["finished"] is True
    assert section.problems == []


def test_both_networks_of_a_cascade_are_told(tmp_path):
    folder = folders_of.run(tmp_path / "mine")
    folders_of.run(folder / "gate")
    titles = list(parts(trained.section(folder)))
    assert "Pictures of the gate" in titles
    assert "Epochs and settings of the gate" in titles


def test_a_run_that_is_not_finished_says_so(tmp_path):
    found = parts(trained.section(folders_of.run(tmp_path / "mine", finished=False)))
    (note,) = (block for block in found["Measures"].blocks if isinstance(block, Note))
    assert note.text == "The run is not finished: there is no metrics.json."


def test_a_model_of_somebody_else_is_a_problem(tmp_path):
    folder = folders_of.run(tmp_path / "mine")
    folders_of.foreign_tensors(folder / "model.safetensors")
    section = trained.section(folder)
    assert "Model card" not in parts(section)
    ((_, problem),) = section.problems
    assert "was not written by steel-defect-detection" in problem


def test_runs_that_differ_by_chance_have_mean_and_deviation(tmp_path):
    values = [0.5, 0.75, 0.875]
    runs = [
        folders_of.run(tmp_path / f"run-{seed}", f1=f1, seed=seed) for seed, f1 in enumerate(values)
    ]
    found = parts(trained.comparison(runs))
    (table,) = tables(found["Measures"])
    titles = [column.title for column in table.columns]
    assert titles == ["measure", "run-0", "run-1", "run-2", "mean", "standard deviation"]
    shown = table.rows[0]
    assert [float(cell) for cell in shown[1:4]] == values
    assert float(shown[4]) == pytest.approx(statistics.mean(values), abs=5e-5)
    assert float(shown[5]) == pytest.approx(statistics.stdev(values), abs=5e-5)
    assert tables(found["Settings that differ"])[0].rows == [["seed", "0", "1", "2"]]


def test_runs_of_other_settings_have_no_mean(tmp_path):
    one, two = (folders_of.run(tmp_path / name / "same") for name in "ab")
    (two / "config.json").write_text(json.dumps({"encoder": "vgg16", "seed": 0}))
    found = parts(trained.comparison([one, two]))
    titles = [column.title for column in tables(found["Measures"])[0].columns]
    assert titles == ["measure", str(one), str(two)]
    assert tables(found["Settings that differ"])[0].rows == [["encoder", "resnet18", "vgg16"]]


def test_several_runs_are_told_as_they_were_summed_up(tmp_path):
    spread = {"validation_f1": {"mean": 0.625, "std": 0.125}}
    (tmp_path / "runs.json").write_text(json.dumps({"runs": 2, "measures": spread}))
    (table,) = tables(parts(trained.several(tmp_path))["Measures"])
    assert table.caption == "Mean and standard deviation of 2 runs"
    assert table.rows == [["validation f1", "0.625", "0.125"]]


def test_folds_without_a_summary_say_so(tmp_path):
    (note,) = parts(trained.several(tmp_path))["Measures"].blocks
    assert note.text.startswith("There is no runs.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"metrics\.json cannot be read: .*\. Run sdd-train again"),
        ("[]", r"metrics\.json was not written by sdd-train: expected an object, got list"),
    ],
)
def test_broken_files_are_told(tmp_path, content, message):
    folder = folders_of.run(tmp_path / "mine")
    (folder / "metrics.json").write_text(content)
    with pytest.raises(ResultsError, match=message):
        trained.section(folder)
