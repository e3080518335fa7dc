"""``sdd-coil``: the images of one coil in, a map of its defects and what recurs out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from steel_defect_detection import coil, files, images, results
from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import (
    SOME_INPUTS_FAILED,
    command,
    echo,
    say,
    say_problems,
)
from steel_defect_detection.cli.inputs import photographs
from steel_defect_detection.cli.values import FiniteRange
from steel_defect_detection.coil import ahead, writing
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.results import resuming

_LENGTH = "in millimetres, or pixels without --mm-per-pixel"
_POSITIVE = FiniteRange(min=0, min_open=True)
# From a microscope to a satellite.
_SCALE = FiniteRange(1e-4, 1e5)
_SHORTEST_PERIOD = 100


@command("sdd-coil")
@click.argument("sources", nargs=-1, required=True, metavar="RESULTS_OR_IMAGES...")
@click.option("--mm-per-pixel", type=_SCALE, help="Size of a pixel, along and across.")
@click.option(
    "--length-axis",
    type=click.Choice(["x", "y"]),
    default="x",
    show_default=True,
    help="Axis of the images along the coil: x is left to right, y is top to bottom.",
)
@click.option(
    "--order",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Table (csv) with a column 'image', and 'start_mm' or 'start' where there are gaps.",
)
@click.option(
    "--join",
    type=FiniteRange(min=-1),
    default=coil.JOIN,
    show_default=True,
    metavar="PIXELS",
    help="Most pixels between pieces of one class that are one defect; -1 for touching ones only.",
)
@click.option(
    "--zones",
    type=click.IntRange(1, coil.zones.MOST_ZONES),
    default=coil.ZONES,
    show_default=True,
    help="Parts of the width to count in.",
)
@click.option(
    "--false-alarms",
    type=FiniteRange(min=0, max=1, min_open=True, max_open=True),
    default=coil.Settings.false_alarms,
    show_default=True,
    help="How often a coil without marks may be said to have some.",
)
@click.option(
    "--shortest-period",
    type=_POSITIVE,
    help=f"Shortest period, {_LENGTH}.  [default: {_SHORTEST_PERIOD}]",
)
@click.option(
    "--longest-period",
    type=_POSITIVE,
    help=f"Longest period, {_LENGTH}.  [default: a fifth of the coil]",
)
@click.option(
    "--tolerance",
    type=_POSITIVE,
    help=f"How far a mark may lie from its place along the coil, {_LENGTH}.  "
    "[default: half a usual defect]",
)
@click.option(
    "--tolerance-across", type=_POSITIVE, help="Likewise across.  [default: half a usual defect]"
)
@click.option(
    "--model", default="strip", show_default=True, help="What judges images that are named."
)
@options.runtime("What runs its networks.")
@options.device()
@options.output("Folder for the map and the tables.", default="coil")
@options.overwrite("Replace files of these names that are no coil's.")
@options.as_json("what coil.json holds")
@click.pass_context
def main(
    context: click.Context,
    sources: tuple[str, ...],
    output: Path,
    *,
    mm_per_pixel: float | None,
    length_axis: Any,
    order: Path | None,
    join: float,
    zones: int,
    false_alarms: float,
    shortest_period: float | None,
    longest_period: float | None,
    tolerance: float | None,
    tolerance_across: float | None,
    model: str,
    runtime: Any,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Lay the defects of one coil out, and find what comes again.

    RESULTS_OR_IMAGES is the folder that sdd-predict left of the images of one
    coil; or image files, folders and patterns, which are judged first, with
    their results in the output folder. Images lie along the coil as they were
    given to sdd-predict (the files of a folder by name), unless --order says
    otherwise; images that it does not name are left out.

    A mark that comes again at a constant distance is a roll's: the distance
    divided by pi is the diameter of the roll. coil.html holds the map.
    """
    _check_periods(shortest_period or _SHORTEST_PERIOD, longest_period)
    units = coil.Units(mm_per_pixel)
    settings = coil.Settings(
        false_alarms=false_alarms,
        shortest=units.pixels(shortest_period),
        longest=units.pixels(longest_period),
        tolerance=units.pixels(tolerance),
        tolerance_across=units.pixels(tolerance_across),
    )
    files.refuse_unwritable(output / "coil.html")
    if not overwrite:
        writing.refuse_foreign(output)
    layout = {"mm_per_pixel": mm_per_pixel, "length_axis": length_axis, "order_file": order}
    folder = _results_of(sources)
    if folder is not None:
        _refuse_judging(context, folder)
    else:
        paths = photographs(sources, skip=[output / name for name in images.RESULT_FOLDERS])
        ahead.refuse_unfit(paths, **layout)
        _judge(paths, output, model=model, runtime=runtime, device=device)
    laid_out = coil.read(folder or output, **layout, join=join)
    report = coil.examine(laid_out, settings, zone_count=zones)
    coil.write(report, output, title=f"Coil {Path(sources[0]).resolve().name}")
    _print(report, output, as_json=as_json)
    if laid_out.unread.any() and folder is not None:
        _say_unread(folder, report)
    if laid_out.unread.any() or laid_out.is_partial:
        context.exit(SOME_INPUTS_FAILED)


def _results_of(sources: Sequence[str]) -> Path | None:
    """The results folder that is named; None if images are."""
    for one in sources:
        _refuse_remains(Path(one))
    folders = [Path(one) for one in sources if (Path(one) / "images.csv").is_file()]
    if folders and len(sources) > 1:
        msg = f"name one results folder, or images: {folders[0]} holds results"
        raise click.UsageError(msg)
    return folders[0] if folders else None


def _refuse_remains(folder: Path) -> None:
    """Refuse a folder whose pictures would be taken for photographs."""
    if (folder / "images.csv").is_file():
        return
    if resuming.is_record(folder / "run.json"):
        msg = f"{folder} holds run.json and no images.csv: judge its images again with sdd-predict"
        raise ResultsError(msg)
    if (folder / "coil.json").is_file():
        msg = f"{folder} is what sdd-coil left: name the results that it was made from"
        raise ResultsError(msg)


def _refuse_judging(context: click.Context, folder: Path) -> None:
    """Refuse options about how images are judged where they have been."""
    for name in ("model", "runtime", "device"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            msg = f"{folder} holds results already, so --{name} changes nothing: name the images"
            raise click.UsageError(msg)


def _check_periods(shortest: float, longest: float | None) -> None:
    if longest is not None and longest < shortest:
        msg = (
            f"the longest period, {longest:g}, is less than the shortest, {shortest:g}: give both "
            "--shortest-period and --longest-period"
        )
        raise click.UsageError(msg)


def _judge(paths: Sequence[Path], output: Path, *, model: str, runtime: Any, device: str) -> None:
    # Imported late: --help must not wait for torch.
    from steel_defect_detection.predictors.load import load_predictor
    from steel_defect_detection.predictors.predict_files import predict_files

    predictor = load_predictor(model, runtime=runtime, device=device)
    predict_files(
        predictor, paths, output, overlays=False, progress=True, record={"command": "sdd-coil"}
    )


def _print(report: coil.Report, output: Path, *, as_json: bool) -> None:
    if as_json:
        echo(json.dumps(report.facts(), allow_nan=False))
        return
    for line in coil.sentences(report):
        echo(line)
    if report.coil.mm_per_pixel is None:
        say("lengths are in pixels: --mm-per-pixel gives millimetres, and a roll's diameter")
    echo(f"The map is {output / 'coil.html'}")


def _say_unread(folder: Path, report: coil.Report) -> None:
    table = results.read_images(folder)
    reasons = dict(zip(table["file"], table["error"].fillna(""), strict=True))
    unread = zip(report.coil.images, report.coil.unread, strict=True)
    say_problems(
        [(name, reasons[name] or "it could not be judged") for name, skip in unread if skip]
    )
