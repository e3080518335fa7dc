"""``sdd-export``: a model in, networks for other engines out."""

from pathlib import Path
from typing import Any

import click

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import command, echo, say
from steel_defect_detection.cli.values import Size


@command("sdd-export")
@click.argument("model", default="strip", metavar="[MODEL]")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["onnx", "openvino", "torchscript"]),
    default="onnx",
    show_default=True,
    help="What the networks are written for.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16", "int8"]),
    default="float32",
    show_default=True,
    help="float16 halves the files; int8 also computes with whole numbers.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Images to compare on and to adjust int8 to.  [default: the built-in samples]",
)
@click.option(
    "--size",
    type=Size(),
    help="Size of the images it is to take.  [default: what the model sees, or 256x1600]",
)
@options.output("Folder to write.  [default: exports/MODEL-FORMAT[-PRECISION]]")
@options.overwrite("Replace an export that is there.")
@options.as_json("what the files say")
def main(
    model: str,
    *,
    file_format: Any,
    precision: Any,
    calibration: Path | None,
    size: tuple[int, int] | None,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write a model for another engine, if it says there what it says in PyTorch.

    MODEL is a built-in model, a checkpoint file or a run folder. The output folder
    gets one file per network; sdd-predict --model takes that folder. Networks that
    differ too much from PyTorch are refused, and nothing is written.
    """
    # Imported late: --help must not wait for torch.
    from steel_defect_detection.export.writing import export

    made = export(
        model,
        output,
        file_format=file_format,
        precision=precision,
        calibration=calibration,
        size=size,
        overwrite=overwrite,
    )
    about = made.description
    if as_json:
        echo(about.model_dump_json(indent=2))
        return
    for graph, compared in about.comparison.items():
        echo(f"{graph}: {_words(compared)}")
    height, width, _ = about.image_shape
    echo(f"{made.folder} takes images of {width} x {height} pixels")
    if size is None:
        say("images of any other size it refuses: name the size of yours with --size HEIGHTxWIDTH")
    if not any(compared.outlines for compared in about.comparison.values()) and any(
        compared.same_masks is not None for compared in about.comparison.values()
    ):
        say(
            f"nothing is outlined on any of the {about.compared_on}, so the masks were compared "
            "without a defect. Name a folder of images with defects by --calibration"
        )


def _words(compared: Any) -> str:
    """How a network compares with PyTorch, in one line."""
    parts = [f"probabilities differ by at most {compared.probability_difference:.2g}"]
    if compared.same_decisions is not None:
        parts.append(f"{compared.same_decisions:.1%} of the decisions are the same")
    if compared.same_masks is not None:
        parts.append(f"{compared.same_masks:.1%} of the masks are identical")
    if compared.dice is not None:
        parts.append(f"mean Dice of {compared.outlines} outlines {compared.dice:.4f}")
    return f"on {compared.images} images {', '.join(parts)}"
