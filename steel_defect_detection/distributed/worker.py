"""One worker: a predictor of its own, which judges unit after unit."""

import json
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from steel_defect_detection import files
from steel_defect_detection.distributed import parts, place
from steel_defect_detection.distributed.parts import Task
from steel_defect_detection.distributed.place import Place
from steel_defect_detection.errors import ResultsError, SteelDefectError
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.results.pictures import Pictures, mask_path
from steel_defect_detection.results.tables import BEFORE_CLASSES, Rows, rows_of

_VERDICT = BEFORE_CLASSES.index("verdict")

MODEL = f"{parts.FOLDER}/model.safetensors"
"""The model, below the results folder, for as long as workers may ask for it."""

# An image may bring down whatever looks at it, and it must not do so for ever.
_MOST_TRIES = 3

# Object storage answers slowly and many at a time.
_TRANSFERS = 16
_AHEAD = 32


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all workers do alike.

    Args:
        model: Where an export lies; None for the checkpoint in the results folder.
        options: What ``load_predictor`` is told beside it.
        output: Address of the results folder.
        overlays: Whether to draw overlays.
    """

    model: str | None
    output: str
    options: Mapping[str, Any] = field(default_factory=dict)
    overlays: bool = True


class Judge:
    """Judges units of work; Ray Data makes one for each worker.

    Args:
        job: What to do.
    """

    def __init__(self, job: Job) -> None:
        """Load the model."""
        self._pictures = Pictures(overlays=job.overlays)
        self._overlays = job.overlays
        self._problem: SteelDefectError | OSError | None = None
        try:
            self._load(job)
        except (SteelDefectError, OSError) as error:
            # Ray starts a worker that cannot start again and again.
            self._problem = error

    def _load(self, job: Job) -> None:
        from steel_defect_detection.predictors.load import load_predictor

        self._place = Place(job.output)
        with TemporaryDirectory(prefix="sdd-") as folder:
            model = job.model or self._fetched_model(Path(folder))
            self._predictor = load_predictor(model, **job.options)

    def _fetched_model(self, folder: Path) -> str:
        data = self._place.read(MODEL)
        if data is None:
            msg = f"{self._place.address}/{MODEL} is not there any more"
            raise ResultsError(msg)
        (folder / "model.safetensors").write_bytes(data)
        return str(folder / "model.safetensors")

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """Judge the units of a batch.

        Args:
            batch: ``unit``: tasks of each, as ``packed`` writes them.

        Returns:
            ``done``: for each unit, as JSON, what ``judge`` says of it, or why it
            cannot be judged: ``failed``, a kind of error and its message.
        """
        return {"done": [json.dumps(self._told(unpacked(text))) for text in batch["unit"]]}

    def _told(self, unit: Sequence[Task]) -> dict[str, Any]:
        """Judge a unit; what goes wrong is told, for Ray would hide it among its own words."""
        try:
            if self._problem is not None:
                raise self._problem
            return self.judge(unit)
        except (SteelDefectError, OSError) as error:
            return {"failed": [type(error).__name__, str(error)]}

    def judge(self, unit: Sequence[Task]) -> dict[str, Any]:
        """Judge the images of a unit, write what is drawn of them, and then its part.

        A unit whose part is there was judged before, by a worker that was lost
        after it had written it.

        Args:
            unit: The images.

        Returns:
            Its ``counts`` by verdict, its ``errors``, and the ``runtimes``.

        Raises:
            ResultsError: If something cannot be written.
        """
        path = parts.name(unit)
        classes = self._predictor.classes
        if self._place.has(path):
            rows = parts.read(self._place, path, classes)
        else:
            tries = parts.tries(path)
            tried = len(self._place.read(tries) or b"")
            self._place.write(tries, b"." * (tried + 1))
            rows = self._judged(unit) if tried < _MOST_TRIES else self._given_up(unit)
            parts.write(self._place, path, classes, rows)
            self._place.remove(tries)
        return {
            "counts": Counter(one.image[_VERDICT] for one in rows),
            "errors": [one.image[-1] for one in rows if one.image[-1]],
            "runtimes": self._predictor.runtimes,
        }

    def _given_up(self, unit: Sequence[Task]) -> list[Rows]:
        """Errors for images one of which brings workers down, so that the others go on."""
        beside = f" or one of {len(unit) - 1} judged with it" if len(unit) > 1 else ""
        rows = []
        for task in unit:
            error = (
                f"{task.file}: {_MOST_TRIES} workers died over this image{beside}. --resume judges "
                "fewer at a time"
            )
            failed = Prediction(
                source=task.file, classes=self._predictor.classes, verdict="error", error=error
            )
            rows.append(rows_of(failed, task.names, ""))
        return rows

    def _judged(self, unit: Sequence[Task]) -> list[Rows]:
        rows, writing = [], list[Future[None]]()
        with TemporaryDirectory(prefix="sdd-") as folder, ThreadPoolExecutor(_TRANSFERS) as pool:
            fetched = _Fetched(unit, Path(folder), pool)
            stream = self._predictor.stream(fetched, keep_image=self._overlays)
            for task, found in zip(unit, stream, strict=True):
                prediction = fetched.renamed(found, task)
                drawn = self._pictures.of(prediction, task.names)
                writing += [pool.submit(self._place.write, *one) for one in drawn.items()]
                mask = mask_path(task.names) if prediction.label_map is not None else ""
                rows.append(rows_of(prediction, task.names, mask))
            for one in writing:
                one.result()
        return rows


class _Fetched:
    """Paths of images, those of object storage fetched into a folder some ahead."""

    def __init__(self, unit: Sequence[Task], folder: Path, pool: ThreadPoolExecutor) -> None:
        self._unit = unit
        self._folder = folder
        self._pool = pool
        self._errors: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        remaining = iter(enumerate(self._unit))
        waiting: deque[Future[str]] = deque()
        while True:
            for number, task in islice(remaining, _AHEAD - len(waiting)):
                waiting.append(self._pool.submit(self._fetch, task, number))
            if not waiting:
                return
            yield waiting.popleft().result()

    def _fetch(self, task: Task, number: int) -> str:
        if not files.is_address(task.address):
            return task.address
        local = self._folder / f"{number}{PurePosixPath(task.address).suffix}"
        try:
            data = place.read(task.address)
        except (OSError, ValueError) as error:
            # What is not there becomes an error among the results.
            missing = isinstance(error, FileNotFoundError)
            why = "no such file" if missing else place.reason(error)
            self._errors[task.file] = f"{task.file} cannot be read: {why}"
            return str(local)
        local.write_bytes(data)
        return str(local)

    def renamed(self, prediction: Prediction, task: Task) -> Prediction:
        """Say where an image came from, not where it lay meanwhile."""
        if files.is_address(task.address):
            Path(prediction.source).unlink(missing_ok=True)
        error = prediction.error
        if error is not None:
            error = self._errors.get(task.file, error.replace(prediction.source, task.file))
        return replace(prediction, source=task.file, error=error)


def packed(unit: Sequence[Task]) -> str:
    """Write a unit as text."""
    return json.dumps(unit)


def unpacked(text: str) -> list[Task]:
    """Read a unit as ``packed`` wrote it."""
    return [Task(*one) for one in json.loads(text)]
