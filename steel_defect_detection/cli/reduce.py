"""``sdd-reduce``: a data set in, a smaller one out."""

import json
from pathlib import Path

import click

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import SOME_INPUTS_FAILED, command, echo, say, say_problems


@command("sdd-reduce")
@click.argument("data", type=click.Path(path_type=Path))
@options.output("Folder for the smaller data set.", required=True)
@click.option(
    "--per-class",
    required=True,
    type=click.IntRange(min=1),
    help="Images of each class, and as many free of defects.",
)
@options.seed("the choice")
@options.layout
@options.overwrite("Replace an earlier result.")
@options.as_json("the counts")
@click.pass_context
def main(
    context: click.Context,
    data: Path,
    output: Path,
    *,
    per_class: int,
    seed: int,
    layout: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Cut a data set down to a few images of each class.

    DATA is the data set's folder. Image files are copied as they are;
    sources.csv in the output says where each came from. Nothing is deleted.
    """
    # Imported late: --help must not wait for them.
    from steel_defect_detection.datasets import layouts
    from steel_defect_detection.datasets.overview import plain
    from steel_defect_detection.datasets.reduction import reduce

    reduction = reduce(
        layouts.read(data, layout),
        output,
        per_class=per_class,
        seed=seed,
        overwrite=overwrite,
        progress=True,
    )
    say_problems(reduction.problems)
    if reduction.short:
        say(f"fewer than {per_class} images of: {', '.join(map(plain, reduction.short))}")
    if reduction.few_clean:
        say(f"fewer than {per_class} images are free of defects")
    images, classes = len(reduction.names), reduction.class_images
    if as_json:
        counts = {"images": images, "clean": reduction.clean, "classes": classes}
        echo(json.dumps({"output": str(output), "layout": reduction.layout, "counts": counts}))
    else:
        parts = ", ".join(f"{count} {plain(name)}" for name, count in classes.items())
        echo(
            f"{images} images, {parts}, {reduction.clean} free of defects. "
            f"The data set is in {output}, layout {reduction.layout}"
        )
    context.exit(SOME_INPUTS_FAILED if reduction.problems else 0)
