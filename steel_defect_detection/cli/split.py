"""``sdd-split``: a data set in, a split without leaks out."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import (
    FAILED,
    SOME_INPUTS_FAILED,
    command,
    echo,
    say,
    say_problems,
)
from steel_defect_detection.cli.values import Shares
from steel_defect_detection.errors import ConfigError

if TYPE_CHECKING:
    from steel_defect_detection.datasets.dataset import Dataset
    from steel_defect_detection.datasets.splitting import Split


@command("sdd-split")
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.layout
@click.option(
    "--shares",
    type=Shares(),
    default="train=0.7,validation=0.15,test=0.15",
    show_default=True,
    help="Parts and their shares.",
)
@click.option("--folds", type=click.IntRange(min=2), help="Deal into so many folds instead.")
@options.seed("the deal")
@click.option(
    "--groups",
    type=click.Choice(["both", "given", "pictures", "none"]),
    default="both",
    show_default=True,
    help="What keeps images together: what the data set says, likeness of the images, or both.",
)
@click.option(
    "--check",
    metavar="WHAT",
    help="Only look for leaks: in a split.csv, in the 'published' parts, or between 'sets'.",
)
@options.output("File to write.", default="split.csv", is_file=True)
@options.overwrite("Replace a file that is there.")
@options.as_json("everything")
@click.pass_context
def main(
    context: click.Context,
    data: tuple[Path, ...],
    *,
    layout: str | None,
    shares: dict[str, float],
    folds: int | None,
    seed: int,
    groups: Any,
    check: str | None,
    output: Path,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Part a data set into training, validation and test images.

    Classes are spread evenly, and images that show the same thing (frames of
    one weld, lights on one tile, turned copies) stay together. With --check
    nothing is written; several data sets may then be named, to look for
    images that stand in more than one. The exit status is 1 if anything leaks.
    """
    # Imported late: --help must not wait for them.
    from steel_defect_detection.datasets import layouts, splits, splitting

    if check is not None:
        checked = splitting.check(_read(data, layout), check, way=groups, progress=True)
        _finish(context, checked, as_json=as_json)
    if len(data) > 1:
        msg = "one data set is split at a time; several are compared with --check sets"
        raise click.UsageError(msg)
    if folds is not None and context.get_parameter_source("shares") != ParameterSource.DEFAULT:
        msg = "--folds are of equal size; leave out --shares"
        raise click.UsageError(msg)
    if output.exists() and not overwrite:
        msg = f"{output} is there already: choose another --output, or add --overwrite"
        raise ConfigError(msg)
    if output.exists() and not splits.is_split(output):
        msg = f"{output} is no split.csv, and stays as it is: choose another --output"
        raise ConfigError(msg)
    found = splitting.split(
        layouts.read(data[0], layout),
        shares=shares,
        fold_count=folds,
        seed=seed,
        way=groups,
        progress=True,
    )
    found.write(output)
    if found.folds is None and not {"train", "validation"} <= found.images.keys():
        say("sdd-train looks for parts that are called train and validation")
    for part, classes in found.absent.items():
        say(f"{part} shows no {', '.join(classes)}: there are too few groups of images that do")
    say(f"the split is in {output}")
    _finish(context, found, as_json=as_json)


def _read(folders: tuple[Path, ...], layout: str | None) -> dict[str, "Dataset"]:
    """Read data sets by name: that of the folder, or its path where names repeat."""
    from steel_defect_detection.datasets import layouts

    names = [folder.resolve().name for folder in folders]
    if len({folder.resolve() for folder in folders}) < len(folders):
        msg = "a data set is named twice"
        raise click.UsageError(msg)
    return {
        name if names.count(name) == 1 else str(folder.resolve()): layouts.read(folder, layout)
        for name, folder in zip(names, folders, strict=True)
    }


def _finish(context: click.Context, found: "Split", *, as_json: bool) -> None:
    say_problems(found.problems)
    if as_json:
        echo(json.dumps(_as_json(found), indent=2))
    else:
        _print_text(found)
    # Only what others have parted can leak.
    context.exit(FAILED if found.leaks else SOME_INPUTS_FAILED if found.problems else 0)


def _as_json(found: "Split") -> dict[str, Any]:
    return {
        "images": dict(found.images),
        "class_images": found.class_images,
        "groups": len(set(found.groups.values())),
        "leaks": [asdict(leak) for leak in found.leaks],
        "problems": [problem._asdict() for problem in found.problems],
    }


def _print_text(found: "Split") -> None:
    echo(f"{len(found.parts):,} images in {len(set(found.groups.values())):,} groups")
    for part, count in found.images.items():
        classes = ", ".join(f"{name} {n:,}" for name, n in found.class_images[part].items() if n)
        echo(f"{part}: {count:,} images" + (f" ({classes})" if classes else ""))
    for leak in found.leaks:
        examples = "; ".join(f"{one} like {other}" for one, other in leak.examples)
        echo(f"leak: {len(leak.images):,} of {leak.part} stand in {leak.other} too: {examples}")
    if not found.leaks:
        echo("no leaks")
