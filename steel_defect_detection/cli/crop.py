"""``sdd-crop``: a data set with masks in, one picture per defect out."""

import json
from pathlib import Path

import click

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import SOME_INPUTS_FAILED, command, echo, say, say_problems


@command("sdd-crop")
@click.argument("data", type=click.Path(path_type=Path))
@options.output("Folder for the crops, one folder per class.", required=True)
@click.option(
    "--margin",
    type=float,
    default=0.1,
    show_default=True,
    help="Border on each side, as a share of the defect's longer side.",
)
@click.option(
    "--min-area",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Least pixels of a defect; smaller ones are left out.",
)
@click.option(
    "--join",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="PIXELS",
    help="Count defects of one class this near to each other as one.",
)
@options.layout
@options.overwrite("Write into a folder that holds something.")
@options.as_json("the counts")
@click.pass_context
def main(
    context: click.Context,
    data: Path,
    output: Path,
    *,
    margin: float,
    min_area: int,
    join: int,
    layout: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Cut the defects out of the images of a data set.

    DATA is the data set's folder. Each connected defect becomes a picture in
    the folder of its class; crops.csv says where it lay. Nothing is deleted.
    """
    # Imported late: --help must not wait for them.
    from steel_defect_detection.datasets import layouts
    from steel_defect_detection.datasets.crops import Cutting, cut
    from steel_defect_detection.datasets.overview import plain

    how = Cutting(margin=margin, min_area=min_area, join=join)
    crops = cut(layouts.read(data, layout), output, how, overwrite=overwrite, progress=True)
    say_problems(crops.problems)
    if crops.left_over:
        say(
            f"{len(crops.left_over)} pictures that this run did not write lie in {output}, "
            f"first: {crops.left_over[0]}"
        )
    classes = crops.counts()
    if as_json:
        counts = {"crops": len(crops.crops), "classes": classes}
        echo(json.dumps({"output": str(output), "counts": counts}))
    else:
        parts = [f"{count} {plain(name)}" for name, count in classes.items()]
        echo(f"{', '.join([f'{len(crops.crops)} crops', *parts])}. They are in {output}")
    context.exit(SOME_INPUTS_FAILED if crops.problems else 0)
