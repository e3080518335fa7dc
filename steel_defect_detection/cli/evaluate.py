"""``sdd-evaluate``: a model or its results and labelled images in, measures out."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from steel_defect_detection.cli import measures, options
from steel_defect_detection.cli.command import SOME_INPUTS_FAILED, command, echo, say, say_problems
from steel_defect_detection.cli.inputs import refuse_swapped

if TYPE_CHECKING:
    from steel_defect_detection.calibration import Sweep
    from steel_defect_detection.datasets.dataset import Dataset
    from steel_defect_detection.evaluation.evaluation import Evaluation
    from steel_defect_detection.predictors.predictor import Predictor

_BATCH = 9
_TIMED = 50
_UNSEEN = (
    "where the model has learned from these images, it repeats their labels, and its measures "
    "flatter it; judge unseen ones, for example with --split"
)


@command("sdd-evaluate")
@click.argument("model", metavar="MODEL")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--mode",
    type=click.Choice(["all", "single", "batch", "timing"]),
    default="all",
    show_default=True,
    help="Measure all images, look at one, look at a sheet of random ones, or take the time.",
)
@click.option("--image", metavar="NAME", help="With --mode single: which one.  [default: random]")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Random images of --mode batch or timing.  [default: {_BATCH} or {_TIMED}]",
)
@options.seed("the choice of random images")
@options.layout
@options.split
@options.fold
@click.option(
    "--part",
    default="validation",
    show_default=True,
    help="Part of the split.csv to judge.",
)
@click.option("--gate", metavar="MODEL", help="A classifier to ask before MODEL.")
@options.flips
@options.only_named
@click.option("--results", is_flag=True, help="MODEL is a results folder; no model is run.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    metavar="PIXELS",
    help="How far off an outline may be in the tolerant F1, as cracks are judged.",
)
@click.option("--sweep", is_flag=True, help="Try thresholds and least areas for each class.")
@click.option("--store", is_flag=True, help="With --sweep: write the best ones into MODEL.")
@click.option(
    "--suspects",
    is_flag=True,
    help="List labels that are probably wrong; the model must not have learned from the images.",
)
@options.runtime(
    "What runs the networks; auto is what sdd-predict uses unasked.", default="pytorch"
)
@options.device()
@options.output(
    "Folder for evaluation.json, images.csv and confusion.png, or the files of the mode."
)
@options.as_json("everything")
@click.pass_context
def main(
    context: click.Context,
    model: str,
    data: Path,
    *,
    mode: str,
    image: str | None,
    count: int | None,
    seed: int,
    layout: str | None,
    split: Path | None,
    fold: int | None,
    part: str,
    gate: str | None,
    flips: Any,
    only_named: bool | None,
    results: bool,
    tolerance: float,
    sweep: bool,
    store: bool,
    suspects: bool,
    runtime: Any,
    device: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Measure a model on images whose truth is known.

    MODEL is a built-in model, a checkpoint file or a run folder; with
    --results a folder of masks that any program wrote. Measures stand beside
    what they would be without a model. Thresholds are to be tried on
    validation images, never on those of the final test. For --suspects too the
    images must be unseen (a validation part, or the fold that was left out):
    of images that it learned from, a model repeats the labels.

    An image that cannot be read is named and left out; the exit status is
    then 3.
    """
    _check_usage(
        {
            "--store needs --sweep": store and not sweep,
            "--store keeps no --only-named: store that with sdd-calibrate first": store
            and only_named is not None,
            "--results takes neither --sweep nor --gate": results and (sweep or gate is not None),
            "--results runs no model, so --flips do nothing": results and flips is not None,
            "--results runs no model, so --only-named does nothing": results
            and only_named is not None,
            "--suspects takes neither --results nor --sweep": suspects and (results or sweep),
            "--results, --sweep and --suspects go with --mode all": (results or sweep or suspects)
            and mode != "all",
            "--fold needs --split": fold is not None and split is None,
            "--image needs --mode single": image is not None and mode != "single",
            "--count needs --mode batch or timing": count is not None
            and mode not in {"batch", "timing"},
        }
    )
    # Imported late: --help must not wait for torch.
    from steel_defect_detection import evaluation
    from steel_defect_detection.predictors.load import load_predictor

    started = perf_counter()
    dataset = _read_data(data, layout, split, fold=fold, part=part)
    data_read = perf_counter()
    if results:
        found = evaluation.evaluate_results(model, dataset, tolerance=tolerance, progress=True)
        context.exit(_report(found, output, warn=False, as_json=as_json))
    predictor = load_predictor(
        model,
        gate=gate,
        keep_probabilities=sweep or suspects,
        flips=flips,
        only_named=only_named,
        runtime=runtime,
        device=device,
    )
    loading = {
        "load_model_ms": (perf_counter() - data_read) * 1000,
        "load_data_ms": (data_read - started) * 1000,
    }
    if sweep:
        _sweep(predictor, dataset, model if store else None, _seen(split, part), as_json=as_json)
    elif suspects:
        context.exit(_suspects(predictor, dataset, output, _seen(split, part), as_json=as_json))
    elif mode == "timing":
        times = loading | _times(predictor, dataset, count or _TIMED, seed)
        context.exit(_report_times(times, output, as_json=as_json))
    elif mode == "all":
        found = evaluation.evaluate(predictor, dataset, tolerance=tolerance, progress=True)
        context.exit(_report(found, output, warn=_seen(split, part), as_json=as_json))
    else:
        chosen = _choose(dataset, image, 1 if mode == "single" else count or _BATCH, seed)
        context.exit(_look(predictor, chosen, output and output / f"{mode}.png", as_json=as_json))


def _seen(split: Path | None, part: str) -> bool:
    """Whether a model may have learned from the images that it is measured on."""
    return split is None or part == "train"


def _check_usage(wrong: dict[str, bool]) -> None:
    said = [rule for rule, broken in wrong.items() if broken]
    if said:
        raise click.UsageError("; ".join(said))


def _read_data(
    data: Path, layout: str | None, split: Path | None, *, fold: int | None, part: str
) -> "Dataset":
    from steel_defect_detection.datasets import layouts, splits

    refuse_swapped(data)
    dataset = layouts.read(data, layout)
    if split is None:
        return dataset
    return splits.part(splits.read(split, dataset, fold=fold, with_groups=True), part)


def _report(found: "Evaluation", output: Path | None, *, warn: bool, as_json: bool) -> int:
    if warn:
        say(_UNSEEN)
    report = found.report()
    if as_json:
        echo(json.dumps(report, indent=2, allow_nan=False))
    else:
        echo("\n".join(measures.evaluation(report)))
    if output is not None:
        _say_files(found.write(output))
    return _status(found.unreadable)


def _choose(dataset: "Dataset", image: str | None, count: int, seed: int) -> "Dataset":
    from steel_defect_detection.evaluation import examples

    if image is not None:
        return dataset.subset([examples.find(dataset, image)])
    return dataset.subset(examples.draw_lots(dataset, count, seed=seed))


def _look(predictor: "Predictor", chosen: "Dataset", picture: Path | None, *, as_json: bool) -> int:
    """Judge a few images and draw them."""
    from steel_defect_detection import figures
    from steel_defect_detection.evaluation import examples

    judged, unreadable = examples.judge_all(predictor, chosen)
    if as_json:
        echo(json.dumps([example.report() for example in judged], indent=2, allow_nan=False))
    else:
        for example in judged:
            echo("\n".join(measures.example(example.report())))
    if picture is not None:
        figures.write(picture, examples.sheet(judged))
        _say_files([picture])
    return _status(unreadable)


def _times(predictor: "Predictor", dataset: "Dataset", count: int, seed: int) -> dict[str, Any]:
    from steel_defect_detection.evaluation import timing

    found = timing.measure(predictor, dataset, count=count, seed=seed)
    say_problems(list(found.unreadable.items()))
    return found.summary()


def _report_times(times: dict[str, Any], output: Path | None, *, as_json: bool) -> int:
    from steel_defect_detection import files
    from steel_defect_detection.evaluation import timing

    report = json.dumps({"times": times, "definitions": dict(timing.DEFINITIONS)}, indent=2)
    echo(report if as_json else "\n".join(measures.times(times)))
    if output is not None:
        files.write_text(output / "timing.json", report + "\n")
        _say_files([output / "timing.json"])
    return SOME_INPUTS_FAILED if times["images_left_out"] else 0


def _sweep(
    predictor: "Predictor", dataset: "Dataset", model: str | None, warn: bool, *, as_json: bool
) -> None:
    """Try thresholds, and store the best ones into a model if one is given."""
    if warn:
        say(_UNSEEN)
    from steel_defect_detection import calibration

    if model is not None:
        calibration.refuse_built_in(model)
    found = calibration.sweep(predictor, dataset)
    _print_sweep(found, as_json=as_json)
    if model is not None:
        calibration.store(model, found)
        kept = found.gainless()
        if len(kept) < len(found.classes):
            say(f"the best thresholds and least areas are stored in {model}")
        if kept:
            say(
                f"{', '.join(kept)}: nothing tried is better than outlining nothing, so the "
                "model's own thresholds and least areas stay"
            )


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


def _suspects(
    predictor: "Predictor", dataset: "Dataset", output: Path | None, warn: bool, *, as_json: bool
) -> int:
    """List what is probably labelled wrong, and draw it if there is a place for that."""
    from steel_defect_detection.evaluation import suspects

    if warn:
        say(_UNSEEN)
    found = suspects.find(predictor, dataset, progress=True)
    report = found.report()
    if as_json:
        echo(json.dumps(report, indent=2, allow_nan=False))
    else:
        echo("\n".join(measures.suspects(report)))
    if output is not None:
        _say_files(found.write(output, predictor, dataset))
    return _status(found.unreadable)


def _say_files(paths: Sequence[Path]) -> None:
    names = ", ".join(path.name for path in paths)
    say(f"{names} {'is' if len(paths) == 1 else 'are'} in {paths[0].parent}")


def _status(unreadable: Mapping[str, str]) -> int:
    """Name the images that could not be read, and give the exit status."""
    say_problems(list(unreadable.items()))
    return SOME_INPUTS_FAILED if unreadable else 0
