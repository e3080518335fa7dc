"""Pictures of a finished run: its curves, its confusions and examples of what it says.

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

from steel_defect_detection import figures
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.evaluation import Evaluation, evaluate, examples
from steel_defect_detection.predictors.load import load_predictor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_EXAMPLES = 9
_NO_CURVE = {"epoch", "learning_rate"}


def draw(output: Path, model: Path, validation: Dataset, *, device: str = "auto") -> None:
    """Draw all pictures of a run into its folder.

    Args:
        output: The run folder, with its ``epochs.csv``.
        model: The checkpoint that the run keeps.
        validation: Images to judge it on; without any, only curves are drawn.
        device: Where to judge them.
    """
    figures.write(output / "curves.png", figures.curves(_panels(output / "epochs.csv")))
    if not len(validation):
        return
    predictor = load_predictor(model, device=device)
    evaluation = evaluate(predictor, validation)
    figures.write(output / "confusion.png", figures.confusion(*evaluation.confusion()))
    if len(evaluation.dice):
        figures.write(output / "dice.png", _dice_bars(evaluation))
    chosen = validation.subset(map(validation.names.index, _typical(evaluation)))
    judged = [examples.judge(predictor, sample) for sample in chosen]
    figures.write(output / "examples.png", examples.sheet(judged))


def _panels(table: Path) -> dict[str, dict[str, list[float]]]:
    """Part the columns of ``epochs.csv`` into losses and measures."""
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in _NO_CURVE]
    values = {name: [float(row[name]) for row in rows] for name in names}
    losses = {name: values.pop(name) for name in names if name.endswith("loss")}
    return {"loss": losses} | ({"measures on the validation images": values} if values else {})


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
