"""Measures as lines to read, each beside what it would be without a model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from steel_defect_detection.cli import tables

_MOST_WORST = 10


class _Measure(NamedTuple):
    """How a measure is called, and what stands beside it: another measure or a number."""

    name: str
    words: str
    baseline: str | float | None = None
    without: str = ""


class _Section(NamedTuple):
    """A section of measures: its title, its lines and the columns of its table of classes."""

    title: str
    measures: Sequence[_Measure]
    columns: Mapping[str, str]


_MAJORITY = "for the majority's answer"
_CHANCE = "by chance"
_NOTHING = "if nothing is outlined"

_SECTIONS = {
    "any_defect": _Section(
        "defect or clean: {images} images, {images_with_defects} with defects",
        (
            _Measure("accuracy", "accuracy", "accuracy_majority", _MAJORITY),
            _Measure("auroc", "AUROC", 0.5, _CHANCE),
        ),
        {},
    ),
    "classes": _Section(
        "classes: {images} images",
        (
            _Measure("accuracy", "accuracy", "accuracy_majority", _MAJORITY),
            _Measure(
                "accuracy_exact_match",
                "accuracy, all classes of an image right",
                "accuracy_exact_match_majority",
                _MAJORITY,
            ),
            _Measure(
                "balanced_accuracy", "balanced accuracy", "balanced_accuracy_majority", _MAJORITY
            ),
            _Measure("precision_macro", "precision, macro", "precision_macro_majority", _MAJORITY),
            _Measure("recall_macro", "recall, macro", "recall_macro_majority", _MAJORITY),
            _Measure("f1_macro", "F1, macro", "f1_macro_majority", _MAJORITY),
            _Measure("precision_micro", "precision, micro", "precision_micro_majority", _MAJORITY),
            _Measure("recall_micro", "recall, micro", "recall_micro_majority", _MAJORITY),
            _Measure("f1_micro", "F1, micro", "f1_micro_majority", _MAJORITY),
            _Measure("auroc_macro", "AUROC, macro", 0.5, _CHANCE),
            _Measure(
                "average_precision_macro",
                "average precision, macro",
                "average_precision_macro_chance",
                _CHANCE,
            ),
        ),
        {
            "support": "images",
            "precision": "precision",
            "recall": "recall",
            "f1": "F1",
            "auroc": "AUROC",
            "average_precision": "average precision",
            "share": "by chance",
        },
    ),
    "outlines": _Section(
        "outlines: {images} images with masks",
        (
            _Measure("dice_kaggle", "Dice, Kaggle", "dice_all_empty", _NOTHING),
            _Measure("dice_on_defects", "Dice on defects", 0.0, _NOTHING),
            _Measure("iou_on_defects", "IoU on defects", 0.0, _NOTHING),
            _Measure("miou", "mIoU of the classes", 0.0, _NOTHING),
            _Measure(
                "miou_with_background",
                "mIoU with background",
                "miou_with_background_all_empty",
                _NOTHING,
            ),
        ),
        {
            "images_with_class": "images",
            "dice_kaggle": "Dice, Kaggle",
            "dice_all_empty": "if nothing",
            "dice_on_defects": "on defects",
            "dice_pooled": "pooled",
            "iou_on_defects": "IoU on defects",
            "iou_pooled": "pooled IoU",
        },
    ),
    "outlines_with_tolerance": _Section(
        "outlines of any defect, right within {tolerance_pixels:g} pixels",
        (
            _Measure("precision_pooled", "precision, all pixels"),
            _Measure("recall_pooled", "recall, all pixels"),
            _Measure("f1_pooled", "F1, all pixels", "f1_pooled_all_defect", "if all is outlined"),
            _Measure("f1_per_image", "F1, mean of images", "f1_per_image_all_empty", _NOTHING),
        ),
        {},
    ),
}

_STAGES = {"gate": "network, whole image", "segment": "network, outlines"}


def evaluation(report: Mapping[str, Any]) -> Iterator[str]:
    """Write an evaluation down.

    Args:
        report: What ``Evaluation.report`` gives.

    Yields:
        Lines: the measures by section, then the worst images.
    """
    for name, values in report["measures"].items():
        yield from _section(_SECTIONS[name], values)
    wrong = [row for row in report["images"] if not row["right"] or row.get("dice", 1) < 1]
    for row in wrong[:_MOST_WORST]:
        dice = f"Dice {row['dice']:.3f}, " if "dice" in row else ""
        sure = f" {row['confidence']:.0%}" if "confidence" in row else ""
        yield (
            f"worst: {row['image']}: {dice}predicted {row['predicted']}{sure}, actual "
            + row["actual"]
        )


def example(report: Mapping[str, Any]) -> Iterator[str]:
    """Write one judged image down.

    Args:
        report: What ``Example.report`` gives.

    Yields:
        Lines: name, truth, prediction, and the probability of each class.
    """
    actual, predicted = report["actual"], report["predicted"]
    yield report["image"]
    yield f"  actual     {'unknown' if actual is None else _joined(actual)}"
    yield f"  predicted  {_joined(predicted)}"
    likeliest = sorted(report["confidences"].items(), key=lambda item: -item[1])
    yield f"  confidence {', '.join(f'{name} {value:.4f}' for name, value in likeliest)}"


def suspects(report: Mapping[str, Any]) -> Iterator[str]:
    """Write down which labels are probably wrong.

    Args:
        report: What ``Suspects.report`` gives.

    Yields:
        Lines: a table, the worst first, and how many there are.
    """
    found = report["suspects"]
    images = f"{report['images']} image{'s' if report['images'] != 1 else ''}"
    if not found:
        yield f"no suspicious labels on {images}"
        return
    rows = [["image", "reason", "labelled", "suggested", "score"]]
    for row in found:
        beside = f", as {row['beside']}" if "beside" in row else ""
        suggested = row["suggested"] + beside
        rows.append(
            [row["image"], row["reason"], row["labelled"], suggested, f"{row['score']:.3f}"]
        )
    yield from tables.words(rows)
    suspected = len({row["image"] for row in found})
    yield f"{suspected} of {images} with suspicious labels"


def times(summary: Mapping[str, Any]) -> Iterator[str]:
    """Write times down.

    Args:
        summary: What ``Timing.summary`` gives, and how long loading took.

    Yields:
        Lines: time of each stage, images per second, accuracy, loading.
    """
    yield f"{summary['images']} images one by one, after {summary['warm_up']} to warm up"
    rows = [["milliseconds", "images", "median", "95 % within", "mean"]]
    for stage, values in summary["milliseconds"].items():
        cells = (f"{values[name]:.1f}" for name in ("median", "p95", "mean"))
        rows.append([_STAGES.get(stage, stage), str(values["images"]), *cells])
    yield from (f"  {line}" for line in tables.numbers(rows))
    yield f"  images per second {summary['images_per_second']:.1f}"
    if "accuracy" in summary:
        beside = f"({summary['accuracy_majority']:.4g} {_MAJORITY})"
        yield f"  accuracy {summary['accuracy']:.4f} {beside}"
    model, data = summary["load_model_ms"], summary["load_data_ms"]
    yield f"  loading: model {model:.0f} ms, data {data:.0f} ms"


def number(value: Any) -> str:
    """Write a number: counts as they are, others with four digits, unknown ones as a dash."""
    if isinstance(value, list):
        return " to ".join(map(number, value))
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _joined(names: Sequence[str]) -> str:
    return " and ".join(names) or "clean"


def _section(section: _Section, values: Mapping[str, Any]) -> Iterator[str]:
    yield section.title.format(**values)
    for measure in section.measures:
        if measure.name in values:
            yield f"  {measure.words} {_value(measure, values)}{_beside(measure, values)}"
    classes = values.get("per_class", {})
    if not classes or not section.columns:
        return
    # A column that is empty for all classes says nothing.
    columns = [name for name in section.columns if any(name in row for row in classes.values())]
    rows = [["class", *(section.columns[name] for name in columns)]]
    for name, row in classes.items():
        rows.append([name, *(_cell(column, row.get(column)) for column in columns)])
    yield from (f"  {line}" for line in tables.numbers(rows))


def _value(measure: _Measure, values: Mapping[str, Any]) -> str:
    value = number(values[measure.name])
    interval = values.get(f"{measure.name}_interval")
    return value if interval is None else f"{value}, 95 % {number(interval)}"


def _beside(measure: _Measure, values: Mapping[str, Any]) -> str:
    name = measure.baseline
    value = values.get(name) if isinstance(name, str) else name
    return "" if value is None else f" ({value:.4g} {measure.without})"


def _cell(column: str, value: Any) -> str:
    return str(int(value)) if column == "support" and value is not None else number(value)
