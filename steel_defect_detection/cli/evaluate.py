"""``sdd-evaluate``: a model or its results and labelled images in, measures out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steel_defect_detection.cli.command import command, echo, say

if TYPE_CHECKING:
    from steel_defect_detection.calibration import Sweep
    from steel_defect_detection.evaluation import Evaluation

_MOST_SHOWN = 10


@command("sdd-evaluate")
@click.argument("model", metavar="MODEL")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--layout", metavar="NAME", help="How the data lie.  [default: recognised]")
@click.option("--split", type=click.Path(path_type=Path), help="A split.csv, or 'published'.")
@click.option("--fold", type=click.IntRange(min=0), help="Fold of the split.csv to judge.")
@click.option(
    "--part",
    default="validation",
    show_default=True,
    help="Part of the split.csv to judge.",
)
@click.option("--gate", metavar="MODEL", help="A classifier to ask before MODEL.")
@click.option("--results", is_flag=True, help="MODEL is a results folder; no model is run.")
@click.option("--sweep", is_flag=True, help="Try thresholds and least areas for each class.")
@click.option("--store", is_flag=True, help="With --sweep: write the best ones into MODEL.")
@click.option("--device", default="auto", show_default=True, help="'auto', 'cpu' or 'cuda'.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for evaluation.json, images.csv and confusion.png.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def main(
    model: str,
    data: Path,
    *,
    layout: str | None,
    split: Path | None,
    fold: int | None,
    part: str,
    gate: str | None,
    results: bool,
    sweep: bool,
    store: bool,
    device: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Measure a model on images whose truth is known.

    MODEL is a built-in model, a checkpoint file or a run folder; with
    --results a folder of masks that any program wrote. Measures stand beside
    what they would be without a model. Thresholds are to be tried on
    validation images, never on those of the final test.
    """
    # Imported late: --help must not wait for torch.
    from steel_defect_detection import calibration, evaluation
    from steel_defect_detection.datasets import layouts, splits
    from steel_defect_detection.predictors.load import load_predictor

    if (store and not sweep) or (results and (sweep or gate)):
        msg = "--store needs --sweep, and --results takes neither --sweep nor --gate"
        raise click.UsageError(msg)
    dataset = layouts.read(data, layout)
    if split is not None:
        dataset = splits.part(splits.read(split, dataset, fold=fold), part)
    if results:
        _report(evaluation.evaluate_results(model, dataset), output, as_json=as_json)
        return
    predictor = load_predictor(model, gate=gate, keep_probabilities=sweep, device=device)
    if not sweep:
        _report(evaluation.evaluate(predictor, dataset), output, as_json=as_json)
        return
    found = calibration.sweep(predictor, dataset)
    _print_sweep(found, as_json=as_json)
    if store:
        calibration.store(model, found)
        say(f"the best thresholds and least areas are stored in {model}")


def _report(found: "Evaluation", output: Path | None, *, as_json: bool) -> None:
    summary, table = found.summary(), found.table()
    if as_json:
        echo(json.dumps({"measures": summary, "images": table}, indent=2))
    else:
        for name, value in summary.items():
            echo(f"{name}: {_plain(value)}")
        worst = [row for row in table if not row["right"] or row["dice"] < 1][:_MOST_SHOWN]
        for row in worst:
            verdict = "defect" if row["called_defect"] else "clean"
            truth = "defect" if row["shows_defect"] else "clean"
            echo(f"worst: {row['image']}: Dice {row['dice']:.3f}, called {verdict}, is {truth}")
    if output is not None:
        paths = found.write(output)
        say(f"{', '.join(path.name for path in paths)} are in {output}")


def _print_sweep(found: "Sweep", *, as_json: bool) -> None:
    best = found.best()
    if as_json:
        content = {
            "thresholds": found.thresholds,
            "min_areas": found.min_areas,
            "dice_kaggle": dict(zip(found.classes, found.dice.tolist(), strict=True)),
            "best": dict(zip(found.classes, best, strict=True)),
        }
        echo(json.dumps(content, indent=2))
        return
    for number, (name, (threshold, area)) in enumerate(zip(found.classes, best, strict=True)):
        echo(
            f"{name}: threshold {threshold:g}, least area {area}: Dice (Kaggle) "
            f"{found.dice[number].max():.4f}, {found.all_empty[number]:.4f} if nothing is outlined"
        )


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(_plain(part) for part in value)
    return f"{value:.4f}" if isinstance(value, float) else str(value)
