"""Charts of a finished run: its curves, its confusions and examples of what it says.

``curves.png`` shows losses and measures over the epochs. The others are drawn
from the checkpoint that the run keeps, on its validation images:
``confusion.png`` (counts and shares of rows), for segmenters also ``dice.png``
(Dice per class), and ``examples.png``: image, truth and prediction side by side,
or for classifiers what was predicted and what it is.
"""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import figures
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.evaluation import Evaluation, evaluate, examples
from steel_defect_detection.predictors.load import load_predictor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_EXAMPLES = 9
_NO_CURVE = {"epoch", "learning_rate", "images_per_second", "waiting_share"}


def draw(output: Path, model: Path, validation: Dataset, *, device: str = "auto") -> None:
    """Draw all charts of a run into its folder.

    Args:
        output: The run folder, with its ``epochs.csv``.
        model: The checkpoint that the run keeps.
        validation: Images to judge it on; without any, only curves are drawn.
        device: Where to judge them.
    """
    figures.write(output / "curves.png", figures.curves(panels(output / "epochs.csv")))
    if not len(validation):
        return
    predictor = load_predictor(model, device=device, runtime="pytorch")
    evaluation = evaluate(predictor, validation)
    figures.write(output / "confusion.png", figures.confusion(*evaluation.confusion()))
    if len(evaluation.dice):
        figures.write(output / "dice.png", _dice_bars(evaluation))
    chosen = validation.subset(map(validation.names.index, _typical(evaluation)))
    judged = [examples.judge(predictor, sample) for sample in chosen]
    figures.write(output / "examples.png", examples.sheet(judged))


def panels(*tables: Path) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Part the columns of tables of epochs into losses and measures.

    Args:
        *tables: The ``epochs.csv`` of one run or of several.

    Returns:
        Values by name of the column, by title of the panel, shape ``(runs,
        epochs)``; NaN after the last epoch of a run that ended early.
    """
    runs = [_columns(table) for table in tables]
    longest = max(len(column) for run in runs for column in run.values())
    values = {
        name: np.array([_padded(run.get(name, []), longest) for run in runs])
        for name in runs[0]
        if name not in _NO_CURVE
    }
    losses = {name: values.pop(name) for name in list(values) if name.endswith("loss")}
    return {"loss": losses} | ({"measures on the validation images": values} if values else {})


def _columns(table: Path) -> dict[str, list[float]]:
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def _padded(values: list[float], length: int) -> list[float]:
    return values + [float("nan")] * (length - len(values))


def _dice_bars(evaluation: Evaluation) -> "Figure":
    percent = evaluation.dice.pooled() * 100
    values = {
        name: round(float(value))
        for name, value in zip(evaluation.classes, percent, strict=True)
        if not np.isnan(value)
    }
    return figures.bars([figures.Bars("Dice over all pixels, in percent", values)])


def _typical(evaluation: Evaluation) -> list[str]:
    """Choose images to show, by name: every class once, then the others in turn."""
    first = [int(np.flatnonzero(column)[0]) for column in evaluation.labels.T if column.any()]
    others = [number for number in range(len(evaluation.names)) if number not in first]
    chosen = list(dict.fromkeys([*first, *others]))[:_MOST_EXAMPLES]
    return [evaluation.names[number] for number in chosen]
