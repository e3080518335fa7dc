"""What a study writes down, and the words on how its numbers are to be read."""

from collections.abc import Sequence
from pathlib import Path

from steel_defect_detection import files
from steel_defect_detection.experiments import curves, measures, tables
from steel_defect_detection.experiments.grid import Variant
from steel_defect_detection.experiments.parts import RunParts
from steel_defect_detection.experiments.records import Record
from steel_defect_detection.experiments.study import Study
from steel_defect_detection.experiments.tables import Failures, Row
from steel_defect_detection.wording import amount

TABLE = "table.md"


def write(
    home: Path,
    study: Study,
    variants: Sequence[Variant],
    images: Sequence[RunParts],
    records: Sequence[Record],
    failures: Failures,
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Write tables and curves of what is finished.

    Args:
        home: Folder of the study.
        study: The study.
        variants: Its variants.
        images: Images of each run.
        records: Finished runs.
        failures: Runs that failed.

    Returns:
        The rows of the table, and the names of their measures.

    Raises:
        ResultsError: If a file cannot be written.
    """
    names = measures.shown(study.measures, [record.measures for record in records])
    rows = tables.rows(variants, records, failures, names)
    tables.write_runs(home / "runs.csv", variants, records, failures)
    tables.write_table(home / "table.csv", rows, names)
    notes = [study.description] * bool(study.description)
    notes += [*reading(study, variants, images), *_unfinished(study, variants, records)]
    notes += _failed(failures)
    lines = tables.markdown(
        study.name,
        notes,
        rows,
        measures.without_model(names, [record.measures for record in records]),
    )
    files.write_text(home / TABLE, "\n".join(lines))
    curves.write(home, variants, curves.collect(home, variants, records))
    return tuple(rows), names


def reading(study: Study, variants: Sequence[Variant], images: Sequence[RunParts]) -> list[str]:
    """Say how the numbers of a study are to be read.

    Args:
        study: The study.
        variants: Its variants.
        images: Images of each run.

    Returns:
        Paragraphs: what was measured on, what the runs differ in, and what is
        compared.
    """
    said = [_measured_on(study, variants, images[0]), _chance(study)]
    return [*said, _comparison(study, variants)] if len(variants) > 1 else said


def _measured_on(study: Study, variants: Sequence[Variant], images: RunParts) -> str:
    count = amount(len(images.measured), f"{study.part} image")
    learned = amount(len(images.train), "image")
    parts = f"There are {learned} to learn from"
    if study.part == "test":
        return (
            f"Measured on {count}, which took no part in training or in the choice of an epoch, "
            f"once for each finished model. {parts} and {len(images.validation)} to validate on."
        )
    best = any(stage.keep == "best" for variant in variants for stage in variant.stages())
    chosen = (
        "on which the epoch that is kept was chosen, too: the numbers are better than on new images"
        if best
        else "on which no epoch was chosen"
    )
    return f"Measured on {count}, {chosen}. {parts}."


def _chance(study: Study) -> str:
    runs = amount(study.runs, "run")
    if study.folds:
        return (
            f"{runs} of each variant, each with a seed and with one of {study.folds} folds of its "
            "own to measure on. The training images of folds overlap, so the intervals are "
            "narrower than those of independent runs."
        )
    if study.runs == 1:
        return "One run of each variant: nothing says how much of a difference is chance."
    return (
        f"{runs} of each variant, each with a seed of its own, on the same images: the intervals "
        "(Student's t) tell the chance in training, and not that of other images."
    )


def _comparison(study: Study, variants: Sequence[Variant]) -> str:
    others = len(variants) - 1
    first = "The other variant is" if others == 1 else f"The other {others} variants are"
    several = (
        ""
        if others <= 1 or study.runs == 1
        else (
            f" With {others} comparisons one interval in twenty lies beside the truth by chance: "
            "they are not corrected for that."
        )
    )
    return f"{first} compared with {variants[0].name}, run by run.{several}"


def _unfinished(study: Study, variants: Sequence[Variant], records: Sequence[Record]) -> list[str]:
    total = len(variants) * study.runs
    return [f"Finished are {len(records)} of {total} runs."] if len(records) < total else []


def _failed(failures: Failures) -> list[str]:
    lines = [f"* {name}, run {run}: {reason}" for (name, run), reason in failures.items()]
    return ["Failed:", "\n".join(lines)] if lines else []
