"""A study from its settings to its tables: each variant trained several times.

::

    OUTPUT/
    ├── study.json variants.json inputs.sha256   which study this is
    ├── split.csv                                images of each part (of run 1, where they differ)
    ├── runs/<variant>/run-<n>/                  run folders, each with its record.json
    ├── synthetic/                               synthetic training images
    ├── runs.csv table.csv table.md              a row per run, a row per variant, to read
    └── curves.csv curves-<measure>.png          over the epochs

Run 1 of all variants comes first, then run 2 of all, so that a study that is
ended early has compared all of them. A run that is finished, as its record
says, is not trained again; one that was interrupted goes on.
"""

import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steel_defect_detection import files
from steel_defect_detection.datasets import layouts
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import SteelDefectError
from steel_defect_detection.experiments import (
    folder,
    grid,
    measures,
    parts,
    records,
    report,
    single,
)
from steel_defect_detection.experiments.grid import Variant
from steel_defect_detection.experiments.parts import RunParts
from steel_defect_detection.experiments.records import Record
from steel_defect_detection.experiments.study import Study
from steel_defect_detection.experiments.tables import Row

_LOG = logging.getLogger(__name__)

_ERROR = "error.txt"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a study has come to.

    Args:
        rows: A row per variant.
        measures: Names of the measures in the rows.
        records: Finished runs.
        failures: What went wrong, by variant and number of the run.
    """

    rows: tuple[Row, ...]
    measures: tuple[str, ...]
    records: tuple[Record, ...]
    failures: dict[tuple[str, int], str]


def run(  # noqa: PLR0913 -- one argument per option of sdd-experiment that is no setting
    study: Study,
    data: Path | str | Dataset,
    output: Path | str,
    *,
    split: Path | str | None = None,
    fold: int | None = None,
    layout: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Outcome:
    """Train and measure all variants of a study, and write its tables.

    What was interrupted goes on when it is called again; a larger number of
    runs adds to those that are there.

    Args:
        study: What to compare.
        data: Folder of a data set, or a data set.
        output: Folder of the study.
        split: A ``split.csv``, or ``published``; by default the images are parted
            by class and whole groups.
        fold: Fold of the ``split.csv`` to validate on.
        layout: How the folder is laid out; by default it is recognised.
        resume: Go on with a study; refuse to begin one.
        overwrite: Delete the runs of the study that is there, and begin anew.

    Returns:
        What it has come to, failed runs included.

    Raises:
        ConfigError: If the study or its images are impossible, or the folder
            belongs to another study.
        ResultsError: If the folder cannot be written, or holds something else.
        KeyboardInterrupt: After Ctrl-C; the tables of what is finished are there.
    """
    output = Path(output)
    measures.check(study.measures)
    variants = grid.variants(study)
    dataset = (data if isinstance(data, Dataset) else layouts.read(data, layout)).labelled()
    images = parts.deal(study, variants[0].stages()[0], dataset, split, fold)
    folder.claim(output, study, variants, images, resume=resume, overwrite=overwrite)
    parts.write(output / "split.csv", images[0])
    return _Course(study, output, variants, images).all()


class _Course:
    """The runs of a study one after the other."""

    def __init__(
        self, study: Study, home: Path, variants: Sequence[Variant], images: Sequence[RunParts]
    ) -> None:
        self._study, self._home = study, home
        self._variants, self._images = variants, images
        self._records: list[Record] = []
        self._failures: dict[tuple[str, int], str] = {}

    def all(self) -> Outcome:
        """Train and measure what is not finished."""
        self._find_finished()
        try:
            for number in range(1, self._study.runs + 1):
                self._round(number)
        except KeyboardInterrupt:
            self._report()
            raise
        return self._report()

    def _find_finished(self) -> None:
        for variant in self._variants:
            for number in range(1, self._study.runs + 1):
                record = records.read(self._home, variant, number)
                if record is not None:
                    self._records.append(record)
        if self._records:
            _LOG.info("%d of %d runs are finished already", len(self._records), self._total)

    def _round(self, number: int) -> None:
        """Train each variant once."""
        finished = {(record.variant, record.run) for record in self._records}
        todo = [variant for variant in self._variants if (variant.name, number) not in finished]
        for variant in todo:
            place = 1 + len(self._records) + len(self._failures)
            _LOG.info("%d of %d: %s, run %d", place, self._total, variant.name, number)
            self._one(variant, number)
        if todo and number < self._study.runs:
            self._report()

    def _one(self, variant: Variant, number: int) -> None:
        """Train and measure; what goes wrong is noted, and the others go on."""
        place = records.place(self._home, variant, number)
        try:
            record = single.train_and_measure(
                variant, number, self._images[number - 1], self._home, explain=self._study.explain
            )
        except SteelDefectError as error:
            self._fail(variant, number, str(error))
        except Exception as error:
            files.write_text(place / _ERROR, traceback.format_exc())
            first = next(iter(str(error).splitlines()), "")
            reason = f"{type(error).__name__}: {first}".removesuffix(": ")
            self._fail(variant, number, f"{reason}; all of it is in {place / _ERROR}")
        else:
            (place / _ERROR).unlink(missing_ok=True)
            self._records.append(record)

    def _fail(self, variant: Variant, number: int, reason: str) -> None:
        _LOG.info("%s, run %d failed: %s", variant.name, number, reason)
        self._failures[variant.name, number] = " ".join(reason.split())

    def _report(self) -> Outcome:
        rows, names = report.write(
            self._home, self._study, self._variants, self._images, self._records, self._failures
        )
        return Outcome(
            rows=rows,
            measures=names,
            records=tuple(self._records),
            failures=dict(self._failures),
        )

    @property
    def _total(self) -> int:
        return len(self._variants) * self._study.runs
