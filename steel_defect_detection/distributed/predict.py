"""From addresses of images to a results folder, on the workers of a Ray cluster."""

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from steel_defect_detection import checkpoints, errors, files
from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.distributed import parts, worker
from steel_defect_detection.distributed.cluster import Cluster, connected, room, say_if_busy
from steel_defect_detection.distributed.folder import Folder
from steel_defect_detection.distributed.parts import Task
from steel_defect_detection.distributed.sources import Input
from steel_defect_detection.distributed.worker import Job, Judge
from steel_defect_detection.errors import (
    ClusterError,
    NoImagesError,
    SteelDefectError,
)
from steel_defect_detection.export.reading import Export
from steel_defect_detection.predictors.load import load_predictor, read_model
from steel_defect_detection.predictors.predict_files import VERDICTS, about
from steel_defect_detection.progress import progress_bar

_LOG = logging.getLogger(__name__)

_MOST_IN_A_UNIT = 64
_UNITS_PER_WORKER = 4
_MOST_BLOCKS = 4096
_MOST_ERRORS = 20


def predict_addresses(  # noqa: PLR0913 -- one argument per option of sdd-predict
    inputs: Sequence[Input],
    output: str,
    *,
    model: str = "strip",
    gate: str | None = None,
    cluster: Cluster | None = None,
    overlays: bool = True,
    resume: bool = False,
    progress: bool = False,
    record: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, int]:
    """Judge images on the workers of a Ray cluster, and write their results to an address.

    Each worker loads the model once, and judges unit after unit of up to 64
    images. What it drew is written before the unit's part (``parts/*.parquet``), so that
    what is in a part is finished. A worker that is lost is replaced, and its unit
    judged again. At the end the parts become ``images.csv`` and ``predictions.csv``,
    the same as ``predict_files`` writes.

    Args:
        inputs: The images, such as ``find`` lists.
        output: Folder or address of the results.
        model: As for ``load_predictor``.
        gate: Likewise.
        cluster: Which cluster, and how much of it; by default one of this machine.
        overlays: Whether to draw the outlined images.
        resume: Whether to keep what an earlier run finished there.
        progress: Whether to show how far it is, as ``progress_bar`` does.
        record: What ``run.json`` is to hold beside model, settings, times and
            counts.
        **options: Other arguments of ``load_predictor``.

    Returns:
        How many ``images`` there are, and how many of them have the verdicts
        ``defect``, ``clean``, ``unfamiliar`` and ``error``.

    Raises:
        ClusterError: If the cluster cannot be reached, has no room, or fails.
        MissingExtraError: If Ray, or a package for an address, is not installed.
        NoImagesError: If there is no image.
        ResultsError: If the results cannot be written, or are to be resumed and
            are of another model or other settings, or somebody's files.
    """
    if not inputs:
        msg = "no images to judge"
        raise NoImagesError(msg)
    started = perf_counter()
    cluster = cluster or Cluster()
    # Workers have other current folders.
    output = output if files.is_address(output) else str(Path(output).absolute())
    predictor = load_predictor(model, gate=gate, **options)
    run = {**(record or {}), **about(predictor, overlays=overlays), "engine": "ray"}
    folder = Folder(output, predictor.classes, inputs, run, resume=resume)
    bar = _Progress(len(inputs) - len(folder.missing), len(inputs), shown=progress)
    packed = _packed(read_model(model, gate))
    job = Job(
        model=None if packed else str(Path(model).absolute()),
        output=output,
        options={**_threads(cluster, options), **options},
        overlays=overlays,
    )
    with connected(cluster) as ray, bar.bar:
        run["workers"] = room(ray, cluster)
        units = list(_units(folder.missing, run["workers"]))
        if units:
            say_if_busy(ray, cluster)
        folder.begin((parts.name(unit) for unit in units), packed)
        for done in _judged(ray, job, units, cluster, run["workers"]):
            bar.add(done)
            run["runtimes"] = done["runtimes"]
    run["seconds"] = round(perf_counter() - started, 3)
    counts = folder.finish()
    return {"images": len(inputs), **{name: counts[name] for name in VERDICTS}}


def _threads(cluster: Cluster, options: Mapping[str, Any]) -> dict[str, int]:
    """As many threads as a worker has processors; Ray tells PyTorch itself."""
    if cluster.gpus or options.get("runtime") == "pytorch":
        return {}
    return {"threads": max(1, int(cluster.cpus))}


def _packed(model: Checkpoint | Export) -> bytes | None:
    """A checkpoint as a file; None of an export, which must lie where all workers see it."""
    if isinstance(model, Export):
        return None
    with TemporaryDirectory(prefix="sdd-") as folder:
        path = Path(folder) / "model.safetensors"
        checkpoints.save(path, model.header, model.tensors)
        return path.read_bytes()


def _units(tasks: Sequence[Task], workers: int) -> Iterator[Sequence[Task]]:
    """Deal tasks out in units, small enough that all workers end at about the same time."""
    size = math.ceil(len(tasks) / (workers * _UNITS_PER_WORKER))
    size = min(max(size, 1), _MOST_IN_A_UNIT)
    for start in range(0, len(tasks), size):
        yield tasks[start : start + size]


def _judged(
    ray: Any, job: Job, units: Sequence[Sequence[Task]], cluster: Cluster, workers: int
) -> Iterator[dict[str, Any]]:
    """What each unit came to, as they are finished."""
    if not units:
        return
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    rows = [{"unit": worker.packed(unit)} for unit in units]
    dataset = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MOST_BLOCKS))
    judged = dataset.map_batches(
        Judge,
        fn_constructor_args=(job,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers),
        num_cpus=cluster.cpus,
        num_gpus=cluster.gpus,
    )
    try:
        for row in judged.iter_rows():
            done = json.loads(row["done"])
            if "failed" in done:
                kind, message = done["failed"]
                raise _stopped(getattr(errors, kind, ClusterError), message)
            yield done
    except ray.exceptions.RayError as error:
        raise _stopped(ClusterError, f"the cluster failed: {_reason(error)}") from error


def _stopped(kind: type[SteelDefectError], message: str) -> SteelDefectError:
    """What a worker has met, and what can be done then."""
    return kind(f"{message}. When that is mended, --resume goes on with what is not finished")


def _reason(error: BaseException) -> str:
    """The last line of what Ray says, but for its advice to those who program with it."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith("To change retry")]
    return told[-1].rstrip(".") if told else type(error).__name__


class _Progress:
    """How far the run is, and what went wrong."""

    def __init__(self, done: int, total: int, *, shown: bool) -> None:
        """Start with what is done."""
        self.bar = progress_bar(done=done, total=total, unit="image", shown=shown)
        self._errors = 0

    def add(self, done: Mapping[str, Any]) -> None:
        """Count what a unit came to, and tell its errors."""
        self.bar.update(sum(done["counts"].values()))
        for error in done["errors"]:
            self._errors += 1
            if self._errors <= _MOST_ERRORS:
                self.bar.clear()
                _LOG.info("%s", error)
            elif self._errors == _MOST_ERRORS + 1:
                _LOG.info("further errors are only in images.csv")
