"""Studies from settings to tables, and what becomes of them when something goes wrong."""

import csv
import json

import pytest

from steel_defect_detection.errors import ConfigError, TrainingError
from steel_defect_detection.experiments import records, run, single
from steel_defect_detection.experiments.grid import variants
from steel_defect_detection.experiments.run import run as run_study
from steel_defect_detection.training.callbacks import Progress
from tests.conftest import draw_sheets
from tests.experiments.small_studies import TINY, draw_classes, record, study


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_classes(tmp_path_factory.mktemp("data"))


@pytest.fixture
def trained(monkeypatch):
    """Names and numbers of the runs that were trained; none really is."""
    asked = []

    def train_and_measure(variant, number, images, home, *, explain):
        asked.append((variant.name, number))
        found = record(variant.name, number, classes__accuracy=0.5 + 0.1 * number)
        place = records.place(home, variant, number)
        records.write(place, found)
        (place / "epochs.csv").write_text("epoch,train_loss\n1,0.5\n")
        return found

    monkeypatch.setattr(single, "train_and_measure", train_and_measure)
    return asked


NAMES = [variant.name for variant in variants(study())]


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.thorough
def test_a_study_ends_in_tables_and_pictures(data, tmp_path):
    home = tmp_path / "study"
    outcome = run_study(study(base=TINY | {"epochs": 1}), data, home)
    assert not outcome.failures
    assert [row.runs for row in outcome.rows] == [2, 2]
    assert outcome.measures == ("classes.f1_macro", "classes.accuracy")
    written = rows(home / "runs.csv")
    assert [(row["variant"], row["run"], row["seed"]) for row in written] == [
        (name, run, seed) for name in NAMES for run, seed in (("1", "0"), ("2", "1"))
    ]
    assert {row["epoch"] for row in rows(home / "curves.csv")} == {"1"}
    assert (home / "curves-validation_accuracy.png").is_file()
    assert "# rates" in (home / "table.md").read_text(encoding="utf-8")
    splits = {(place / "split.csv").read_text() for place in home.glob("runs/*/run-*")}
    assert len(splits) == 1


def test_all_variants_are_trained_once_before_any_is_a_second_time(data, tmp_path, trained):
    run_study(study(), data, tmp_path / "study")
    assert trained == [(name, number) for number in (1, 2) for name in NAMES]


def test_what_is_finished_is_not_trained_again(data, tmp_path, trained):
    for runs in (2, 2, 3):
        outcome = run_study(study(runs=runs), data, tmp_path / "study")
    assert trained[4:] == [(name, 3) for name in NAMES]
    assert [row.runs for row in outcome.rows] == [3, 3]


def test_to_begin_anew_trains_again(data, tmp_path, trained):
    run_study(study(), data, tmp_path / "study")
    run_study(study(base=TINY | {"epochs": 7}), data, tmp_path / "study", overwrite=True)
    assert len(trained) == 8


def test_another_study_is_refused_before_anything_is_trained(data, tmp_path, trained):
    run_study(study(), data, tmp_path / "study")
    with pytest.raises(ConfigError, match=r"base.epochs was 2 and is 7"):
        run_study(study(base=TINY | {"epochs": 7}), data, tmp_path / "study")
    assert len(trained) == 4


def test_an_interrupted_study_leaves_its_tables_and_goes_on(data, tmp_path, trained, monkeypatch):
    stub = single.train_and_measure

    def interrupted(variant, number, *others, **how):
        if (variant.name, number) == (NAMES[1], 1):
            raise KeyboardInterrupt
        return stub(variant, number, *others, **how)

    with monkeypatch.context() as patch:
        patch.setattr(single, "train_and_measure", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_study(study(), data, tmp_path / "study")
    assert [row["variant"] for row in rows(tmp_path / "study" / "runs.csv")] == [NAMES[0]]
    run_study(study(), data, tmp_path / "study", resume=True)
    assert trained == [(NAMES[0], 1), (NAMES[1], 1), (NAMES[0], 2), (NAMES[1], 2)]


@pytest.mark.thorough
def test_an_interrupted_training_goes_on_from_its_last_epoch(data, tmp_path, monkeypatch):
    begin, begun = Progress.on_train_epoch_start, []

    def interrupted(self, trainer, pl_module):
        begun.append(trainer.current_epoch)
        if begun == [0, 1]:
            raise KeyboardInterrupt
        begin(self, trainer, pl_module)

    monkeypatch.setattr(Progress, "on_train_epoch_start", interrupted)
    one = study(axes={"learning_rate": [0.01]}, runs=1)
    with pytest.raises(KeyboardInterrupt):
        run_study(one, data, tmp_path / "study")
    outcome = run_study(one, data, tmp_path / "study")
    # The second epoch alone is trained after the interruption.
    assert begun == [0, 1, 1]
    assert outcome.records[0].seconds is None
    straight = run_study(one, data, tmp_path / "straight")
    assert outcome.records[0].measures == straight.records[0].measures


@pytest.mark.parametrize("error", [TrainingError("the loss is not finite"), ZeroDivisionError("x")])
def test_one_run_that_fails_does_not_stop_the_others(data, tmp_path, trained, monkeypatch, error):
    stub = single.train_and_measure

    def failing(variant, number, *others, **how):
        if variant.name == NAMES[0]:
            raise error
        return stub(variant, number, *others, **how)

    with monkeypatch.context() as patch:
        patch.setattr(single, "train_and_measure", failing)
        outcome = run_study(study(), data, tmp_path / "study")
    assert [(row.runs, row.failed) for row in outcome.rows] == [(0, 2), (2, 0)]
    assert str(error) in outcome.failures[NAMES[0], 1]
    written = rows(tmp_path / "study" / "runs.csv")
    assert [bool(row["error"]) for row in written] == [True, True, False, False]
    # What has failed is tried again, and only that.
    trained.clear()
    outcome = run_study(study(), data, tmp_path / "study")
    assert trained == [(NAMES[0], 1), (NAMES[0], 2)]
    assert not outcome.failures
    assert not list((tmp_path / "study").rglob("error.txt"))


def test_a_variant_that_cannot_be_trained_on_these_images_is_a_failure(data, tmp_path):
    axes = {"monitor": ["validation_accuracy", "validation_miou"]}
    outcome = run_study(study(axes=axes, runs=1, base=TINY | {"epochs": 1}), data, tmp_path / "s")
    assert [row.runs for row in outcome.rows] == [1, 0]
    (reason,) = outcome.failures.values()
    assert reason.startswith("monitor 'validation_miou' is not measured here")


def test_an_unknown_measure_is_refused_before_anything_is_trained(data, tmp_path, trained):
    with pytest.raises(ConfigError, match=r"there is no measure 'classes.iou'"):
        run_study(study(measures=["classes.iou"]), data, tmp_path / "study")
    assert not trained


@pytest.mark.thorough
def test_outlines_of_a_cascade_and_of_one_network_are_measured_alike(tmp_path):
    small = {"encoder": "mobilenet_v2", "workers": 0, "precision": "float32", "device": "cpu"}
    small |= {"epochs": 1, "size": [32, 32], "crop_size": None, "class_weights": []}
    small |= {"crops_per_image": 1, "validation_share": 0.5}
    axes = {"heads": {"one": {"preset": "strip-linknet"}, "two": {"preset": "strip"}}}
    outcome = run_study(
        study(base=small, axes=axes, runs=1), draw_sheets(tmp_path / "data"), tmp_path / "study"
    )
    assert not outcome.failures
    assert set(outcome.measures) == {
        "any_defect.auroc",
        "any_defect.accuracy",
        "outlines.dice_on_defects",
        "outlines.iou_on_defects",
    }
    measured = {row["measure"] for row in rows(tmp_path / "study" / "curves.csv")}
    assert {"validation_loss", "gate.validation_loss", "segmenter.validation_loss"} <= measured
    assert json.loads((tmp_path / "study" / "variants.json").read_text())["two"]["settings"]["gate"]


def test_the_module_says_what_it_leaves(data, tmp_path, trained):
    run_study(study(), data, tmp_path / "study")
    for path in (tmp_path / "study").iterdir():
        assert path.name in run.__doc__ or path.name.startswith("curves-")
