"""Tables of a study: a row per run, and a row per variant with intervals."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steel_defect_detection import files
from steel_defect_detection.experiments import measures
from steel_defect_detection.experiments.grid import Variant
from steel_defect_detection.experiments.records import Record
from steel_defect_detection.metrics import student
from steel_defect_detection.metrics.student import Mean

Failures = Mapping[tuple[str, int], str]
"""What went wrong, by variant and number of the run."""

_ENDS = ("mean", "std", "low", "high")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the runs of one variant have come to.

    Args:
        variant: The variant.
        runs: Finished runs.
        failed: Runs that failed.
        means: Mean over the runs by measure.
        differences: Mean difference from the first variant by measure, over the
            runs that both have finished; none for the first variant.
    """

    variant: Variant
    runs: int
    failed: int
    means: Mapping[str, Mean]
    differences: Mapping[str, Mean]


def rows(
    variants: Sequence[Variant],
    records: Sequence[Record],
    failures: Failures,
    names: Sequence[str],
) -> list[Row]:
    """Average the runs of each variant.

    Args:
        variants: All variants; others are compared with the first.
        records: Finished runs.
        failures: Runs that failed.
        names: Measures.
    """
    found = {variant.name: _by_run(records, variant) for variant in variants}
    first = found[variants[0].name]
    return [
        Row(
            variant=variant,
            runs=len(found[variant.name]),
            failed=sum(name == variant.name for name, _ in failures),
            means={name: student.mean(_values(found[variant.name], name)) for name in names},
            differences={}
            if variant is variants[0]
            else {name: _difference(found[variant.name], first, name) for name in names},
        )
        for variant in variants
    ]


def write_runs(
    path: Path, variants: Sequence[Variant], records: Sequence[Record], failures: Failures
) -> None:
    """Write ``runs.csv``: a row per run, variants in order, with all measures.

    Args:
        path: The file.
        variants: All variants.
        records: Finished runs.
        failures: Runs that failed; their rows have an ``error``.

    Raises:
        ResultsError: If it cannot be written.
    """
    lines: list[dict[str, Any]] = []
    for variant in variants:
        for run, record in sorted(_by_run(records, variant).items()):
            beside = {name: getattr(record, name) for name in _OF_RECORD}
            head = {"variant": variant.name, **variant.labels, "run": run}
            lines.append(head | beside | dict(record.measures))
        for (name, run), error in failures.items():
            if name == variant.name:
                head = {"variant": name, **variant.labels, "run": run}
                lines.append(head | {"error": error})
    fixed = ["variant", *variants[0].labels, "run", *_OF_RECORD]
    named = dict.fromkeys(name for record in records for name in record.measures)
    columns = [*fixed, *named, "error"]
    cells = ([_cell(line.get(name)) for name in columns] for line in lines)
    files.write_table(path, columns, cells)


_OF_RECORD = ("seed", "training_images", "synthetic_images", "epoch", "seconds")


def write_table(path: Path, found: Sequence[Row], names: Sequence[str]) -> None:
    """Write ``table.csv``: a row per variant, with intervals.

    Args:
        path: The file.
        found: What the variants have come to.
        names: Measures.

    Raises:
        ResultsError: If it cannot be written.
    """
    columns = ["variant", *found[0].variant.labels, "runs", "failed"]
    columns += [f"{name}.{end}" for name in names for end in (*_ENDS, *map(_of_difference, _ENDS))]
    cells = []
    for row in found:
        line: list[Any] = [row.variant.name, *row.variant.labels.values(), row.runs, row.failed]
        for name in names:
            for mean in (row.means[name], row.differences.get(name)):
                line += [_cell(getattr(mean, end)) if mean else "" for end in _ENDS]
        cells.append(line)
    files.write_table(path, columns, cells)


def markdown(
    title: str,
    notes: Sequence[str],
    found: Sequence[Row],
    names: Mapping[str, float | None],
) -> Iterator[str]:
    """Write the table for people: one below the other, by measure.

    Args:
        title: Heading.
        notes: What has to be known to read it.
        found: What the variants have come to.
        names: Measures, each with what it is without a model, where that is known.

    Yields:
        Lines of Markdown.
    """
    yield from (f"# {title}", "", *(line for note in notes for line in (note, "")))
    first = found[0].variant.name
    for name, without in names.items():
        beside = (
            "" if without is None else f" Without a model, by the commonest answer: {without:.4f}."
        )
        yield from (f"## {name}", "", measures.meaning(name) + beside, "")
        yield (
            "| variant | runs | mean ± standard deviation | 95 % interval | difference from "
            f"{first} | 95 % interval |"
        )
        yield "| --- | --: | --: | --: | --: | --: |"
        for row in found:
            mean, more = row.means[name], row.differences.get(name)
            cells = [row.variant.name, str(row.runs), _spread(mean), _interval(mean)]
            cells += [_signed(more), _interval(more, signed=True)] if more else ["", ""]
            yield f"| {' | '.join(cells)} |"
        yield ""


def _by_run(records: Sequence[Record], variant: Variant) -> dict[int, Record]:
    return {record.run: record for record in records if record.variant == variant.name}


def _values(records: Mapping[int, Record], name: str) -> list[float]:
    return [record.measures[name] for record in records.values() if name in record.measures]


def _difference(found: Mapping[int, Record], first: Mapping[int, Record], name: str) -> Mean:
    """Compare run by run: runs of one number share seed and images."""
    both = [
        run
        for run in found
        if run in first and name in found[run].measures and name in first[run].measures
    ]
    return student.difference(
        [found[run].measures[name] for run in both], [first[run].measures[name] for run in both]
    )


def _of_difference(end: str) -> str:
    return "difference" if end == "mean" else f"difference_{end}"


def _cell(value: Any) -> Any:
    """What is unknown is an empty cell."""
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _spread(mean: Mean) -> str:
    if not mean.count:
        return "–"
    return f"{mean.mean:.4f}" if math.isnan(mean.std) else f"{mean.mean:.4f} ± {mean.std:.4f}"


def _signed(mean: Mean) -> str:
    return f"{mean.mean:+.4f}" if mean.count else "–"


def _interval(mean: Mean, *, signed: bool = False) -> str:
    if math.isnan(mean.low):
        return "–"
    return " to ".join(f"{end:+.4f}" if signed else f"{end:.4f}" for end in (mean.low, mean.high))
