"""The command that compares variants."""

import json
from functools import partial

import pytest

from steel_defect_detection.cli.experiment import main
from steel_defect_detection.experiments import reading, single
from tests.cli.calling import call
from tests.experiments.small_studies import draw_classes, study

run = partial(call, main)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rates.json"
    path.write_text(study(runs=1).model_dump_json())
    return path


@pytest.fixture
def data(tmp_path):
    return draw_classes(tmp_path / "data", count=8)


def test_a_study_is_trained_and_its_table_printed(file, data, tmp_path):
    home = tmp_path / "study"
    result = run(file, "--data", data, "--output", home, "--set", "epochs=1")
    assert result.stdout.startswith("# rates\n")
    assert "| learning_rate=0.01 | 1 |" in result.stdout
    assert "1 of 2: learning_rate=0.001, run 1" in result.stderr
    assert f"curves.csv and pictures are in {home}" in result.stderr
    again = run(file, "--data", data, "--output", home, "--set", "epochs=1", "--json")
    assert "2 of 2 runs are finished already" in again.stderr
    found = json.loads(again.stdout)
    assert [row["learning_rate"] for row in found["variants"]] == ["0.001", "0.01"]
    assert "std" not in found["variants"][0]["measures"]["classes.accuracy"]
    other = run(file, "--data", data, "--output", home, exit_status=1)
    assert "base.epochs was 1 and is 2" in other.stderr
    assert other.stderr.count("\n") == 1


def test_the_default_folder_bears_the_name_of_the_study(file, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(file, "--data", data, "--set", "epochs=1", "--runs", "1")
    assert (tmp_path / "experiments" / "rates" / "table.csv").is_file()


def test_the_studies_are_listed():
    listed = run("--list").stdout
    assert all(name in listed for name in reading.names())


@pytest.mark.parametrize("name", reading.names())
def test_each_study_that_comes_along_can_be_looked_at(name):
    count = len(run(name, "--dry-run", "--set", "epochs=1").stdout.splitlines()) - 2
    assert f"{count} variants" in run(name, "--dry-run").stdout


def test_options_change_the_study(file):
    words = ["--runs", 7, "--part", "test", "--folds", 3]
    words += ["--set", "size=64,96", "--set", "flips=false", "--set", "fraction=0.5"]
    words += ["--set", "dropout=none", "--set", "batch-size=2", "--set", "synthetic_way=draw"]
    printed = json.loads(run(file, "--print-study", *words).stdout)
    assert (printed["runs"], printed["part"], printed["folds"]) == (7, "test", 3)
    assert printed["base"]["size"] == [64, 96]
    assert printed["base"]["flips"] is False
    assert printed["base"]["fraction"] == 0.5
    assert printed["base"]["dropout"] is None
    assert printed["base"]["batch_size"] == 2
    assert printed["base"]["synthetic_way"] == "draw"


def test_a_measure_that_does_not_exist_is_found_before_anything_is_trained(file):
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "measures": ["outlines.mio"]}))
    result = run(file, "--dry-run", exit_status=1)
    assert result.stderr == (
        "sdd-experiment: there is no measure 'outlines.mio'. Did you mean 'outlines.miou'?\n"
    )


def test_images_are_counted_before_anything_is_trained(file, data):
    result = run(file, "--data", data, "--dry-run")
    assert "real images" in result.stdout
    assert result.stdout.splitlines()[-1] == "2 variants, 2 trainings"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prints-9", "--dry-run"], "'prints-9' is neither a study nor a readable file. Did you"),
        (["FILE", "--dry-run", "--set", "epoch=1"], "unknown setting 'epoch'. Did you mean"),
        (["FILE", "--dry-run", "--set", "learning_rate=1"], "learning_rate is what the study"),
        (["FILE", "--dry-run", "--set", "epochs=0"], "epochs should be greater than or equal"),
        (["FILE", "--data", "nowhere"], "there is no folder 'nowhere'"),
        (["FILE", "--data", "DATA", "--resume"], "resume: there is no study in experiments/rates"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_1(words, said, file, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = {"FILE": file, "DATA": data}
    result = run(*(places.get(word, word) for word in words), exit_status=1)
    assert result.stderr.startswith("sdd-experiment: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["prints-1"],
        ["prints-1", "--set", "epochs"],
        ["prints-1", "--set", "epochs=many"],
        ["prints-1", "--set", "epochs=1", "--set", "epochs=2", "--data", "x"],
        ["prints-1", "--resume", "--overwrite", "--data", "x"],
        ["prints-1", "--runs", "0"],
    ],
)
def test_wrong_usage_has_status_2(words):
    run(*words, exit_status=2)


def test_a_failed_run_has_status_3_and_is_named(file, data, tmp_path):
    home = tmp_path / "study"
    content = json.loads(file.read_text())
    content["axes"] = {"monitor": ["validation_accuracy", "validation_miou"]}
    content["base"]["epochs"] = 1
    file.write_text(json.dumps(content))
    result = run(file, "--data", data, "--output", home, exit_status=3)
    assert (
        "monitor=validation_miou, run 1 failed: monitor 'validation_miou' is not" in result.stderr
    )
    assert "1 run failed; the same command tries again" in result.stderr
    assert "* monitor=validation_miou, run 1: monitor" in result.stdout


def test_nothing_but_failures_has_status_1(file, data, tmp_path):
    words = ["--set", "monitor=validation_miou", "--output", tmp_path / "study"]
    run(file, "--data", data, *words, exit_status=1)


def test_an_interrupted_study_says_how_to_go_on(file, data, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(single, "train_and_measure", interrupted)
    home = tmp_path / "study"
    result = run(file, "--data", data, "--output", home, "--overwrite", exit_status=130)
    assert "interrupted; the same command without --overwrite goes on" in result.stderr
