"""``sdd-calibrate``: a model and labelled images in, a model that knows what it is worth out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from steel_defect_detection import files
from steel_defect_detection.cli import options, tables
from steel_defect_detection.cli.command import SOME_INPUTS_FAILED, command, echo, say, say_problems
from steel_defect_detection.cli.inputs import refuse_swapped
from steel_defect_detection.cli.measures import number

if TYPE_CHECKING:
    from steel_defect_detection.calibration import Aim, Calibrated
    from steel_defect_detection.datasets.dataset import Dataset


_FEW = 100


@command("sdd-calibrate")
@click.argument("model", metavar="MODEL")
@click.argument("data", type=click.Path(path_type=Path))
@options.layout
@options.split
@options.fold
@click.option(
    "--part",
    default="validation",
    show_default=True,
    help="Part of the split to calibrate on; what is familiar is learned from its part 'train'.",
)
@click.option(
    "--target-recall", type=float, metavar="SHARE", help="Share of defects to find at least."
)
@click.option(
    "--false-reject-cost", type=float, metavar="COST", help="Cost of a good image that is stopped."
)
@click.option(
    "--false-accept-cost", type=float, metavar="COST", help="Cost of a defect that is passed."
)
@click.option(
    "--familiar-share",
    type=float,
    default=0.98,
    show_default=True,
    metavar="SHARE",
    help="Share of images like these that are to be called familiar.",
)
@click.option("--no-familiarity", is_flag=True, help="Call no image unfamiliar.")
@options.flips
@options.only_named
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write the calibrated model.  [default: MODEL itself]",
)
@options.overwrite("Replace the file of --save.")
@options.device()
@options.output("Folder for calibration.json, thresholds.csv and pictures.")
@options.as_json("everything")
@click.pass_context
def main(
    context: click.Context,
    model: str,
    data: Path,
    *,
    layout: str | None,
    split: Path | None,
    fold: int | None,
    part: str,
    target_recall: float | None,
    false_reject_cost: float | None,
    false_accept_cost: float | None,
    familiar_share: float,
    no_familiarity: bool,
    flips: Any,
    only_named: bool | None,
    save: Path | None,
    overwrite: bool,
    device: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Find out on labelled images what a model's numbers are worth, and store it in the model.

    Its probabilities then say how often they are right, its thresholds reach
    a recall or cost the least, and it knows which images are like those it was
    made for. Take images that the model did not learn from, and not those of
    the final test. Without a recall or costs every decision stays as it is.
    """
    _check_usage(context, data, has_split=split is not None)
    refuse_swapped(data)
    # Imported late: --help must not wait for torch.
    from steel_defect_detection import calibration

    target = calibration.place_for(model, save, overwrite=overwrite)
    # Before the work, which takes minutes.
    for path in (target, *([] if output is None else [output / "calibration.json"])):
        files.refuse_unwritable(path)
    aim = _aim(target_recall, false_reject_cost, false_accept_cost)
    dataset, training = _read(data, layout, split, fold=fold, part=part)
    found = calibration.calibrate(
        model,
        dataset,
        training=training,
        aim=aim,
        kept=None if no_familiarity else familiar_share,
        data=data.resolve().name,
        split="" if split is None else part,
        flips=flips,
        only_named=only_named,
        device=device,
        progress=True,
    )
    found.save(target)
    _say_few(found.metrics.get("familiar_images"))
    report = calibration.report(found)
    echo(json.dumps(report, indent=2, allow_nan=False) if as_json else "\n".join(_lines(found)))
    if output is not None:
        names = ", ".join(path.name for path in calibration.write(found, output))
        say(f"{names} are in {output}")
    say(f"the calibrated model is in {target}")
    for name, reason in found.not_chosen.items():
        say(f"the threshold of {name} was not chosen: {reason}")
    say_problems(list(found.unreadable.items()))
    context.exit(SOME_INPUTS_FAILED if found.unreadable else 0)


def _say_few(images: int | None) -> None:
    if images is not None and images < _FEW:
        say(
            f"{images} images are few to learn from what is familiar: unusual ones among them "
            "decide where it ends. Take some hundred, or look at it with care"
        )


def _check_usage(context: click.Context, data: Path, *, has_split: bool) -> None:
    """Refuse options that would do nothing, and arguments that changed places."""
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) == ParameterSource.COMMANDLINE
    }
    wrong = {
        "--fold needs --split": "fold" in given and not has_split,
        "--part needs --split": "part" in given and not has_split,
        "--familiar-share and --no-familiarity exclude each other": given
        >= {"familiar_share", "no_familiarity"},
        f"DATA is a model, {data}: MODEL comes first, then DATA": data.suffix == ".safetensors",
    }
    said = [rule for rule, broken in wrong.items() if broken]
    if said:
        raise click.UsageError("; ".join(said))


def _aim(recall: float | None, reject: float | None, accept: float | None) -> "Aim | None":
    from steel_defect_detection.calibration import Aim

    if recall is None and reject is None and accept is None:
        return None
    return Aim(target_recall=recall, false_reject_cost=reject, false_accept_cost=accept)


def _read(
    data: Path, layout: str | None, split: Path | None, *, fold: int | None, part: str
) -> "tuple[Dataset, Dataset | None]":
    """The images to calibrate on, and those that the model learned from, if they are known."""
    from steel_defect_detection.datasets import layouts, splits

    dataset = layouts.read(data, layout)
    if split is None:
        say("without --split all images are taken: the model must not have learned from them")
        return dataset, None
    if part == "train":
        say("the part 'train' is taken: the model must not have learned from it")
    assigned = splits.read(split, dataset, fold=fold)
    has_training = part != "train" and "train" in assigned
    return splits.part(assigned, part), splits.part(assigned, "train") if has_training else None


def _lines(found: "Calibrated") -> Iterator[str]:
    header = found.checkpoint.header
    images = 0 if header.calibration is None else header.calibration.images
    flips = "" if header.flips == "none" else f", with flips {header.flips}"
    yield f"calibrated on {images} images{flips}"
    for name, value in found.metrics.items():
        yield f"  {name.replace('_', ' ')} {number(value)}"
    yield from _points(found.points)
    if header.thresholds.familiarity:
        yield f"  unfamiliar below a familiarity of {header.thresholds.familiarity:.4g}"


def _points(points: list[dict[str, Any]]) -> Iterator[str]:
    if not points:
        return
    titles = ["decision", "threshold", "good", "overkill", "95 %", "defective", "underkill", "95 %"]
    rows = [
        [
            point["name"],
            number(point["threshold"]),
            *_share(point, "good", "overkill"),
            *_share(point, "defective", "underkill"),
        ]
        for point in points
    ]
    yield from (f"  {line}" for line in tables.numbers([titles, *rows]))


def _share(point: dict[str, Any], count: str, share: str) -> list[str]:
    return [str(point[count]), number(point[share]), number(point[f"{share}_interval"])]
