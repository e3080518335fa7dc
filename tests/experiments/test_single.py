"""One run of one variant, trained for seconds."""

import csv
import json

import pytest

from steel_defect_detection.datasets import layouts
from steel_defect_detection.errors import MissingExtraError
from steel_defect_detection.experiments import parts, records, single
from steel_defect_detection.experiments.grid import variants
from tests.experiments.small_studies import TINY, draw_classes, study


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return layouts.read(draw_classes(tmp_path_factory.mktemp("data")))


def dealt(data, **changes):
    asked = study(**changes)
    found = variants(asked)
    return found, parts.deal(asked, found[0].stages()[0], data)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A run on half of the images, measured on test images."""
    home = tmp_path_factory.mktemp("study")
    axes = {"fraction": [0.5, 1]}
    (variant, _), images = dealt(data, axes=axes, part="test", base=TINY | {"seed": 3})
    return home, variant, images, single.train_and_measure(variant, 2, images[1], home)


def test_a_run_says_what_it_has_come_to(finished):
    home, variant, images, record = finished
    assert records.read(home, variant, 2) == record
    assert record.seed == 4
    assert record.training_images == round(len(images[1].train) / 2)
    assert record.synthetic_images == 0
    assert record.epoch in {1, 2}
    assert record.seconds > 0
    assert 0 <= record.measures["classes.accuracy"] <= 1


def test_it_learned_from_its_share_and_was_measured_on_the_test_images(finished):
    home, variant, images, record = finished
    place = records.place(home, variant, 2)
    with (place / "split.csv").open(newline="") as file:
        split = {row["image"]: row["split"] for row in csv.DictReader(file)}
    assert sum(part == "train" for part in split.values()) == record.training_images
    evaluation = json.loads((place / "evaluation" / "evaluation.json").read_text())
    judged = {row["image"] for row in evaluation["images"]}
    assert judged == set(images[1].measured.names)
    assert judged.isdisjoint(split)
    measured = evaluation["measures"]["classes"]["accuracy"]
    assert measured == record.measures["classes.accuracy"]


def test_what_serves_only_to_go_on_is_gone(finished):
    home, variant, _, _ = finished
    names = {path.name for path in records.place(home, variant, 2).iterdir()}
    assert {"model.safetensors", "config.json", "epochs.csv", "record.json"} <= names
    assert "last.ckpt" not in names


def test_runs_of_one_number_have_one_seed_in_all_variants(data, tmp_path):
    found, images = dealt(data, base=TINY | {"epochs": 1})
    seeds = {single.train_and_measure(one, 1, images[0], tmp_path).seed for one in found}
    assert seeds == {0}


def test_a_run_without_explanations_still_counts(data, tmp_path, monkeypatch, caplog):
    def missing(*_):
        msg = "captum is not installed"
        raise MissingExtraError(msg)

    monkeypatch.setattr(single, "_explain", missing)
    (variant, _), images = dealt(data, base=TINY | {"epochs": 1})
    with caplog.at_level("INFO"):
        single.train_and_measure(variant, 1, images[0], tmp_path, explain="saliency")
    assert "no explanations: captum is not installed" in caplog.text
    assert records.read(tmp_path, variant, 1)


@pytest.mark.thorough
def test_the_first_run_is_explained(data, tmp_path):
    pytest.importorskip("captum")
    (variant, _), images = dealt(data, base=TINY | {"epochs": 1})
    single.train_and_measure(variant, 1, images[0], tmp_path, explain="saliency")
    place = records.place(tmp_path, variant, 1) / single.EXPLANATIONS
    with (place / "explanations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == min(len(images[0].measured), 8)
    assert not any(row["error"] for row in rows)
