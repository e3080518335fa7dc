"""``sdd-benchmark``: how fast the package is on this machine."""

import json
from pathlib import Path
from typing import Any

import click

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import command, echo, say
from steel_defect_detection.cli.values import Size


@command("sdd-benchmark")
@click.option(
    "--model", default="strip", show_default=True, help="Built-in name, file, or run folder."
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder of strips to make the files from.  [default: the built-in samples]",
)
@click.option(
    "--count", type=int, default=32, show_default=True, metavar="N", help="Files of each mix."
)
@click.option(
    "--mixes",
    default="clean,half",
    show_default=True,
    help="Shares of defects: 'clean' for none, 'half'.",
)
@click.option(
    "--each",
    type=int,
    default=8,
    show_default=True,
    metavar="N",
    help="Files of each mix for every configuration but the operating point, which sees all.",
)
@click.option(
    "--size",
    type=Size(),
    default="256x1600",
    show_default=True,
    help="Size of the files in pixels.",
)
@click.option(
    "--reference/--no-reference",
    default=True,
    show_default=True,
    help="Run the reference way in turns with ours.",
)
@click.option(
    "--configurations/--no-configurations",
    default=True,
    show_default=True,
    help="Measure each topology on each engine in each precision, too.",
)
@click.option(
    "--reference-images",
    type=int,
    default=8,
    show_default=True,
    metavar="N",
    help="Files of each mix for the reference way.",
)
@click.option(
    "--runtime",
    multiple=True,
    help="Engine to measure, may be repeated; the first is the operating point.  [default: all]",
)
@click.option(
    "--precision",
    multiple=True,
    help="Arithmetic to measure, may be repeated; the first is the operating point.  "
    "[default: all]",
)
@options.flips
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Threads per network; 0 for as many as there are cores.",
)
@options.device(default="cpu")
@click.option(
    "--repeats",
    type=int,
    default=10,
    show_default=True,
    metavar="N",
    help="Timed answers of each network.",
)
@click.option(
    "--judge",
    multiple=True,
    metavar="[MODEL=]FOLDER",
    help="Labelled images on which to compare the gate with PyTorch in float32; may be repeated.",
)
@click.option(
    "--careful",
    metavar="MODEL",
    help="Model that --judge compares with.  [default: the model itself]",
)
@options.output("Folder for benchmark.json, benchmark.md and benchmark.png.", default="benchmark")
@options.seed("the files")
@options.as_json("everything")
def main(
    *,
    model: str,
    images: Path | None,
    count: int,
    mixes: str,
    each: int,
    size: tuple[int, int],
    reference: bool,
    configurations: bool,
    reference_images: int,
    runtime: tuple[str, ...],
    precision: tuple[str, ...],
    flips: Any,
    threads: int,
    device: str,
    repeats: int,
    judge: tuple[str, ...],
    careful: str | None,
    output: Path,
    seed: int,
    as_json: bool,
) -> None:
    """Measure speed, against this machine and against the reference way.

    Files are made from real strips, no two alike, and judged from disk to disk
    by the model, in turns with the reference way: EfficientNet-B2 and LinkNet
    in eager PyTorch, float32, two threads, one image at a time. Then each
    topology is measured on each engine in each precision.
    """
    # Imported late: --help must not wait for torch.
    from steel_defect_detection.benchmark import report
    from steel_defect_detection.benchmark.run import run
    from steel_defect_detection.benchmark.settings import Settings

    settings = Settings(
        model=model,
        images=images,
        count=count,
        mixes=tuple(name.strip() for name in mixes.split(",")),
        each=each,
        size=size,
        reference=reference,
        configurations=configurations,
        reference_images=reference_images,
        runtimes=runtime,
        precisions=precision,
        flips=flips,
        threads=threads,
        device=device,
        repeats=repeats,
        judge=tuple(_model_and_folder(text) for text in judge),
        careful=careful,
        seed=seed,
    )
    found = run(settings, say=say)
    echo(json.dumps(found, indent=2, allow_nan=False) if as_json else report.markdown(found))
    paths = report.write(found, output)
    say(f"{', '.join(path.name for path in paths)} are in {output}")


def _model_and_folder(text: str) -> tuple[str | None, Path]:
    model, _, folder = text.rpartition("=")
    return model or None, Path(folder)
