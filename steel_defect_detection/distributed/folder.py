"""The results folder of a run on many machines: what is finished there, and its tables."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from steel_defect_detection import files
from steel_defect_detection.distributed import parts
from steel_defect_detection.distributed.parts import Task
from steel_defect_detection.distributed.place import Place
from steel_defect_detection.distributed.sources import Input
from steel_defect_detection.distributed.worker import MODEL
from steel_defect_detection.errors import ClusterError, ResultsError
from steel_defect_detection.results import resuming, tables
from steel_defect_detection.results.naming import name_all
from steel_defect_detection.results.tables import Rows
from steel_defect_detection.wording import amount

_VERDICT = tables.BEFORE_CLASSES.index("verdict")
_MASK = tables.BEFORE_CLASSES.index("mask")


class Folder:
    """The results of a run: what is finished, and the tables at the end.

    Args:
        output: Its folder or address.
        classes: Names of the defect classes.
        inputs: All images, in order.
        run: What ``run.json`` is to hold beside counts.
        resume: Whether to keep what an earlier run finished.

    Raises:
        ResultsError: If it holds somebody's files, or is to be resumed and holds
            results of another model or other settings.
    """

    def __init__(
        self,
        output: str,
        classes: tuple[str, ...],
        inputs: Sequence[Input],
        run: dict[str, Any],
        *,
        resume: bool,
    ) -> None:
        """See what is there."""
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
        rows = parts.read_all(self._place, self._classes)
        found = {}
        for task in self._tasks:
            one = rows.get(task.file)
            if one and not one.image[-1] and one.image[_MASK] in {"", f"masks/{task.stem}.png"}:
                found[task.file] = one
        return found

    def begin(self, names: Iterable[str], model: bytes | None) -> None:
        """Say what runs, and take away parts that this run writes anew.

        Args:
            names: Names of the parts that it will write.
            model: The checkpoint that workers are to fetch, if they are.

        Raises:
            ResultsError: If nothing can be written there.
        """
        old = set(parts.names(self._place))
        for name in sorted(old & set(names) if self._resume else old):
            self._place.remove(name)
        parts.forget_tries(self._place)
        self._write_record(self._before)
        if model is not None:
            self._place.write(MODEL, model)

    def finish(self) -> Counter[str]:
        """Write the tables.

        Returns:
            How many images have each verdict.

        Raises:
            ClusterError: If an image is in no part.
            ResultsError: If a part cannot be read, or a table not be written.
        """
        rows = parts.read_all(self._place, self._classes)
        lost = [task.file for task in self._tasks if task.file not in rows]
        if lost:
            msg = f"{amount(len(lost), 'image')} lost, first: {lost[0]}. --resume judges them again"
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
        self._place.remove(MODEL)
        parts.forget_tries(self._place)
        return counts

    def _write_record(self, counts: Counter[str]) -> None:
        numbers = {
            "images": counts.total(),
            "asked": len(self._tasks),
            **dict(sorted(counts.items())),
        }
        content = {**self._run, "classes": self._classes, "counts": numbers}
        self._place.write("run.json", (json.dumps(content, indent=2) + "\n").encode())
