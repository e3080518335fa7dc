"""Suspects: images whose labels are probably wrong, to be looked at again.

A model that has learned from an image repeats its label. So the images must be
unseen: a validation part, or each fold judged by the model that has not learned
from it.

What is looked for depends on the model: wrong classes (``mislabelled.py``) where
it outlines nothing, wrong outlines (``misoutlined.py``) where it does, and in
either case images that look the same and are labelled differently
(``look_alikes.py``). Images and probabilities are forgotten one by one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import figures, files
from steel_defect_detection.datasets import duplicates
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.evaluation import (
    examples,
    judging,
    look_alikes,
    mislabelled,
    misoutlined,
)
from steel_defect_detection.evaluation.suspect import REASONS, Suspect
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.progress import progress_bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_DRAWN, MOST_LOOK_ALIKES_DRAWN = 16, 8
"""Suspects on the sheet: those that the model suspects, and those that look like another image."""

_COLUMNS = (
    "image",
    "reason",
    "labelled",
    "suggested",
    "score",
    "certainty",
    "area_pixels",
    "beside",
)


@dataclass(frozen=True, kw_only=True)
class Suspects:
    """Labels that are probably wrong.

    Args:
        image_count: How many images were judged.
        suspects: What was found, the worst first.
        unreadable: What is wrong with each image that could not be read, by
            its name.
    """

    image_count: int
    suspects: tuple[Suspect, ...]
    unreadable: Mapping[str, str]

    def report(self) -> dict[str, Any]:
        """Everything as JSON can hold it: suspects, what the reasons mean, unreadable images."""
        reasons = {suspect.reason for suspect in self.suspects}
        return {
            "images": self.image_count,
            "suspects": [suspect.report() for suspect in self.suspects],
            "definitions": {name: text for name, text in REASONS.items() if name in reasons},
            "unreadable": [
                {"image": name, "error": message} for name, message in self.unreadable.items()
            ],
        }

    def write(self, output: Path, predictor: Predictor, dataset: Dataset) -> list[Path]:
        """Write ``suspects.csv`` and, if there are any, a sheet of the worst, ``suspects.png``.

        Args:
            output: Folder for them.
            predictor: What the images were judged with.
            dataset: The images.

        Raises:
            ResultsError: If they cannot be written there.
        """
        table, picture = output / "suspects.csv", output / "suspects.png"
        rows = (suspect.report() for suspect in self.suspects)
        cells = ([row.get(name, "") for name in _COLUMNS] for row in rows)
        files.write_table(table, _COLUMNS, cells)
        if not self.suspects:
            # A sheet of an earlier search would show what is no longer suspected.
            picture.unlink(missing_ok=True)
            return [table]
        figures.write(picture, sheet(self, predictor, dataset))
        return [table, picture]


def find(predictor: Predictor, dataset: Dataset, *, progress: bool = False) -> Suspects:
    """Find labels that are probably wrong.

    Args:
        predictor: What to judge with; loaded with ``keep_probabilities`` if it
            outlines defects. It must not have learned from these images.
        dataset: Images with masks or labels, of the predictor's classes.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Raises:
        NoImagesError: If there are no images.
        ImageError: If none of them can be read.
        AnnotationError: If an image has other classes, no labels, or for
            exclusive classes none or several.
        ConfigError: If the predictor outlines defects without probabilities.
        InferenceError: If the network answers with not-a-number.
    """
    unreadable: dict[str, str] = {}
    names: list[str] = []
    labels: list[NDArray[np.bool_]] = []
    probabilities: list[NDArray[np.float64]] = []
    found: list[Suspect] = []

    def pictures() -> Iterator[NDArray[np.uint8]]:
        judged = judging.judge_all(dataset, partial(judging.judge, predictor), unreadable)
        bar = progress_bar(judged, total=len(dataset), unit="image", shown=progress)
        for sample, shown, prediction, _ in bar:
            names.append(sample.name)
            labels.append(shown)
            if prediction.label_map is not None:
                found.extend(misoutlined.find(sample, prediction))
            elif prediction.scores is not None:
                probabilities.append(prediction.scores.astype(np.float64))
            yield sample.image

    links = duplicates.find(pictures())
    table = np.array(labels)
    if probabilities:
        search = mislabelled.exclusive if predictor.exclusive else mislabelled.independent
        found += search(names, predictor.classes, table, np.array(probabilities))
    readable = dataset.subset(
        number for number, name in enumerate(dataset.names) if name not in unreadable
    )
    found += look_alikes.find(readable, table, links)
    return Suspects(
        image_count=len(names),
        suspects=tuple(sorted(found, key=lambda suspect: suspect.order)),
        unreadable=unreadable,
    )


def sheet(found: Suspects, predictor: Predictor, dataset: Dataset) -> "Figure":
    """Draw the worst suspects, each under what it is labelled with and what is suggested.

    Args:
        found: What was found; at least one suspect.
        predictor: What the images were judged with.
        dataset: The images.
    """
    numbers = {name: number for number, name in enumerate(dataset.names)}
    doubted = [suspect for suspect in found.suspects if suspect.beside is None]
    alike = [suspect for suspect in found.suspects if suspect.beside is not None]
    pictures, plain = {}, True
    chosen = [*doubted[:MOST_DRAWN], *alike[:MOST_LOOK_ALIKES_DRAWN]]
    for place, suspect in enumerate(chosen, start=1):
        example = examples.judge(predictor, dataset[numbers[suspect.image]])
        picture = example.picture
        lines = [
            f"{place}. {examples.shortened(suspect.image)}",
            f"labelled {suspect.labelled}, {suspect.score:.0%}",
            f"suggested {suspect.suggested}, {suspect.certainty:.0%}",
        ]
        if suspect.beside is not None:
            other = examples.judge(predictor, dataset[numbers[suspect.beside]])
            picture = _beside(picture, other.picture)
            lines.append(f"beside {examples.shortened(suspect.beside)}")
        elif len(example.parts) > 1:
            lines.append(", ".join(example.parts))
        plain = plain and len(example.parts) == 1
        pictures["\n".join(lines)] = picture
    return figures.sheet(pictures, columns=min(3, len(pictures)) if plain else None)


def _beside(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two pictures joined, the second in the size of the first."""
    size = (picture.shape[1], picture.shape[0])
    fitted = np.asarray(cv2.resize(other, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return examples.side_by_side([picture, fitted])
