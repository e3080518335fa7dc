"""``sdd-inspect``: a data set in, what is in it and what is wrong with it out."""

import json
from pathlib import Path

import click

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import SOME_INPUTS_FAILED, command, echo, say, say_problems


@command("sdd-inspect")
@click.argument("data", type=click.Path(path_type=Path))
@options.layout
@options.output("Folder for inspection.json and the plots.  [default: none are written]")
@options.as_json("everything")
@click.pass_context
def main(
    context: click.Context, data: Path, *, layout: str | None, output: Path | None, as_json: bool
) -> None:
    """Look through a data set before training on it.

    DATA is the data set's folder. Counted are images, classes, pixels and
    sizes; named are images that are equal, cannot be read, or do not fit
    their annotations.
    """
    # Imported late: --help must not wait for them.
    from steel_defect_detection.datasets import layouts, output_folder, overview
    from steel_defect_detection.datasets.inspection import inspect

    dataset = layouts.read(data, layout)
    if output is not None:
        output_folder.prepare(output, overwrite=True)
    inspection = inspect(dataset, progress=True)
    say_problems(inspection.problems)
    if as_json:
        echo(json.dumps(overview.as_json(inspection), indent=2))
    else:
        echo(overview.text(inspection))
    if output is not None:
        paths = overview.write(inspection, dataset, output)
        say(f"{', '.join(path.name for path in paths)} are in {output}")
    context.exit(SOME_INPUTS_FAILED if inspection.problems else 0)
