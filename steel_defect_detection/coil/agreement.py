"""Whether the files of a results folder still belong together.

A table that lost its end looks like one of fewer images, and a coil like one of
fewer defects. ``run.json`` says how many images there were, and ``images.csv`` how
many pixels of each class there are in ``predictions.csv``.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.prediction import Verdict

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)

_WAY_OUT = "The results are damaged: judge the images again with sdd-predict"


def refuse_cut_table(folder: Path, run: Mapping[str, Any], rows: int) -> bool:
    """Refuse a table of images that has not as many rows as its run wrote.

    A run that was stopped, and is whole as far as it went, is only remarked upon.

    Args:
        folder: The results folder, for messages.
        run: What ``run.json`` holds; one without counts says nothing.
        rows: Rows of ``images.csv``.

    Returns:
        Whether the run was stopped before its last image.

    Raises:
        ResultsError: If there are more or fewer.
    """
    counts = run.get("counts")
    written = counts.get("images") if isinstance(counts, dict) else None
    if not isinstance(written, int):
        return False
    if rows != written:
        msg = (
            f"{folder / 'images.csv'} has {rows:,} rows, but run.json says that {written:,} "
            f"images were judged. {_WAY_OUT}"
        )
        raise ResultsError(msg)
    asked = counts.get("asked") if isinstance(counts, dict) else None
    stopped = isinstance(asked, int) and asked > written
    if stopped:
        _LOG.warning(
            "the run stopped after %s of %s images: the coil ends there, or has gaps",
            f"{written:,}",
            f"{asked:,}",
        )
    return stopped


def refuse_strange_verdicts(folder: Path, table: "pd.DataFrame") -> None:
    """Refuse rows with a verdict that no run writes.

    Args:
        folder: The results folder, for messages.
        table: Rows of ``images.csv``.

    Raises:
        ResultsError: Naming the first such row.
    """
    strange = table[~table["verdict"].isin(get_args(Verdict))]
    if len(strange):
        msg = (
            f"{folder / 'images.csv'} gives {strange['file'].iloc[0]} the verdict "
            f"{strange['verdict'].iloc[0]!r}, which no run does. {_WAY_OUT}"
        )
        raise ResultsError(msg)


def refuse_other_areas(
    folder: Path,
    table: "pd.DataFrame",
    classes: Sequence[str],
    found: NDArray[np.int64],
) -> None:
    """Refuse outlines that have other areas than the table of images says.

    Args:
        folder: The results folder, for messages.
        table: Rows of ``images.csv``.
        classes: Names of the classes.
        found: Pixels by row and class in ``predictions.csv``, int64, shape
            ``(rows, classes)``.

    Raises:
        ResultsError: If they differ.
    """
    import pandas as pd

    for number, name in enumerate(classes):
        column = f"area_{name}"
        if column not in table:
            continue
        said = np.nan_to_num(pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64))
        differs = np.flatnonzero(said != found[:, number])
        if differs.size:
            row = int(differs[0])
            msg = (
                f"{folder} contradicts itself: {table['file'].iloc[row]} has "
                f"{found[row, number]:,} pixels of {name} in predictions.csv, but images.csv says "
                f"{said[row]:,.0f}. {_WAY_OUT}"
            )
            raise ResultsError(msg)
