"""``sdd-predict``: images in, masks and tables out."""

import json
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import click

from steel_defect_detection import files
from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import SOME_INPUTS_FAILED, command, echo, say
from steel_defect_detection.cli.inputs import photographs
from steel_defect_detection.cli.values import FiniteRange, per_class
from steel_defect_detection.errors import ImageError, NoImagesError
from steel_defect_detection.wording import amount

# Looking at more would cost time; of many images hardly all are broken.
_FEW = 8

Values = tuple[tuple[str, float], ...]


@command("sdd-predict")
@click.argument("images", nargs=-1, metavar="[IMAGES_OR_FOLDERS]...")
@options.model
@options.gate
@options.output_or_address("Folder for the results.", default="outputs")
@options.threshold
@options.gate_threshold
@options.min_area
@options.least_familiarity
@options.only_named
@options.on_unfamiliar
@options.fill_holes
@options.flips
@click.option("--overlays/--no-overlays", default=True, help="Draw the outlined images.")
@click.option("--probabilities", is_flag=True, help="Keep the probabilities as .npz.")
@options.runtime(
    "What runs the networks; auto is OpenVINO without a GPU, after a short conversion."
)
@options.threads
@options.device()
@options.precision
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where images are judged: here, or on the workers of a Ray cluster.",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="A running cluster, or auto.  [default: $RAY_ADDRESS, or one of this machine]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Workers of the cluster, each with a model of its own.  [default: as many as fit]",
)
@click.option(
    "--cpus-per-worker",
    type=FiniteRange(min=0, min_open=True),
    help="Processors of each worker.  [default: 1]",
)
@click.option(
    "--gpus-per-worker", type=FiniteRange(min=0), help="GPUs of each worker.  [default: 0]"
)
@click.option("--resume", is_flag=True, help="Keep what an interrupted run finished, and go on.")
@options.as_json("the counts")
@click.pass_context
def main(
    context: click.Context,
    images: tuple[str, ...],
    output: Path | str,
    *,
    model: str,
    gate: str | None,
    threshold: Values,
    gate_threshold: float | None,
    min_area: Values,
    least_familiarity: float | None,
    only_named: bool | None,
    on_unfamiliar: Any,
    fill_holes: bool,
    flips: Any,
    overlays: bool,
    probabilities: bool,
    runtime: Any,
    threads: int,
    device: str,
    precision: Any,
    engine: str,
    ray_address: str | None,
    workers: int | None,
    cpus_per_worker: float | None,
    gpus_per_worker: float | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Outline the defects on images.

    IMAGES_OR_FOLDERS are image files, folders (with the folders below them)
    or patterns; without any, the built-in sample strips are judged. For each
    image the output folder gets a mask, an overlay and a row in images.csv;
    run lengths go to predictions.csv.

    With --engine ray, images may also be lists (csv, Parquet) and addresses
    such as s3://bucket/coil, and --output an address.
    """
    # A service that is stopped leaves its results as complete as a person who presses Ctrl-C.
    if current_thread() is main_thread():
        usual = signal.signal(signal.SIGTERM, _interrupt)
        context.call_on_close(partial(signal.signal, signal.SIGTERM, usual))
    settings = {
        "gate": gate,
        "threshold": per_class(threshold),
        "gate_threshold": gate_threshold,
        "min_area": per_class(min_area),
        "least_familiarity": least_familiarity,
        "only_named": only_named,
        "on_unfamiliar": on_unfamiliar,
        "fill_holes": fill_holes,
        "keep_probabilities": probabilities,
        "flips": flips,
        "runtime": runtime,
        "device": device,
        "precision": precision,
    }
    if threads:
        settings["threads"] = threads
    doing = {
        "overlays": overlays,
        "resume": resume,
        "progress": True,
        "record": {"command": "sdd-predict"},
    }
    cluster = {
        "address": ray_address,
        "workers": workers,
        "cpus": cpus_per_worker,
        "gpus": gpus_per_worker,
    }
    cluster = {name: value for name, value in cluster.items() if value is not None}
    try:
        if engine == "ray":
            counts = _predict_on_cluster(images, str(output), cluster, model, **settings, **doing)
        else:
            _refuse_addresses([*images, str(output)], cluster)
            counts = _predict_here(images, Path(output), model, settings, doing)
    except KeyboardInterrupt:
        say("the same command with --resume goes on")
        raise
    _report(counts, str(output), as_json=as_json)
    context.exit(SOME_INPUTS_FAILED if counts.get("error") else 0)


def _predict_here(
    sources: Sequence[str],
    output: Path,
    model: str,
    settings: Mapping[str, Any],
    doing: Mapping[str, Any],
) -> dict[str, int]:
    paths = _find(sources, output)
    if not doing["resume"]:
        _refuse_to_replace(output, paths)
    # Imported late: --help must not wait for torch.
    from steel_defect_detection.predictors.load import load_predictor
    from steel_defect_detection.predictors.predict_files import predict_files

    return predict_files(load_predictor(model, **settings), paths, output, **doing)


def _refuse_to_replace(output: Path, paths: Sequence[Path]) -> None:
    """Refuse to put nothing but errors in the place of earlier results."""
    from steel_defect_detection import images
    from steel_defect_detection.results import resuming

    if len(paths) > _FEW or not resuming.is_record(output / "run.json"):
        return
    problem = ""
    for path in paths:
        try:
            images.read(path)
        except ImageError as error:
            problem = problem or str(error)
        else:
            return
    msg = f"{problem}; the results in {output} stay as they are"
    raise NoImagesError(msg)


def _predict_on_cluster(
    sources: Sequence[str], output: str, cluster: Mapping[str, Any], model: str, **rest: Any
) -> dict[str, int]:
    from steel_defect_detection import distributed, images

    if not sources:
        say("no images named, so the built-in sample strips are judged")
        sources = [str(path) for path in images.samples()]
    inputs = distributed.find(sources, skip=[output])
    return distributed.predict_addresses(
        inputs, output, model=model, cluster=distributed.Cluster(**cluster), **rest
    )


def _refuse_addresses(words: Sequence[str], cluster: Mapping[str, Any]) -> None:
    """Refuse what only a cluster understands."""
    address = next((word for word in words if files.is_address(word)), None)
    if address is not None:
        msg = f"{address} is an address, and no file or folder of this machine: give --engine ray"
        raise click.UsageError(msg)
    if cluster:
        msg = "workers and their cluster are those of --engine ray"
        raise click.UsageError(msg)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _find(sources: Sequence[str], output: Path) -> list[Path]:
    from steel_defect_detection import images

    if sources:
        return photographs(sources, skip=[output / name for name in images.RESULT_FOLDERS])
    say("no images named, so the built-in sample strips are judged")
    return images.samples()


def _report(counts: dict[str, int], output: str, *, as_json: bool) -> None:
    if as_json:
        echo(json.dumps({"output": output, **counts}))
        return
    words = {
        "defect": "with defects",
        "clean": "clean",
        "unfamiliar": "unfamiliar",
        "error": "could not be judged",
    }
    parts = [f"{counts[key]} {text}" for key, text in words.items() if counts.get(key)]
    echo(f"{amount(counts['images'], 'image')}: {', '.join(parts)}. Results are in {output}")
