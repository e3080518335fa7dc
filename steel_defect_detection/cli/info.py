"""``sdd-info``: a model in, what stands in its header out."""

import json
from pathlib import Path

import click

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import command, echo, say


@command("sdd-info")
@click.argument("model", default="strip", metavar="[MODEL]")
@options.as_json("the whole header")
@click.option(
    "--graph",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the architecture into this PNG file.",
)
def main(model: str, *, as_json: bool, graph: Path | None) -> None:
    """Print what a model is, what it was trained on and how it was measured.

    MODEL is a built-in model, a checkpoint file or a run folder. The weights
    are read, but nothing is executed.
    """
    # Imported late: --help must not wait for it.
    from steel_defect_detection import checkpoints

    checkpoint = checkpoints.load(model)
    if as_json:
        echo(json.dumps(checkpoint.header.model_dump(mode="json"), indent=2))
    else:
        echo(checkpoints.describe(checkpoint))
    if graph is not None:
        from steel_defect_detection.models import diagram

        diagram.write(graph, checkpoint.header.graphs)
        say(f"the architecture is drawn in {graph}")
