"""Write the results of a run, image by image, in threads of their own."""

import json
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from steel_defect_detection import files, images
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.results import resuming, tables
from steel_defect_detection.results.naming import Names, name_all
from steel_defect_detection.results.pictures import Pictures, mask_path
from steel_defect_detection.results.tables import Rows

_SECONDS_BETWEEN_TABLES = 1.0
_WRITERS = 2
_MOST_WAITING = 8


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
            holds the results of another model or other thresholds, or files
            that no run has left there.
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
        self.output = output
        self._names = name_all(paths)
        self._classes = tuple(classes)
        self._pictures = Pictures(overlays=overlays)
        self.run = dict(run or {})
        self._rows: dict[int, Rows] = {}
        # Tables of an earlier run, which stay until the first image of this one.
        self._replaces = not resume and (output / "images.csv").is_file()
        if resume:
            self._rows = resuming.finished(
                output, zip(paths, self._names, strict=True), self._classes, self.run
            )
        waiting = [number for number in range(len(paths)) if number not in self._rows]
        self.missing = [paths[number] for number in waiting]
        self._next = iter(waiting)
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="write-results")
        self._writing: deque[tuple[int, Future[Rows]]] = deque()
        self._tables_due = float("-inf")

    @property
    def counts(self) -> Counter[str]:
        """How many images have each verdict, of those that are written."""
        verdict = tables.BEFORE_CLASSES.index("verdict")
        return Counter(rows.image[verdict] for rows in self._rows.values())

    def __enter__(self) -> Self:
        """Make sure that the folder can be written before any work is done.

        The tables of an earlier run stay until the first image of this one.
        """
        self._refuse_foreign_files()
        record = self.output / "run.json"
        if self._replaces and record.is_file():
            # Beside the earlier tables it must not say that they are this run's.
            files.write_bytes(record, record.read_bytes())
        else:
            files.write_text(record, self._run_json())
        return self

    def _refuse_foreign_files(self) -> None:
        """Leave alone what no run of this package has written."""
        if resuming.is_record(self.output / "run.json"):
            return
        names = (*images.RESULT_FOLDERS, "images.csv", "predictions.csv", "run.json")
        found = next((name for name in names if (self.output / name).exists()), None)
        if found is not None:
            why = (
                "run.json, and it is none of a run"
                if found == "run.json"
                else f"{found}, and no run.json says that a run has left it there"
            )
            msg = f"{self.output} holds {why}. Take another folder"
            raise ResultsError(msg)

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

    def _write(self, names: Names, prediction: Prediction) -> Rows:
        """Write the files of one input, and say what goes into the tables."""
        for path, content in self._pictures.of(prediction, names).items():
            files.write_bytes(self.output / path, content)
        mask = mask_path(names) if prediction.label_map is not None else ""
        return tables.rows_of(prediction, names, mask)

    def _write_tables(self) -> None:
        if not (self.output / "run.json").is_file():
            # Masks of before are elsewhere now; tables here would promise them.
            msg = f"{self.output} was moved or removed while results were written into it"
            raise ResultsError(msg)
        started = perf_counter()
        if self._replaces:
            # Killed between two files, a run leaves nothing that another could take for its own.
            self._write_rows([])
            self._replaces = False
        self._write_rows([self._rows[number] for number in sorted(self._rows)])
        took = perf_counter() - started
        # Tables grow with the run; writing them must not.
        self._tables_due = perf_counter() + max(_SECONDS_BETWEEN_TABLES, 20 * took)

    def _write_rows(self, rows: Sequence[Rows]) -> None:
        runs = [row for found in rows for row in found.predictions]
        files.write_table(self.output / "predictions.csv", tables.PREDICTION_COLUMNS, runs)
        images_csv = self.output / "images.csv"
        files.write_table(
            images_csv, tables.image_columns(self._classes), [found.image for found in rows]
        )
        files.write_text(self.output / "run.json", self._run_json())

    def _run_json(self) -> str:
        counts = {"images": len(self._rows), "asked": len(self._names)}
        counts |= dict(sorted(self.counts.items()))
        content = {**self.run, "classes": self._classes, "counts": counts}
        return json.dumps(content, indent=2) + "\n"
