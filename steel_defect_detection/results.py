"""The outputs folder: what predictions leave on disk.

::

    outputs/
    ├── masks/<stem>.png       label map of the input's size, 0 = no defect, k = class k
    ├── overlays/<stem>.png    the image with outlined, labelled defects; without
    │                          outlines the class and its probability below it
    ├── probabilities/<stem>.npz   on request: ``probabilities``, (classes, height, width)
    ├── predictions.csv        ImageId,ClassId,EncodedPixels: one row per image and class found
    ├── images.csv             one row per input, in input order
    └── run.json               versions, model, thresholds, times, counts

Nothing is ever deleted. Files of an earlier run are replaced one by one, each
completely or not at all. Inputs that share a stem get a suffix: ``roll.png``,
``roll-2.png``.
"""

import csv
import io
import json
import os
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import files, images
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.prediction import Prediction

if TYPE_CHECKING:
    import pandas as pd

PREDICTION_COLUMNS = ("ImageId", "ClassId", "EncodedPixels")

_BEFORE_CLASSES = (
    "file",
    "mask",
    "verdict",
    "class",
    "gate_probability",
    "certainty",
    "familiarity",
)
_AFTER_CLASSES = ("decode_ms", "gate_ms", "segment_ms", "error")


@dataclass(frozen=True)
class Names:
    """What the results of one input are called.

    Args:
        image_id: File name, or path below the inputs' common folder where
            file names repeat.
        stem: Name of its masks and overlays, without ending; unique.
    """

    image_id: str
    stem: str


# Most file systems take 255 bytes; an ending, a suffix and a neighbour's name need some.
_LONGEST_STEM = 200
_SECONDS_BETWEEN_TABLES = 1.0
_WRITERS = 2
_WAY_OUT = "Take another folder, or leave --resume out to start from the beginning"
_MOST_WAITING = 8

# What must be the same for the results of two runs to stand in one folder.
_SAME = {
    "model": "another model",
    "thresholds": "other thresholds",
    "asked": "another runtime, precision or device",
}


class _Rows(NamedTuple):
    """What one input adds to images.csv and predictions.csv."""

    image: list[str]
    predictions: list[list[str]]


def name_all(paths: Sequence[Path]) -> list[Names]:
    """Name the results of all inputs so that none overwrites another.

    Args:
        paths: Input files, in order.

    Returns:
        One name per input, in the same order.
    """
    repeated = {name for name, count in Counter(path.name for path in paths).items() if count > 1}
    parents = [os.path.abspath(path.parent) for path in paths]  # noqa: PTH100 -- keeps links
    root = os.path.commonpath(parents) if repeated and _one_drive(parents) else ""
    # Some file systems do not tell "A.png" from "a.png".
    taken: set[str] = set()
    names = []
    for path, parent in zip(paths, parents, strict=True):
        first = os.fsdecode(os.fsencode(path.stem)[:_LONGEST_STEM])
        stem, number = first, 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{first}-{number}"
        taken.add(stem.casefold())
        below = PurePath(os.path.relpath(parent, root or parent), path.name).as_posix()
        names.append(Names(below if path.name in repeated else path.name, stem))
    return names


def _one_drive(parents: Iterable[str]) -> bool:
    return len({PurePath(parent).anchor for parent in parents}) == 1


def image_columns(classes: Sequence[str]) -> tuple[str, ...]:
    """Columns of ``images.csv`` for these classes."""
    scores = (f"score_{name}" for name in classes)
    areas = (f"area_{name}" for name in classes)
    return (*_BEFORE_CLASSES, *scores, *areas, *_AFTER_CLASSES)


class ResultsWriter:
    """Writes the results of a run, image by image, beside the caller's work.

    Use it as a context: the tables are written every few seconds and when it is
    left, also after an interruption, so that they hold what was finished.

    Args:
        output: The results folder.
        paths: All inputs, in order.
        classes: Names of the defect classes.
        overlays: Whether to draw overlays; predictions must carry their image.
        run: What to write into ``run.json`` beside times and counts.
        resume: Whether to keep what an interrupted run finished; ``missing``
            then lists what it did not, images that were errors among them.

    Raises:
        ResultsError: If the folder cannot be written, or is to be resumed and
            holds the results of another model or other thresholds.
    """

    def __init__(
        self,
        output: Path,
        paths: Sequence[Path],
        classes: Sequence[str],
        *,
        overlays: bool = True,
        run: Mapping[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        self._output = output
        self._names = name_all(paths)
        self._classes = tuple(classes)
        self._overlays = overlays
        self.run = dict(run or {})
        self._rows: dict[int, _Rows] = {}
        if resume:
            self._rows = self._finished(paths)
        waiting = [number for number in range(len(paths)) if number not in self._rows]
        self.missing = [paths[number] for number in waiting]
        self._next = iter(waiting)
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="write-results")
        self._writing: deque[tuple[int, Future[_Rows]]] = deque()
        self._empty: dict[tuple[int, ...], bytes] = {}
        self._tables_due = float("-inf")

    @property
    def counts(self) -> Counter[str]:
        """How many images have each verdict, of those that are written."""
        verdict = _BEFORE_CLASSES.index("verdict")
        return Counter(rows.image[verdict] for rows in self._rows.values())

    def __enter__(self) -> Self:
        """Make sure that the folder can be written before any work is done.

        The tables of an earlier run stay until the first image of this one.
        """
        files.write_text(self._output / "run.json", self._run_json())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the files, and write the tables."""
        try:
            while self._writing:
                self._take()
        finally:
            # However often somebody presses Ctrl-C, what is finished is written down.
            try:
                self._pool.shutdown()
            finally:
                self._write_tables()

    def add(self, prediction: Prediction) -> None:
        """Write the results of the next missing input, soon.

        Args:
            prediction: What was seen on it.

        Raises:
            ResultsError: If a file cannot be written, this one's or that of an
                earlier input.
        """
        number = next(self._next)
        names = self._names[number]
        self._writing.append((number, self._pool.submit(self._write, names, prediction)))
        while self._writing and (len(self._writing) > _MOST_WAITING or self._writing[0][1].done()):
            self._take()
        if perf_counter() > self._tables_due:
            self._write_tables()

    def _take(self) -> None:
        number, writing = self._writing.popleft()
        self._rows[number] = writing.result()

    def _write(self, names: Names, prediction: Prediction) -> "_Rows":
        """Write the files of one input, and say what goes into the tables."""
        mask = ""
        if prediction.label_map is not None:
            mask = f"masks/{names.stem}.png"
            self._write_mask(self._output / mask, prediction.label_map)
        if self._overlays and prediction.image is not None and prediction.scores is not None:
            overlay = self._output / "overlays" / f"{names.stem}.png"
            images.write(overlay, prediction.overlay())
        if prediction.probabilities is not None:
            self._write_probabilities(names.stem, prediction)
        runs = [
            [names.image_id, str(self._classes.index(name) + 1), text]
            for name, text in prediction.runs().items()
        ]
        return _Rows(_image_row(prediction, mask), runs)

    def _write_mask(self, path: Path, label_map: NDArray[np.uint8]) -> None:
        if label_map.any():
            images.write(path, label_map)
            return
        # Most masks of a roll are empty and of one size: compressed once for all of them.
        if label_map.shape not in self._empty:
            self._empty[label_map.shape] = images.encode(label_map, path)
        files.write_bytes(path, self._empty[label_map.shape])

    def _finished(self, paths: Sequence[Path]) -> "dict[int, _Rows]":
        """What an earlier run left complete, by the number of the input."""
        if not (self._output / "images.csv").is_file():
            return {}
        self._check_same_run()
        runs: dict[str, list[list[str]]] = {}
        for row in _read_rows(self._output / "predictions.csv", PREDICTION_COLUMNS):
            runs.setdefault(row[0], []).append(row)
        columns = image_columns(self._classes)
        earlier = {
            row[0]: row for row in _read_rows(self._output / "images.csv", columns) if not row[-1]
        }
        finished = {}
        for number, (path, names) in enumerate(zip(paths, self._names, strict=True)):
            earlier_row = earlier.get(_as_text(str(path)))
            # Names change when images come in between whose names repeat.
            if earlier_row and earlier_row[1] in {"", f"masks/{names.stem}.png"}:
                finished[number] = _Rows(earlier_row, runs.get(_as_text(names.image_id), []))
        return finished

    def _check_same_run(self) -> None:
        path = self._output / "run.json"
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
            classes = tuple(earlier["classes"])
            differs = [
                words
                for name, words in _SAME.items()
                if earlier.get(name) != _plain(self.run.get(name))
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            msg = (
                f"{self._output} cannot be resumed: {path.name} is missing or no record of a run "
                f"({type(error).__name__}). {_WAY_OUT}"
            )
            raise ResultsError(msg) from error
        if classes != self._classes:
            differs.append("other classes")
        if differs:
            msg = (
                f"{self._output} cannot be resumed: it holds results of {' and '.join(differs)}. "
                f"{_WAY_OUT}"
            )
            raise ResultsError(msg)

    def _write_probabilities(self, stem: str, prediction: Prediction) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, probabilities=np.asarray(prediction.probabilities))
        files.write_bytes(self._output / "probabilities" / f"{stem}.npz", buffer.getvalue())

    def _write_tables(self) -> None:
        started = perf_counter()
        rows = [self._rows[number] for number in sorted(self._rows)]
        runs = [row for found in rows for row in found.predictions]
        _write_table(self._output / "predictions.csv", PREDICTION_COLUMNS, runs)
        images_csv = self._output / "images.csv"
        _write_table(images_csv, image_columns(self._classes), [found.image for found in rows])
        files.write_text(self._output / "run.json", self._run_json())
        took = perf_counter() - started
        # Tables grow with the run; writing them must not.
        self._tables_due = perf_counter() + max(_SECONDS_BETWEEN_TABLES, 20 * took)

    def _run_json(self) -> str:
        counts = {"images": len(self._rows), "asked": len(self._names)}
        counts |= dict(sorted(self.counts.items()))
        content = {**self.run, "classes": self._classes, "counts": counts}
        return json.dumps(content, indent=2) + "\n"


def read_images(output: Path | str) -> "pd.DataFrame":
    """Read ``images.csv`` back, one row per input.

    Args:
        output: A results folder.

    Raises:
        ResultsError: If the folder holds no such table.
    """
    columns = (*_BEFORE_CLASSES, *_AFTER_CLASSES)
    return _read_table(Path(output) / "images.csv", columns)


def read_predictions(output: Path | str) -> "pd.DataFrame":
    """Read ``predictions.csv`` back, one row per image and class found.

    Args:
        output: A results folder.

    Raises:
        ResultsError: If the folder holds no such table.
    """
    return _read_table(Path(output) / "predictions.csv", PREDICTION_COLUMNS)


def masks_by_image(output: Path | str) -> dict[str, Path]:
    """Find the masks of a results folder.

    Args:
        output: Folder with ``masks/``, and ``images.csv`` where this package
            wrote it.

    Returns:
        Mask by name of the image: as ``images.csv`` gives it, by the last part
        of that, and by the mask's own name without ending. A name that stands
        for several images is left out.

    Raises:
        ResultsError: If there are no masks.
    """
    output = Path(output)
    found = [(path.stem, path) for path in sorted((output / "masks").glob("*.png"))]
    if not found:
        msg = f"no results in {str(output)!r}: masks/ holds no PNG files"
        raise ResultsError(msg)
    if (output / "images.csv").is_file():
        table = read_images(output).dropna(subset=["mask"])
        for name, mask in zip(table["file"], table["mask"], strict=True):
            found += [(name, output / mask), (Path(name).name, output / mask)]
    targets: dict[str, set[Path]] = {}
    for name, path in found:
        targets.setdefault(name, set()).add(path)
    return {name: paths.pop() for name, paths in targets.items() if len(paths) == 1}


def _image_row(prediction: Prediction, mask: str) -> list[str]:
    times = prediction.times
    count = len(prediction.classes)
    scores = (
        [_number(value) for value in prediction.scores]
        if prediction.scores is not None
        else [""] * count
    )
    areas = (
        [str(area) for area in prediction.areas]
        if prediction.label_map is not None
        else [""] * count
    )
    return [
        prediction.source,
        mask,
        prediction.verdict,
        prediction.class_name or "",
        _number(prediction.gate_probability),
        _number(prediction.certainty),
        _number(prediction.familiarity),
        *scores,
        *areas,
        _number(times.decode_ms),
        _number(times.gate_ms),
        _number(times.segment_ms),
        prediction.error or "",
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_as_text(cell) for cell in row] for row in rows)
    files.write_text(path, text.getvalue())


def _as_text(cell: str) -> str:
    r"""A file's name may hold bytes that are no text; they are written as \udc80 to \udcff."""
    return cell.encode("utf-8", "backslashreplace").decode()


def _plain(value: object) -> object:
    """A value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def _read_rows(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """Read a table as it stands there, cell by cell."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            # One class may cover every other pixel of a large image.
            csv.field_size_limit(2**31 - 1)
            header, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error) as error:
        msg = f"{path.parent} cannot be resumed: {path.name} cannot be read ({error}). {_WAY_OUT}"
        raise ResultsError(msg) from error
    if tuple(header) != tuple(columns):
        msg = f"{path.parent} cannot be resumed: {path.name} has other columns. {_WAY_OUT}"
        raise ResultsError(msg)
    # A row that was cut short was not finished.
    return [row for row in rows if len(row) == len(columns)]


def _read_table(path: Path, columns: Iterable[str]) -> "pd.DataFrame":
    # Writing results needs no pandas, and importing it takes half a second.
    import pandas as pd

    try:
        # An image may be called "NA" or "001".
        texts = dict.fromkeys(("file", "mask", "class", "error", "ImageId"), str)
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        msg = f"no results in {str(path.parent)!r}: {path.name} cannot be read ({error})"
        raise ResultsError(msg) from error
    missing = [name for name in columns if name not in table]
    if missing:
        msg = f"{path} is no table of results: the column {missing[0]!r} is missing"
        raise ResultsError(msg)
    return table
