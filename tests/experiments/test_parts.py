"""Images of each run."""

import csv
from dataclasses import replace

import pytest

from steel_defect_detection.datasets import splits
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.experiments import parts
from steel_defect_detection.experiments.grid import variants
from tests.experiments.small_studies import TINY, entries, study

LABELS = [(True, False)] * 20 + [(False, True)] * 20
GROUPS = [f"g{number // 2}" for number in range(40)]


def deal(dataset, split=None, **changes):
    asked = study(**changes)
    return parts.deal(asked, variants(asked)[0].stages()[0], dataset, split)


def names(*images):
    return [set(part.names) for part in images]


def test_all_runs_have_the_same_images_and_are_measured_on_the_validation_images():
    first, second = deal(entries(LABELS))
    assert first is second
    train, validation = names(first.train, first.validation)
    assert len(validation) == 10
    assert train.isdisjoint(validation)
    assert first.measured == first.validation


def test_test_images_are_kept_back_first_and_take_no_part_in_anything_else():
    (images, *_) = deal(entries(LABELS, GROUPS), part="test", test_share=0.2)
    train, validation, test = names(images.train, images.validation, images.measured)
    assert len(test) == 8
    assert len(train) + len(validation) + len(test) == 40
    assert not train & validation | train & test | validation & test
    groups = [{GROUPS[int(name)] for name in part} for part in (train, validation, test)]
    assert sum(map(len, groups)) == 20


def test_each_run_keeps_back_a_fold_of_its_own():
    dealt = deal(entries(LABELS, GROUPS), folds=4, runs=5)
    held = names(*(run.measured for run in dealt))
    assert set.union(*held[:4]) == set(entries(LABELS).names)
    assert sum(map(len, held[:4])) == 40
    assert held[4] == held[0]
    assert all(run.measured == run.validation for run in dealt)


def test_a_fold_that_is_tested_on_chooses_no_epoch():
    for run in deal(entries(LABELS), folds=4, runs=4, part="test"):
        train, validation, test = names(run.train, run.validation, run.measured)
        assert validation
        assert not train & validation | train & test | validation & test


def test_a_split_is_kept_to(tmp_path):
    dataset = entries(LABELS)
    given = dict.fromkeys(dataset.names, "train") | {"001": "validation", "002": "test"}
    splits.write(tmp_path / "split.csv", given)
    (images, *_) = deal(dataset, tmp_path / "split.csv", part="test")
    assert names(images.validation, images.measured) == [{"001"}, {"002"}]
    parts.write(tmp_path / "again.csv", images)
    with (tmp_path / "again.csv").open(newline="") as file:
        assert {row["image"]: row["split"] for row in csv.DictReader(file)} == given


def test_a_split_without_the_part_is_refused(tmp_path):
    dataset = entries(LABELS)
    splits.write(
        tmp_path / "split.csv", dict.fromkeys(dataset.names, "train") | {"001": "validation"}
    )
    with pytest.raises(ConfigError, match="no part 'test'"):
        deal(dataset, tmp_path / "split.csv", part="test")


def test_folds_and_a_split_do_not_go_together(tmp_path):
    with pytest.raises(ConfigError, match="deals 2 folds out by itself"):
        deal(entries(LABELS), tmp_path / "split.csv", folds=2)


def test_no_images_to_measure_on_are_refused():
    base = TINY | {"validation_share": 0, "keep": "last", "scheduler": "constant"}
    with pytest.raises(ConfigError, match="no validation images to measure on"):
        deal(entries(LABELS), base=base)
    assert len(deal(entries(LABELS), base=base, part="test")[0].validation) == 0


def test_synthetic_images_need_a_split_for_a_test():
    dataset = entries(LABELS)
    made = replace(dataset.entries[0], made_from=("001",))
    mixed = replace(dataset, entries=(made, *dataset.entries[1:]))
    with pytest.raises(ConfigError, match="1 of 40 images are synthetic"):
        deal(mixed, part="test")


def test_a_study_of_synthetic_images_alone_is_one_like_any_other():
    dataset = entries(LABELS)
    made = replace(dataset, entries=tuple(replace(e, made_from=()) for e in dataset.entries))
    (images, *_) = deal(made, part="test")
    assert len(images.measured) == 8


def test_joined_images_keep_their_parts():
    (images, *_) = deal(entries(LABELS))
    dataset = parts.joined(images.train, images.validation)
    again = splits.read(splits.PUBLISHED, dataset)
    assert names(again["train"], again["validation"]) == names(images.train, images.validation)
