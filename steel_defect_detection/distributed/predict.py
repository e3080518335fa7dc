"""From addresses of images to a results folder, on the workers of a Ray cluster."""

import json
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from tqdm import tqdm

from steel_defect_detection import files
from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.distributed import parts, worker
from steel_defect_detection.distributed.cluster import Cluster, connected, room
from steel_defect_detection.distributed.parts import Task
from steel_defect_detection.distributed.place import Place, is_address, reason
from steel_defect_detection.distributed.sources import Input
from steel_defect_detection.distributed.worker import Job, Judge
from steel_defect_detection.errors import ClusterError, NoImagesError, ResultsError, SteelDefectError
from steel_defect_detection.predictors.load import load_predictor, read_model
from steel_defect_detection.predictors.predict_files import VERDICTS, about
from steel_defect_detection.results import resuming, tables
from steel_defect_detection.results.naming import name_all
from steel_defect_detection.results.tables import Rows

_LOG = logging.getLogger(__name__)

_VERDICT = tables.BEFORE_CLASSES.index("verdict")
_MASK = tables.BEFORE_CLASSES.index("mask")

_MOST_IN_A_UNIT = 64
_UNITS_PER_WORKER = 4
_MOST_BLOCKS = 4096

# A worker that dies is replaced; images that kill one after the other are not tried for ever.
_MOST_RETRIES = 5


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
        progress: Whether to show a bar on standard error, if that is a terminal.
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
    job = _job(model, gate, output, options, overlays=overlays, cluster=cluster)
    predictor = load_predictor(job.model, **job.options)
    run = {**(record or {}), **about(predictor, overlays=overlays), "engine": "ray"}
    folder = _Results(output, predictor.classes, inputs, run, resume=resume)
    with connected(cluster) as ray:
        workers = room(ray, cluster)
        units = list(_units(folder.missing, workers))
        folder.begin(parts.name(unit) for unit in units)
        bar = tqdm(
            initial=len(inputs) - len(folder.missing),
            total=len(inputs),
            unit="image",
            disable=None if progress else True,
        )
        try:
            with bar:
                for done in _judged(ray, job, units, workers, cluster):
                    bar.update(sum(done["counts"].values()))
                    for error in done["errors"]:
                        bar.clear()
                        _LOG.info("%s", error)
                    run["runtimes"] = done["runtimes"]
        except KeyboardInterrupt:
            _LOG.info("what is finished is in %s, and complete", output)
            raise
    run["workers"] = workers
    run["seconds"] = round(perf_counter() - started, 3)
    counts = folder.finish()
    return {"images": len(inputs), **{name: counts[name] for name in VERDICTS}}


def _job(
    model: str,
    gate: str | None,
    output: str,
    options: Mapping[str, Any],
    *,
    overlays: bool,
    cluster: Cluster,
) -> Job:
    found = read_model(model, gate)
    if not is_address(output):
        # Workers have other current folders.
        output = str(Path(output).absolute())
    return Job(
        model=found if isinstance(found, Checkpoint) else str(Path(model).absolute()),
        output=output,
        options={"threads": max(1, int(cluster.cpus)), **options},
        overlays=overlays,
    )


def _units(tasks: Sequence[Task], workers: int) -> Iterator[Sequence[Task]]:
    """Deal tasks out in units, small enough that all workers end at about the same time."""
    size = math.ceil(len(tasks) / (workers * _UNITS_PER_WORKER))
    size = min(max(size, 1), _MOST_IN_A_UNIT)
    for start in range(0, len(tasks), size):
        yield tasks[start : start + size]


def _judged(
    ray: Any, job: Job, units: Sequence[Sequence[Task]], workers: int, cluster: Cluster
) -> Iterator[dict[str, Any]]:
    """What each unit came to, as they are finished."""
    if not units:
        return
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    rows = [{"unit": worker.packed(unit)} for unit in units]
    dataset = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MOST_BLOCKS))
    judged = dataset.map_batches(
        Judge,
        fn_constructor_args=(job,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers),
        num_cpus=cluster.cpus,
        num_gpus=cluster.gpus,
        max_restarts=-1,
        max_task_retries=_MOST_RETRIES,
    )
    try:
        for row in judged.iter_rows():
            yield json.loads(row["done"])
    except ray.exceptions.RayError as error:
        raise _plain(error) from error


def _plain(error: BaseException) -> SteelDefectError:
    """The error of this package that is behind one of Ray's."""
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, SteelDefectError):
            return type(behind)(str(behind).splitlines()[-1])
        behind = getattr(behind, "cause", None) or behind.__cause__
    return ClusterError(f"the cluster failed: {reason(error)}")


class _Results:
    """The results folder of a run: what is finished there, and its tables."""

    def __init__(
        self,
        output: str,
        classes: tuple[str, ...],
        inputs: Sequence[Input],
        run: dict[str, Any],
        *,
        resume: bool,
    ) -> None:
        self._place = Place(output)
        self._classes = classes
        self._run = run
        self._resume = resume
        names = name_all([Path(one.name) for one in inputs])
        self._tasks = [
            Task(files.as_text(one.name), one.address, files.as_text(name.image_id), name.stem)
            for one, name in zip(inputs, names, strict=True)
        ]
        record = self._refuse_foreign()
        done: dict[str, Rows] = {}
        if resume and record:
            resuming.refuse_other_run(record, output, classes, run)
            done = self._done()
        self.missing = [task for task in self._tasks if task.file not in done]
        self._before = Counter(rows.image[_VERDICT] for rows in done.values())

    def _refuse_foreign(self) -> str:
        """The record of an earlier run; empty if the place is."""
        record = (self._place.read("run.json") or b"").decode("utf-8", "replace")
        found = self._place.names()
        if found and not resuming.is_record_text(record):
            msg = (
                f"{self._place.address} holds {found[0]}, and no run.json says that a run has "
                "left it there. Take another folder"
            )
            raise ResultsError(msg)
        return record

    def _done(self) -> dict[str, Rows]:
        """Rows of the inputs that are finished and have the same names still."""
        rows = parts.read_all(self._place, self._classes, self._place.names(parts.FOLDER))
        found = {}
        for task in self._tasks:
            one = rows.get(task.file)
            if one and not one.image[-1] and one.image[_MASK] in {"", f"masks/{task.stem}.png"}:
                found[task.file] = one
        return found

    def begin(self, names: Iterator[str]) -> None:
        """Say what runs, and take away parts that this run writes anew."""
        old = {f"{parts.FOLDER}/{name}" for name in self._place.names(parts.FOLDER)}
        for name in sorted(old & set(names) if self._resume else old):
            self._place.remove(name)
        self._write_record(self._before)

    def finish(self) -> Counter[str]:
        """Write the tables, and count verdicts."""
        rows = parts.read_all(self._place, self._classes, self._place.names(parts.FOLDER))
        lost = [task.file for task in self._tasks if task.file not in rows]
        if lost:
            msg = f"{len(lost)} images were lost, first: {lost[0]}. The same run with --resume goes on"
            raise ClusterError(msg)
        found = [rows[task.file] for task in self._tasks]
        runs = [
            [task.image_id, *row[1:]]
            for task, one in zip(self._tasks, found, strict=True)
            for row in one.predictions
        ]
        predictions = files.table(tables.PREDICTION_COLUMNS, runs)
        images = files.table(tables.image_columns(self._classes), [one.image for one in found])
        self._place.write("predictions.csv", predictions.encode())
        self._place.write("images.csv", images.encode())
        counts = Counter(one.image[_VERDICT] for one in found)
        self._write_record(counts)
        return counts

    def _write_record(self, counts: Counter[str]) -> None:
        numbers = {"images": counts.total(), "asked": len(self._tasks), **sorted_counts(counts)}
        content = {**self._run, "classes": self._classes, "counts": numbers}
        self._place.write("run.json", (json.dumps(content, indent=2) + "\n").encode())
