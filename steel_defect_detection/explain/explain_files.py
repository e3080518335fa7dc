"""From image files to a folder of explanations: what ``sdd-explain`` does, as one call.

::

    explanations/
    ├── <stem>.png            the image beside its heat map
    ├── <stem>.npz            on request: ``attribution``, float32, (height, width)
    ├── explanations.csv      one row per input, in input order
    └── explanations.json     versions, model, method, settings, counts, checks
"""

import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from steel_defect_detection import drawing, figures, files
from steel_defect_detection.datasets import output_folder
from steel_defect_detection.errors import ExplanationError, ImageError
from steel_defect_detection.explain.checks import Location, Randomisation, mean
from steel_defect_detection.explain.explaining import MOST_GAP, Explainer
from steel_defect_detection.explain.explanation import Explanation
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.results import name_all

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one input: a row of ``explanations.csv``.

    Args:
        file: The input.
        figure: Name of its picture; empty after an error.
        method: How it was explained.
        class_name: Class that was explained; in the table it is called ``class``.
        probability: Probability of that class.
        target: What was explained, in words.
        value: The target's value.
        gap: Gap of a method that has one.
        randomisation: Rank correlation with the explanation of a network whose
            weights are shuffled, if that was asked for.
        seconds: Time it took, without the check.
        error: One line saying what went wrong.
    """

    file: str
    figure: str = ""
    method: str = ""
    class_name: str = ""
    probability: float | None = None
    target: str = ""
    value: float | None = None
    gap: float | None = None
    randomisation: float | None = None
    seconds: float | None = None
    error: str = ""

    def as_record(self) -> dict[str, Any]:
        """The row with the names that the table has."""
        return {
            "class" if name == "class_name" else name: value for name, value in asdict(self).items()
        }


def explain_files(  # noqa: PLR0913 -- one argument per option of sdd-explain
    explainer: Explainer,
    paths: Sequence[Path],
    output: Path,
    *,
    class_name: str | None = None,
    arrays: bool = False,
    randomisation: Randomisation | None = None,
    overwrite: bool = False,
) -> list[Row]:
    """Explain image files, and write a picture of each.

    A file that cannot be read or explained is a row with an error, and the rest
    goes on; what went wrong is said to the logger of this module.

    Args:
        explainer: What explains.
        paths: Image files, such as ``images.find`` lists.
        output: Folder to write.
        class_name: The class to explain; by default the one that the model
            names, or that has the largest area.
        arrays: Whether to write the maps themselves, too.
        randomisation: What to compare each explanation with.
        overwrite: Whether the folder may hold something; files of the same
            name are replaced.

    Returns:
        What became of each file, in order.

    Raises:
        ConfigError: If the model has no such class.
        ResultsError: If the folder cannot be written, or holds something and
            must not.
    """
    if class_name is not None:
        explainer.subject.class_number(class_name)
    output_folder.prepare(output, overwrite=overwrite)
    rows = []
    bar = progress_bar(zip(paths, name_all(paths), strict=True), total=len(paths), unit="image")
    for path, names in bar:
        try:
            row, explanation = _explained(explainer, path, class_name, randomisation)
        except (ImageError, ExplanationError) as error:
            text = str(error) if str(path) in str(error) else f"{path}: {error}"
            rows.append(Row(file=str(path), error=text))
            bar.clear()
            _LOG.info("%s", text)
            continue
        figure = f"{names.stem}.png"
        figures.write(output / figure, _figure(explainer, explanation))
        if arrays:
            _write_array(output / f"{names.stem}.npz", explanation)
        rows.append(Row(**{**asdict(row), "figure": figure}))
    return rows


def write_record(
    output: Path,
    explainer: Explainer,
    rows: Sequence[Row],
    *,
    locations: Sequence[Location] = (),
    record: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write tables and record of a run.

    Args:
        output: The folder.
        explainer: What explained.
        rows: What became of each file.
        locations: Where the explanations of labelled images point, if that was
            measured; they go to ``localisation.csv``.
        record: What ``explanations.json`` is to hold beside the rest.

    Returns:
        What ``explanations.json`` holds.
    """
    columns = list(Row(file="").as_record())
    cells = [[_cell(value) for value in row.as_record().values()] for row in rows]
    files.write_table(output / "explanations.csv", columns, cells)
    if locations:
        columns = list(asdict(locations[0]))
        cells = [[_cell(value) for value in asdict(each).values()] for each in locations]
        files.write_table(output / "localisation.csv", columns, cells)
    content = {**(record or {}), **_about(explainer), **summary(rows, locations)}
    files.write_text(output / "explanations.json", json.dumps(content, indent=2) + "\n")
    return content


def summary(rows: Sequence[Row], locations: Sequence[Location]) -> dict[str, Any]:
    """Counts and checks of a run, as its record holds them.

    Args:
        rows: What became of each file.
        locations: Where the explanations of labelled images point.
    """
    errors = sum(bool(row.error) for row in rows)
    found: dict[str, Any] = {"counts": {"images": len(rows), "error": errors}}
    correlation = mean([row.randomisation for row in rows])
    if correlation is not None:
        found["randomisation"] = {"mean_rank_correlation": correlation}
    if locations:
        found["localisation"] = {
            "images": sum(not each.error for each in locations),
            "error": sum(bool(each.error) for each in locations),
            "mean_share_inside": mean([each.inside for each in locations]),
            "mean_share_by_chance": mean([each.chance for each in locations]),
        }
    return found


def _explained(
    explainer: Explainer,
    path: Path,
    class_name: str | None,
    randomisation: Randomisation | None,
) -> tuple[Row, Explanation]:
    started = perf_counter()
    explanation = explainer.explain(path, class_name)
    seconds = perf_counter() - started
    target = explanation.target
    correlation = None
    if randomisation is not None:
        image = explainer.read(path)
        correlation = randomisation.correlation(explanation.attribution, image, target)
    row = Row(
        file=str(path),
        method=explanation.method,
        class_name=target.class_name,
        probability=target.probability,
        target=target.text,
        value=explanation.value,
        gap=explanation.gap,
        randomisation=correlation,
        seconds=seconds,
    )
    return row, explanation


def _figure(explainer: Explainer, explanation: Explanation) -> Any:
    image, target = explainer.read(explanation.source), explanation.target
    picture = np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))
    if target.label_map is not None:
        picture = drawing.overlay(picture, target.label_map, explainer.subject.classes)
    said = f"{target.class_name} {100 * target.probability:.0f} %"
    gap = "" if explanation.gap is None else f"\ncompleteness gap {explanation.gap:.2%}"
    return figures.explanation(
        {said: picture}, {f"{explanation.method}\n{target.text}{gap}": explanation.attribution}
    )


def _write_array(path: Path, explanation: Explanation) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, attribution=explanation.attribution)
    files.write_bytes(path, buffer.getvalue())


def _about(explainer: Explainer) -> dict[str, Any]:
    subject = explainer.subject
    libraries = {name: version(name) for name in ("steel-defect-detection", "torch", "captum")}
    steps = {"steps": explainer.steps} if explainer.method == "integrated-gradients" else {}
    return {
        "versions": libraries,
        "model": {"name": subject.source, "sha256": subject.sha256, "graph": subject.part},
        "classes": subject.classes,
        "method": explainer.method,
        **steps,
        "largest_gap_allowed": MOST_GAP,
        "device": str(explainer.device),
    }


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
