import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.evaluation import evaluate
from steel_defect_detection.evaluation.evaluation import DEFINITIONS
from steel_defect_detection.sample import Sample
from tests.evaluation.toys import CLASSES, Brightness, Told, samples, told

KINDS = ("good", "pit", "rust")


def exclusive(seed: int = 0, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Percentages and class numbers."""
    random = np.random.default_rng(seed)
    return random.integers(0, 101, (count, 3)), random.integers(0, 3, count)


def told_exclusive(percent, numbers, *, good_class=None):
    predictor = Told(KINDS, good_class=good_class)
    return evaluate(predictor, told(percent, numbers[:, None] == np.arange(3), KINDS))


def numbers_in(values) -> list[float]:
    if isinstance(values, dict):
        return [number for value in values.values() for number in numbers_in(value)]
    if isinstance(values, list):
        return [number for value in values for number in numbers_in(value)]
    return [values] if isinstance(values, float) else []


def test_outlines_are_measured_beside_what_predicting_nothing_scores():
    found = evaluate(Brightness(CLASSES, Thresholds.default(1)), samples())
    summary = found.summary()
    assert list(summary) == ["any_defect", "outlines", "outlines_with_tolerance"]
    # Half of each scratch is found: 2 * 16 / (16 + 32) = 2/3; clean images score 1.
    outlines = summary["outlines"]
    assert outlines["dice_on_defects"] == pytest.approx(2 / 3)
    assert outlines["dice_kaggle"] == pytest.approx((5 * 1 + 5 * 2 / 3) / 10)
    assert outlines["dice_all_empty"] == 0.5
    assert outlines["per_class"]["scratch"]["images_with_class"] == 5
    assert summary["any_defect"]["accuracy"] == 1
    assert summary["any_defect"]["accuracy_majority"] == 0.5


def test_pooled_measures_are_those_of_segmentation_models_pytorch():
    predictor, made = Brightness(CLASSES, Thresholds.default(1)), samples()
    outlines = evaluate(predictor, made).summary()["outlines"]
    said = np.stack([predictor.predict(sample.image).masks for sample in made])
    true = np.stack([sample.masks for sample in made])
    counts = smp.metrics.get_stats(torch.from_numpy(said), torch.from_numpy(true).long(), "binary")
    iou = smp.metrics.iou_score(*counts, reduction="micro").item()
    f1 = smp.metrics.f1_score(*counts, reduction="micro").item()
    assert outlines["miou"] == outlines["per_class"]["scratch"]["iou_pooled"]
    assert outlines["miou"] == pytest.approx(iou)
    assert outlines["per_class"]["scratch"]["dice_pooled"] == pytest.approx(f1)


def test_auroc_of_any_defect_is_that_of_scikit_learn_inside_its_interval():
    found = evaluate(Brightness(CLASSES, Thresholds.default(1)), samples())
    truth = [number % 2 for number in range(10)]
    verdicts = found.summary()["any_defect"]
    assert verdicts["auroc"] == pytest.approx(roc_auc_score(truth, found.scores))
    low, high = verdicts["auroc_interval"]
    assert low <= verdicts["auroc"] <= high


def test_images_of_one_group_are_drawn_together():
    percent, numbers = exclusive(count=20)
    alone = told(percent, numbers[:, None] == np.arange(3), KINDS)
    copies = [
        replace(sample, name=f"{sample.name} {light}", group=sample.name)
        for sample in alone
        for light in range(4)
    ]
    predictor = Told(KINDS)
    once, often = evaluate(predictor, alone).report(), evaluate(predictor, copies).report()
    measures = [report["measures"]["classes"] for report in (once, often)]
    for name in ("accuracy_interval", "recall_macro_interval", "f1_macro_interval"):
        assert measures[0][name] == pytest.approx(measures[1][name])
    meant = [report["definitions"]["classes"]["accuracy_interval"] for report in (once, often)]
    assert meant[0].endswith("over images.")
    assert meant[1].endswith("over groups of images.")


@pytest.mark.parametrize(("tolerance", "f1"), [(0, 0.0), (1, 0.0), (2, 1.0), (3, 1.0)])
def test_a_line_drawn_two_pixels_off_is_right_from_that_tolerance_on(tolerance, f1):
    # Another class is drawn than the one that is there: the tolerant measures ask for any defect.
    classes = ("crack", "scratch")
    image = np.zeros((16, 16, 1), dtype=np.uint8)
    image[:, 6] = 255
    masks = np.zeros((2, 16, 16), dtype=np.bool_)
    masks[1, :, 4] = True
    sample = Sample(name="a.png", image=image, classes=classes, masks=masks)
    found = evaluate(Brightness(classes, Thresholds.default(2)), [sample], tolerance=tolerance)
    tolerant = found.summary()["outlines_with_tolerance"]
    assert tolerant["tolerance_pixels"] == tolerance
    assert tolerant["f1_pooled"] == f1


@pytest.mark.parametrize("good_class", [None, "good"])
def test_exclusive_classes_are_measured_as_by_scikit_learn(good_class):
    percent, numbers = exclusive()
    found = told_exclusive(percent, numbers, good_class=good_class)
    answers = percent.argmax(axis=1)
    classes = found.summary()["classes"]
    assert classes["accuracy"] == accuracy_score(numbers, answers)
    assert classes["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(numbers, answers))
    for name, score in {
        "precision": precision_score,
        "recall": recall_score,
        "f1": f1_score,
    }.items():
        for average in ("macro", "micro"):
            expected = score(numbers, answers, average=average)
            assert classes[f"{name}_{average}"] == pytest.approx(expected)
    assert classes["confusion"] == confusion_matrix(numbers, answers).tolist()
    assert found.confusion()[0].tolist() == classes["confusion"]
    assert classes["accuracy_majority"] == np.bincount(numbers).max() / len(numbers)
    rust = classes["per_class"]["rust"]
    assert rust["auroc"] == pytest.approx(roc_auc_score(numbers == 2, percent[:, 2]))


def test_a_good_class_gives_a_verdict_and_without_one_there_is_none():
    percent, numbers = exclusive()
    verdicts = told_exclusive(percent, numbers, good_class="good").summary()["any_defect"]
    assert verdicts["accuracy"] == accuracy_score(numbers > 0, percent.argmax(axis=1) > 0)
    without = told_exclusive(percent, numbers)
    assert list(without.summary()) == ["classes"]
    assert "score" not in without.table()[0]


def test_independent_classes_are_asked_from_their_thresholds_on():
    percent = np.array([[60, 30], [60, 10], [40, 30], [90, 90]])
    labels = np.array([[True, True], [False, False], [True, True], [False, True]])
    predictor = Told(("pit", "rust"), thresholds=(0.5, 0.2), exclusive=False)
    found = evaluate(predictor, told(percent, labels, ("pit", "rust")))
    classes = found.summary()["classes"]
    assert classes["per_class"]["pit"]["precision"] == pytest.approx(1 / 3)
    assert classes["per_class"]["rust"]["recall"] == 1
    assert classes["accuracy_exact_match"] == 1 / 4
    assert [row["right"] for row in found.table()] == [False, False, False, True]
    assert found.table()[0]["image"] == "3.png"  # 0.9 * 0.9 sure that it is both
    assert found.table()[0]["confidence"] == pytest.approx(0.81)
    assert found.table()[-1] == {
        "image": "0.png",
        "right": True,
        "predicted": "pit and rust",
        "actual": "pit and rust",
        "confidence": pytest.approx(0.6 * 0.3),
        "score": pytest.approx(0.6),
    }


def test_the_worst_of_a_classifier_is_wrong_and_sure_of_it():
    percent = np.array([[90, 5, 5], [20, 45, 35], [1, 98, 1], [5, 15, 80]])
    rows = told_exclusive(percent, np.array([0, 2, 0, 2])).table()
    assert [row["image"] for row in rows] == ["2.png", "1.png", "3.png", "0.png"]
    assert (rows[0]["predicted"], rows[0]["actual"]) == ("pit", "good")
    assert rows[0]["confidence"] == pytest.approx(0.98)


def test_an_exclusive_answer_cannot_be_compared_with_several_classes():
    labels = np.array([[True, True, False]])
    found = evaluate(Told(KINDS), told(np.array([[9, 1, 1]]), labels, KINDS))
    with pytest.raises(AnnotationError, match=r"0\.png shows 2 classes, but the model gives each"):
        found.summary()


@pytest.mark.parametrize("good_class", [None, "good"])
def test_images_of_one_class_have_no_auroc_and_nothing_is_not_a_number(good_class, tmp_path):
    percent, _ = exclusive(count=5)
    found = told_exclusive(percent, np.full(5, 2), good_class=good_class)
    report = found.report()
    assert not any(map(math.isnan, numbers_in(report)))
    assert "auroc_macro" not in report["measures"]["classes"]
    assert "auroc" not in report["measures"].get("any_defect", {})
    assert set(report["measures"]["classes"]["per_class"]["pit"]) == {"support", "share"}
    # A row of the confusion without images cannot be left out of the list.
    assert report["measures"]["classes"]["confusion_shares"][0] == [None] * 3
    found.write(tmp_path)
    assert json.loads((tmp_path / "evaluation.json").read_text()) == report


def test_each_measure_that_is_reported_is_defined():
    outlines = evaluate(Brightness(CLASSES, Thresholds.default(1)), samples()).report()
    classes = told_exclusive(*exclusive(), good_class="good").report()
    for report in (outlines, classes):
        assert list(report["definitions"]) == list(report["measures"])
        for section, values in report["measures"].items():
            per_class = next(iter(values.get("per_class", {"": {}}).values()))
            assert set(report["definitions"][section]) == {*values, *per_class}
    assert set(outlines["definitions"]) | set(classes["definitions"]) == set(DEFINITIONS)


def test_columns_that_do_not_apply_are_left_out_of_the_table_on_disk(tmp_path):
    told_exclusive(*exclusive()).write(tmp_path)
    with (tmp_path / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "right", "predicted", "actual", "confidence"]
    assert len(rows) == 40


def test_names_whose_bytes_are_no_text_are_written_too(tmp_path):
    # What Python makes of the file name b"\x80.png" on a system of UTF-8.
    made = [replace(sample, name="\udc80.png") for sample in samples()]
    evaluate(Brightness(CLASSES, Thresholds.default(1)), made).write(tmp_path)
    with (tmp_path / "images.csv").open(newline="", encoding="utf-8") as file:
        assert {row["image"] for row in csv.DictReader(file)} == {r"\udc80.png"}


def test_labels_alone_leave_out_the_outlines():
    made = [
        Sample(name=each.name, image=each.image, classes=CLASSES, labels=each.labels)
        for each in samples()
    ]
    found = evaluate(Brightness(CLASSES, Thresholds.default(1)), made)
    assert list(found.summary()) == ["any_defect"]
    assert found.summary()["any_defect"]["accuracy"] == 1
