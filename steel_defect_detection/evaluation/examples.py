"""Single images, to be looked at: what they show, what a model says, and a picture of both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import drawing, figures, masks
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError, ImageError, NoImagesError
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.sample import Sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST_NAME = 38


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """One image, what it shows and what a model says of it.

    Args:
        name: Name of the image.
        actual: Classes that it shows; None if nobody has said.
        predicted: Classes that the model found.
        confidences: Probability of each class, 0 to 1, by its name.
        parts: What the picture is made of, from the left or from above:
            ``image``, ``truth`` and ``prediction``, as far as there are outlines.
        picture: Red, green, blue, uint8, ``(height, width, 3)``.
    """

    name: str
    actual: tuple[str, ...] | None
    predicted: tuple[str, ...]
    confidences: dict[str, float]
    parts: tuple[str, ...]
    picture: NDArray[np.uint8]

    @property
    def predicted_words(self) -> str:
        """The classes that were found, each with its probability."""
        named = [f"{name} {self.confidences[name]:.0%}" for name in self.predicted]
        return " and ".join(named) or "clean"

    @property
    def actual_words(self) -> str:
        """The classes that the image shows."""
        return "unknown" if self.actual is None else " and ".join(self.actual) or "clean"

    @property
    def title(self) -> str:
        """Name, prediction, truth and parts, one line each; of a long name its end."""
        lines = [
            shortened(self.name),
            f"predicted {self.predicted_words}",
            f"actual {self.actual_words}",
        ]
        return "\n".join(lines + ([", ".join(self.parts)] if len(self.parts) > 1 else []))

    def report(self) -> dict[str, Any]:
        """Everything but the picture, as JSON can hold it."""
        return {
            "image": self.name,
            "actual": None if self.actual is None else list(self.actual),
            "predicted": list(self.predicted),
            "confidences": self.confidences,
        }


def judge(predictor: Predictor, sample: Sample) -> Example:
    """Judge one image and draw what was said of it.

    Args:
        predictor: What to judge with.
        sample: The image; its masks are drawn if it has any.
    """
    prediction = predictor.predict(sample.image)
    pictures = _pictures(sample, prediction)
    scores = np.zeros(len(predictor.classes)) if prediction.scores is None else prediction.scores
    return Example(
        name=sample.name,
        actual=None if sample.labels is None else _named(sample.classes, sample.labels),
        predicted=_named(predictor.classes, predictor.shown(prediction)),
        confidences=dict(zip(predictor.classes, map(float, scores), strict=True)),
        parts=tuple(pictures),
        picture=side_by_side(list(pictures.values())),
    )


def judge_all(predictor: Predictor, dataset: Dataset) -> tuple[list[Example], dict[str, str]]:
    """Judge images one after the other.

    Args:
        predictor: What to judge with.
        dataset: The images, few enough to keep them all.

    Returns:
        What was said of the images that can be read, and what is wrong with
        the others by name.

    Raises:
        ImageError: If none can be read.
    """
    judged, unreadable = [], {}
    for number, name in enumerate(dataset.names):
        try:
            judged.append(judge(predictor, dataset[number]))
        except ImageError as error:
            unreadable[name] = str(error)
    if not judged:
        raise ImageError("; ".join(unreadable.values()))
    return judged, unreadable


def sheet(examples: Sequence[Example]) -> "Figure":
    """Draw examples beside each other, three in a row, or below each other if they are outlined.

    Args:
        examples: What to draw; at least one.
    """
    columns = None if len(examples[0].parts) > 1 else min(3, len(examples))
    return figures.sheet({example.title: example.picture for example in examples}, columns=columns)


def side_by_side(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Join pictures along their shorter side, with a white line between.

    Args:
        pictures: Red, green, blue, uint8, all of one shape; at least one.
    """
    height, width = pictures[0].shape[:2]
    axis = 0 if width > height else 1
    line = np.full((4, width, 3) if axis == 0 else (height, 4, 3), 255, dtype=np.uint8)
    parts = [part for picture in pictures for part in (picture, line)][:-1]
    return np.concatenate(parts, axis=axis)


def shortened(name: str) -> str:
    """Shorten a name for a title: of a long one the end is left."""
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"


def find(dataset: Dataset, name: str) -> int:
    """Number of the image with a name.

    Args:
        dataset: Where to look.
        name: Name of the image in the data set, or the last part of it, with
            or without ending.

    Raises:
        ConfigError: If there is no such image, or several.
    """
    for part in (str, _last, _stem):
        found = [number for number, known in enumerate(dataset.names) if part(known) == name]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(dataset.names[number] for number in found[:3])
            msg = f"{len(found)} images are called {name!r}: {names}. Give the whole name"
            raise ConfigError(msg)
    some = ", ".join(dataset.names[:3])
    msg = f"the data have no image {name!r}; they have {len(dataset)} images, first: {some}"
    raise ConfigError(msg)


def draw_lots(dataset: Dataset, count: int, *, seed: int, again: bool = False) -> list[int]:
    """Choose images by chance.

    Args:
        dataset: Where to choose from.
        count: How many to choose, or all of them if there are fewer.
        seed: Number that the choice depends on, 0 or more.
        again: Whether an image may be chosen more than once; there are then
            always as many as asked for.

    Returns:
        Numbers of the images.

    Raises:
        NoImagesError: If there are none.
    """
    if not len(dataset):
        msg = "there are no images to choose from"
        raise NoImagesError(msg)
    random = np.random.default_rng(seed)
    most = count if again else min(count, len(dataset))
    return [int(number) for number in random.choice(len(dataset), most, replace=again)]


def _last(name: str) -> str:
    return Path(name).name


def _stem(name: str) -> str:
    return Path(name).stem


def _named(classes: Iterable[str], shown: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, here in zip(classes, shown, strict=True) if here)


def _pictures(sample: Sample, prediction: Prediction) -> dict[str, NDArray[np.uint8]]:
    """The image, and with the outlines of truth and prediction where there are any."""
    image = np.ascontiguousarray(np.broadcast_to(sample.image, (*sample.shape, 3)))
    found = {"image": image}
    if prediction.label_map is None:
        return found
    if sample.masks is not None:
        found["truth"] = drawing.overlay(image, _label_map(sample.masks), sample.classes)
    found["prediction"] = drawing.overlay(image, prediction.label_map, prediction.classes)
    return found


def _label_map(truth: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Label map of the true masks; of overlapping classes the first."""
    order = -np.arange(len(truth), dtype=np.float32)
    return masks.to_label_map(truth, np.broadcast_to(order[:, None, None], truth.shape))
