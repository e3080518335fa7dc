import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
    roc_auc_score,
)

from steel_defect_detection.errors import AnnotationError, ConfigError, InferenceError
from steel_defect_detection.metrics.classification import (
    DEFINITIONS,
    ClassificationScores,
)

SCORES = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
CLASSES = ("good", "scratch", "dent", "stain")


def exclusive(seed: int, *, images: int = 60, kinds: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels, with ties, of the first ``kinds`` of four classes."""
    random = np.random.default_rng(seed)
    scores = random.integers(1, 9, (images, 4)) / 1.0
    return scores / scores.sum(axis=1, keepdims=True), random.integers(0, kinds, images)


def multilabel(seed: int, *, images: int = 60, kinds: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels, with ties, of the first ``kinds`` of four classes."""
    random = np.random.default_rng(seed)
    labels = random.random((images, 4)) < [0.3, 0.1, 0.5, 0.7]
    labels[:, kinds:] = False
    return random.integers(0, 11, (images, 4)) / 10, labels


def scores_of(scores: np.ndarray, labels: np.ndarray, **settings: object) -> ClassificationScores:
    made = ClassificationScores(CLASSES, **settings)
    made.add(scores, labels)
    return made


@pytest.mark.parametrize("kinds", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_exclusive_classes_score_as_in_scikit_learn(seed, kinds):
    scores, labels = exclusive(seed, kinds=kinds)
    answers, present = scores.argmax(axis=1), list(range(kinds))
    summary = scores_of(scores, labels).summary()
    assert summary["accuracy"] == accuracy_score(labels, answers)
    averages = {
        f"{name}_{average}": score(labels, answers, labels=given, average=average, zero_division=0)
        for name, score in SCORES.items()
        for average, given in (("macro", present), ("micro", range(4)))
    }
    assert {name: summary[name] for name in averages} == pytest.approx(averages)
    recalls = confusion_matrix(labels, answers, labels=range(4), normalize="true").diagonal()
    assert summary["balanced_accuracy"] == pytest.approx(recalls[:kinds].mean())
    assert summary["confusion"] == confusion_matrix(labels, answers, labels=range(4)).tolist()


def test_balanced_accuracy_is_that_of_scikit_learn():
    scores, labels = exclusive(5)
    expected = balanced_accuracy_score(labels, scores.argmax(axis=1))
    assert scores_of(scores, labels).summary()["balanced_accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize("kinds", [1, 3, 4])
@pytest.mark.parametrize("thresholds", [0.5, [0.2, 0.5, 0.9, 1.1]], ids=["one", "each"])
def test_questions_per_class_score_as_in_scikit_learn(kinds, thresholds):
    scores, labels = multilabel(0, kinds=kinds)
    answers, present = scores >= thresholds, list(range(kinds))
    summary = scores_of(scores, labels, thresholds=thresholds).summary()
    settings = {"zero_division": 0}
    expected = {
        "accuracy_exact_match": accuracy_score(labels, answers),
        **{
            f"{name}_{average}": score(labels, answers, labels=given, average=average, **settings)
            for name, score in SCORES.items()
            for average, given in (("macro", present), ("micro", range(4)))
        },
        "balanced_accuracy": np.mean(
            [balanced_accuracy_score(labels[:, n], answers[:, n]) for n in present]
        ),
    }
    assert {name: summary[name] for name in expected} == pytest.approx(expected)
    assert summary["confusion"] == multilabel_confusion_matrix(labels, answers).tolist()


@pytest.mark.parametrize("kind", ["exclusive", "multilabel"])
def test_each_class_scores_as_in_scikit_learn(kind):
    scores, labels = exclusive(1) if kind == "exclusive" else multilabel(1)
    made = scores_of(scores, labels, thresholds=None if kind == "exclusive" else 0.4)
    truth = labels[:, None] == np.arange(4) if kind == "exclusive" else labels
    per_class = made.per_class()
    names = ("precision", "recall", "f1", "support")
    expected = precision_recall_fscore_support(truth, made.answers(), zero_division=0)
    for name, values in zip(names, expected, strict=True):
        assert per_class[name] == pytest.approx(values)
    assert per_class["share"] == pytest.approx(truth.mean(axis=0))
    assert per_class["auroc"] == pytest.approx(roc_auc_score(truth, scores, average=None))
    assert per_class["average_precision"] == pytest.approx(
        average_precision_score(truth, scores, average=None)
    )
    summary = made.summary()
    assert summary["auroc_macro"] == pytest.approx(roc_auc_score(truth, scores))
    assert summary["average_precision_macro"] == pytest.approx(
        average_precision_score(truth, scores)
    )


def test_macro_f1_tells_what_accuracy_and_micro_f1_hide():
    # 95 good images and 5 with a scratch, all called good.
    scores = np.tile([0.9, 0.1, 0, 0], (100, 1))
    summary = scores_of(scores, np.repeat([0, 1], [95, 5])).summary()
    assert summary["accuracy"] == summary["f1_micro"] == 0.95
    assert summary["f1_macro"] == pytest.approx((2 * 95 / 195 + 0) / 2)
    assert summary["f1_macro"] < 0.5 == summary["balanced_accuracy"]


@pytest.mark.parametrize("kind", ["exclusive", "multilabel"])
@pytest.mark.parametrize("sizes", [(60,), (1, 59), (7, 50, 3), (0, 20, 40)], ids=str)
def test_batches_of_any_size_give_the_score_of_the_data_set(kind, sizes):
    scores, labels = exclusive(2) if kind == "exclusive" else multilabel(2)
    thresholds = None if kind == "exclusive" else 0.5
    batched = ClassificationScores(CLASSES, thresholds=thresholds)
    for part in np.split(np.arange(60), np.cumsum(sizes)[:-1]):
        batched.add(scores[part], labels[part])
    assert batched.summary() == scores_of(scores, labels, thresholds=thresholds).summary()


def test_the_mean_over_batches_would_be_another_number():
    scores, labels = exclusive(2)
    batches = [scores_of(scores[part], labels[part]) for part in (slice(0, 7), slice(7, None))]
    means = np.mean([batch.summary()["f1_macro"] for batch in batches])
    assert scores_of(scores, labels).summary()["f1_macro"] != pytest.approx(means, rel=1e-3)


@pytest.mark.parametrize("kind", ["exclusive", "multilabel"])
def test_the_baselines_are_what_the_commonest_answer_scores(kind):
    if kind == "exclusive":
        labels, commonest = np.repeat([0, 2, 3], [3, 10, 4]), np.array([0.0, 0, 1, 0])
    else:
        labels = np.repeat([[True, False, True, False], [False] * 4], [10, 7], axis=0)
        commonest = np.array([1.0, 0, 1, 0])
    thresholds = None if kind == "exclusive" else 0.5
    random = np.random.default_rng(0).random((17, 4))
    summary = scores_of(random, labels, thresholds=thresholds).summary()
    constant = scores_of(np.tile(commonest, (17, 1)), labels, thresholds=thresholds).summary()
    names = [name for name in summary if name.endswith("_majority")]
    assert len(names) == 8
    for name in names:
        assert summary[name] == constant[name.removesuffix("_majority")]
    assert constant["auroc_macro"] == 0.5
    chance = summary["average_precision_macro_chance"]
    assert chance == pytest.approx(constant["average_precision_macro"])


def test_a_class_that_no_image_shows_is_unknown_and_left_out_of_the_means():
    scores, labels = np.eye(4), np.array([0, 1, 2, 0])  # the last image is called a stain
    summary = scores_of(scores, labels).summary()
    stain = summary["per_class"]["stain"]
    assert (stain["support"], stain["share"]) == (0, 0)
    unknown = ("precision", "recall", "f1", "auroc", "average_precision")
    assert all(np.isnan(stain[name]) for name in unknown)
    assert summary["f1_macro"] == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert np.isnan(summary["confusion_shares"][3]).all()


def test_a_class_that_is_never_predicted_has_precision_zero():
    summary = scores_of(np.eye(4)[[0, 0]], np.array([0, 1])).summary()
    assert summary["per_class"]["scratch"]["precision"] == 0


def test_rows_of_the_confusion_are_actual_and_columns_predicted():
    made = scores_of(np.eye(4)[[1, 1, 1]], np.array([0, 0, 1]))
    assert made.confusion()[0].tolist() == [0, 2, 0, 0]
    assert made.confusion_shares()[1].tolist() == [0, 1, 0, 0]


def test_a_single_class_is_always_right_and_cannot_be_ranked():
    made = ClassificationScores(["good"])
    made.add(np.ones((3, 1)), np.zeros(3, dtype=int))
    summary = made.summary()
    assert (summary["accuracy"], summary["accuracy_majority"], summary["f1_macro"]) == (1, 1, 1)
    assert np.isnan(summary["auroc_macro"])


@pytest.mark.parametrize("thresholds", [None, 0.5], ids=["exclusive", "multilabel"])
def test_without_images_the_summary_is_unknown_rather_than_an_error(thresholds):
    summary = ClassificationScores(CLASSES, thresholds=thresholds).summary()
    assert summary["images"] == 0
    assert not np.array(summary["confusion"]).any()
    measures = [value for name, value in summary.items() if isinstance(value, float)]
    assert len(measures) == 19
    assert np.isnan(measures).all()


@pytest.mark.parametrize("thresholds", [None, 0.5], ids=["exclusive", "multilabel"])
def test_every_name_of_the_summary_is_defined(thresholds):
    summary = ClassificationScores(CLASSES, thresholds=thresholds).summary()
    assert {*summary, *summary["per_class"]["good"]} <= set(DEFINITIONS)


@given(st.integers(0, 60))
def test_merging_parts_gives_the_score_of_the_whole(border):
    scores, labels = multilabel(3)
    first, second = (
        scores_of(scores[part], labels[part], thresholds=[0.1, 0.2, 0.3, 0.4])
        for part in (slice(border), slice(border, None))
    )
    merged = first.merge(second)
    whole = scores_of(scores, labels, thresholds=[0.1, 0.2, 0.3, 0.4])
    assert len(merged) == 60
    assert merged.summary() == whole.summary()
    assert len(first) == border


@pytest.mark.parametrize(
    "other",
    [
        ClassificationScores(["a", "b"], thresholds=0.5),
        ClassificationScores(["a", "c"]),
    ],
    ids=["thresholds", "names"],
)
def test_scores_of_another_kind_cannot_be_merged(other):
    with pytest.raises(ConfigError, match="cannot merge scores"):
        ClassificationScores(["a", "b"]).merge(other)
    with pytest.raises(ConfigError, match="cannot merge scores"):
        other.merge(ClassificationScores(["a", "b"]))


@pytest.mark.parametrize(
    ("scores", "labels", "thresholds", "message"),
    [
        (np.zeros((2, 3)), np.zeros(2, int), None, "scores (images, 4), got shape (2, 3)"),
        (np.zeros(4), np.zeros(1, int), None, "scores (images, 4), got shape (4,)"),
        (np.zeros((2, 4)), np.zeros(3, int), None, "shape (2,), got int64 of shape (3,)"),
        (np.zeros((2, 4)), np.zeros(2), None, "whole-number labels of shape (2,), got float64"),
        (np.zeros((2, 4)), np.array([0, 4]), None, "class number 4, but there are the classes 0"),
        (np.zeros((2, 4)), np.array([-1, 0]), None, "class number -1"),
        (np.zeros((2, 4)), np.zeros(2, int), 0.5, "bool labels of shape (2, 4), got int64"),
        (np.zeros((2, 4)), np.zeros((2, 4), int), 0.5, "bool labels of shape (2, 4), got int64"),
    ],
)
def test_what_does_not_fit_the_classes_is_refused(scores, labels, thresholds, message):
    with pytest.raises(AnnotationError, match=re.escape(message)):
        scores_of(scores, labels, thresholds=thresholds)


def test_a_refused_batch_leaves_no_trace():
    made = ClassificationScores(CLASSES)
    with pytest.raises(AnnotationError):
        made.add(np.zeros((2, 4)), np.zeros(3, int))
    assert len(made) == len(made.truth()) == 0


def test_scores_that_are_no_numbers_are_refused():
    scores, labels = exclusive(0)
    scores[3, 1] = np.nan
    with pytest.raises(InferenceError, match="1 of 240 are NaN"):
        scores_of(scores, labels)


@pytest.mark.parametrize(
    ("classes", "thresholds", "message"),
    [
        ([], None, "at least one class and no name twice, got []"),
        (["a", "a"], None, "no name twice, got ['a', 'a']"),
        (["a", "b"], [0.5], "one for each of 2 classes, got [0.5]"),
        (["a", "b"], float("nan"), "got nan"),
    ],
)
def test_impossible_settings_are_refused(classes, thresholds, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        ClassificationScores(classes, thresholds=thresholds)


@pytest.mark.parametrize("made", [exclusive, multilabel], ids=["exclusive", "multilabel"])
def test_intervals_are_those_of_the_summary_when_scores_are_computed_anew(made):
    scores, labels = made(0)
    settings = {} if labels.ndim == 1 else {"thresholds": 0.5}
    found = scores_of(scores, labels, **settings).intervals(range(60))
    random = np.random.default_rng(5)
    drawn = [random.integers(0, 60, 60) for _ in range(300)]
    summaries = [scores_of(scores[rows], labels[rows], **settings).summary() for rows in drawn]
    assert set(found) == {name.removesuffix("_majority") for name in summaries[0] if "_maj" in name}
    for name, ends in found.items():
        again = np.nanquantile([summary[name] for summary in summaries], [0.025, 0.975])
        assert ends == pytest.approx(again, abs=0.04), name
