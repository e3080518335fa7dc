import pytest

from steel_defect_detection.cli import measures
from steel_defect_detection.evaluation import evaluation as measured

CLASSES = {
    "images": 20,
    "accuracy": 0.95,
    "accuracy_majority": 1 / 6,
    "per_class": {
        "burn_through": {"support": 19.0, "share": 0.95, "precision": 0.9},
        "good": {"support": 1.0, "share": 0.05, "precision": 0.5},
    },
}


def test_each_measure_stands_beside_what_no_model_would_score():
    lines = list(measures.evaluation({"measures": {"classes": CLASSES}, "images": []}))
    assert lines[:2] == [
        "classes: 20 images",
        "  accuracy 0.9500 (0.1667 for the majority's answer)",
    ]


def test_an_interval_stands_behind_its_measure():
    values = {**CLASSES, "accuracy_interval": [0.85, 1.0]}
    lines = list(measures.evaluation({"measures": {"classes": values}, "images": []}))
    assert lines[1] == "  accuracy 0.9500, 95 % 0.8500 to 1.0000 (0.1667 for the majority's answer)"


def test_columns_are_lined_up_and_those_without_values_are_left_out():
    lines = list(measures.evaluation({"measures": {"classes": CLASSES}, "images": []}))
    assert lines[2:] == [
        "  class         images  precision  by chance",
        "  burn_through      19     0.9000     0.9500",
        "  good               1     0.5000     0.0500",
    ]


def test_the_worst_images_are_named_ten_at_most():
    wrong = {"right": False, "predicted": "pit", "actual": "rust"}
    rows = [
        {"image": "sure.png", **wrong, "confidence": 0.98},
        {"image": "outlined.png", **wrong, "dice": 0.25},
        {"image": "fine.png", **wrong, "right": True},
        *({"image": f"{number}.png", **wrong} for number in range(20)),
    ]
    lines = list(measures.evaluation({"measures": {}, "images": rows}))
    assert lines[0] == "worst: sure.png: predicted pit 98%, actual rust"
    assert lines[1] == "worst: outlined.png: Dice 0.250, predicted pit, actual rust"
    assert not any("fine.png" in line for line in lines)
    assert len(lines) == 10


@pytest.mark.parametrize("section", measured.DEFINITIONS)
def test_what_is_printed_is_measured_under_that_name(section):
    printed = measures._SECTIONS[section]
    baselines = {each.baseline for each in printed.measures if isinstance(each.baseline, str)}
    names = {*(each.name for each in printed.measures), *printed.columns, *baselines}
    assert names <= set(measured.DEFINITIONS[section])


def test_an_image_is_written_down_with_its_truth():
    report = {
        "image": "a.png",
        "actual": [],
        "predicted": ["pit", "rust"],
        "confidences": {"pit": 0.6, "rust": 0.7},
    }
    assert list(measures.example(report)) == [
        "a.png",
        "  actual     clean",
        "  predicted  pit and rust",
        "  confidence rust 0.7000, pit 0.6000",
    ]
    assert "unknown" in list(measures.example({**report, "actual": None}))[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (0.5, "0.5000"), ([0.25, 1.0], "0.2500 to 1.0000"), (None, "–")],
)
def test_numbers_are_counts_or_have_four_digits(value, text):
    assert measures.number(value) == text


def test_no_suspects_are_one_line():
    lines = list(measures.suspects({"images": 1, "suspects": []}))
    assert lines == ["no suspicious labels on 1 image"]


def test_suspects_are_a_table_and_counted_by_image():
    row = {"image": "a.png", "reason": "class not shown", "labelled": "pits"}
    rows = [
        row | {"suggested": "no pits", "score": 0.0123},
        row | {"suggested": "rust", "score": 0.5, "beside": "b.png"},
    ]
    assert list(measures.suspects({"images": 7, "suspects": rows})) == [
        "image  reason           labelled  suggested       score",
        "a.png  class not shown  pits      no pits         0.012",
        "a.png  class not shown  pits      rust, as b.png  0.500",
        "1 of 7 images with suspicious labels",
    ]
