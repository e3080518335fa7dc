"""``sdd-predict``: images in, masks and tables out."""

import json
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import click

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import SOME_INPUTS_FAILED, command, echo, say
from steel_defect_detection.cli.inputs import photographs
from steel_defect_detection.cli.values import per_class

Values = tuple[tuple[str, float], ...]


@command("sdd-predict")
@click.argument("images", nargs=-1, metavar="[IMAGES_OR_FOLDERS]...")
@options.model
@options.gate
@options.output("Folder for the results.", default="outputs")
@options.threshold
@options.gate_threshold
@options.min_area
@options.least_familiarity
@options.on_unfamiliar
@options.fill_holes
@click.option("--overlays/--no-overlays", default=True, help="Draw the outlined images.")
@click.option("--probabilities", is_flag=True, help="Keep the probabilities as .npz.")
@options.runtime(
    "What runs the networks; auto is OpenVINO without a GPU, after a short conversion."
)
@options.threads
@options.device()
@options.precision
@click.option("--resume", is_flag=True, help="Keep what an interrupted run finished, and go on.")
@options.as_json("the counts")
@click.pass_context
def main(
    context: click.Context,
    images: tuple[str, ...],
    output: Path,
    *,
    model: str,
    gate: str | None,
    threshold: Values,
    gate_threshold: float | None,
    min_area: Values,
    least_familiarity: float | None,
    on_unfamiliar: Any,
    fill_holes: bool,
    overlays: bool,
    probabilities: bool,
    runtime: Any,
    threads: int,
    device: str,
    precision: Any,
    resume: bool,
    as_json: bool,
) -> None:
    """Outline the defects on images.

    IMAGES_OR_FOLDERS are image files, folders (with the folders below them)
    or patterns; without any, the built-in sample strips are judged. For each
    image the output folder gets a mask, an overlay and a row in images.csv;
    run lengths go to predictions.csv.
    """
    # A service that is stopped leaves its results as complete as a person who presses Ctrl-C.
    if current_thread() is main_thread():
        usual = signal.signal(signal.SIGTERM, _interrupt)
        context.call_on_close(partial(signal.signal, signal.SIGTERM, usual))
    paths = _find(images, output)
    # Imported late: --help must not wait for torch.
    from steel_defect_detection.predictors.load import load_predictor
    from steel_defect_detection.predictors.predict_files import predict_files

    predictor = load_predictor(
        model,
        gate=gate,
        threshold=per_class(threshold),
        gate_threshold=gate_threshold,
        min_area=per_class(min_area),
        least_familiarity=least_familiarity,
        on_unfamiliar=on_unfamiliar,
        fill_holes=fill_holes,
        keep_probabilities=probabilities,
        runtime=runtime,
        threads=threads,
        device=device,
        precision=precision,
    )
    try:
        counts = predict_files(
            predictor,
            paths,
            output,
            overlays=overlays,
            resume=resume,
            progress=True,
            record={"command": "sdd-predict"},
        )
    except KeyboardInterrupt:
        say("the same command with --resume goes on")
        raise
    _report(counts, output, as_json=as_json)
    context.exit(SOME_INPUTS_FAILED if counts.get("error") else 0)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _find(sources: Sequence[str], output: Path) -> list[Path]:
    from steel_defect_detection import images

    if sources:
        return photographs(sources, skip=[output / name for name in images.RESULT_FOLDERS])
    say("no images named, so the built-in sample strips are judged")
    return images.samples()


def _report(counts: dict[str, int], output: Path, *, as_json: bool) -> None:
    if as_json:
        echo(json.dumps({"output": str(output), **counts}))
        return
    words = {
        "defect": "with defects",
        "clean": "clean",
        "unfamiliar": "unfamiliar",
        "error": "could not be judged",
    }
    parts = [f"{counts[key]} {text}" for key, text in words.items() if counts.get(key)]
    echo(f"{counts['images']} images: {', '.join(parts)}. Results are in {output}")
