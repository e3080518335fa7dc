"""How long a model takes for one image, from the file to the answer.

Images are judged one by one, as on a line, and not in batches. A runtime hands
its answer over as an array in main memory, so a device has finished its work
when the clock is read. The first calls are not counted: they pay for buffers and
for the choice of algorithms. Images are drawn with replacement, so some files
will be in the memory of the operating system already, and decoding them is as
quick as it gets.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import ImageError
from steel_defect_detection.evaluation.examples import draw_lots
from steel_defect_detection.metrics.fractions import known
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.sample import Sample, are_defects

DEFINITIONS: Mapping[str, str] = {
    "images": "Images that were timed, drawn with replacement.",
    "images_left_out": "Images drawn that could not be read.",
    "warm_up": "Images judged before the first one that was timed.",
    "milliseconds": "Of each stage for one image: median, 95th percentile and mean over those "
    "images where it ran.",
    "decode": "Reading and decoding the image file.",
    "gate": "Network for the whole image, with the way to the device and back.",
    "segment": "Network for the outlines, with the way to the device and back, and their cleaning.",
    "total": "Decoding, networks and everything between.",
    "images_per_second": "1000 / mean total milliseconds, one image after the other.",
    "accuracy": "Share of the timed images rightly judged: by their class if classes are "
    "exclusive, else as clean or defective.",
    "accuracy_majority": "What accuracy is if the commonest answer is always given.",
    "load_model_ms": "Reading the model and moving it to its device.",
    "load_data_ms": "Reading the data set's table of contents and the split.",
}
"""What each name of ``Timing.summary`` means, and what the command adds."""

STAGES = ("decode", "gate", "segment", "total")
"""Parts of the way of one image, in order."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Timing:
    """Times of single images.

    Args:
        runtimes: Engine, device and precision of each graph.
        names: Names of the images that were timed.
        milliseconds: Of each image by stage, NaN where a stage did not run.
        warm_up: Images judged before.
        said: Answer for each image, a class's number or 1 for "defect".
        truth: Right answer, -1 where nobody has said.
        left_out: How often an image was drawn that could not be read.
        unreadable: What is wrong with each image that could not be read, by
            its name.
    """

    runtimes: Mapping[str, str]
    names: tuple[str, ...]
    milliseconds: Mapping[str, NDArray[np.float64]]
    warm_up: int
    said: NDArray[np.int64]
    truth: NDArray[np.int64]
    left_out: int
    unreadable: Mapping[str, str]

    def summary(self) -> dict[str, Any]:
        """Measures by the names of ``DEFINITIONS``, without those that do not apply."""
        stages = {name: _of_stage(values) for name, values in self.milliseconds.items()}
        return known(
            {
                "images": len(self.names),
                "images_left_out": self.left_out,
                "warm_up": self.warm_up,
                "milliseconds": {name: values for name, values in stages.items() if values},
                "images_per_second": 1000 / float(self.milliseconds["total"].mean()),
                **self._accuracy(),
            }
        )

    def _accuracy(self) -> dict[str, float]:
        labelled = self.truth >= 0
        if not labelled.any():
            return {}
        truth = self.truth[labelled]
        return {
            "accuracy": float((self.said[labelled] == truth).mean()),
            "accuracy_majority": float(np.bincount(truth).max() / len(truth)),
        }


def measure(
    predictor: Predictor, dataset: Dataset, *, count: int = 50, seed: int = 0, warm_up: int = 3
) -> Timing:
    """Judge random images one by one and take the time.

    Args:
        predictor: What to judge with.
        dataset: Images; if they have labels, answers are compared with them.
        count: How many images to time, drawn with replacement.
        seed: Number that the choice depends on, 0 or more.
        warm_up: Images to judge before, which are not counted.

    Raises:
        NoImagesError: If there are no images.
        ImageError: If none of those that were drawn can be read.
    """
    drawn = draw_lots(dataset, warm_up + count, seed=seed, again=True)
    for number in drawn[:warm_up]:
        with contextlib.suppress(ImageError):
            _judge(predictor, dataset.entries[number])
    judged: list[tuple[int, _Judged]] = []
    unreadable: dict[str, str] = {}
    for number in drawn[warm_up:]:
        entry = dataset.entries[number]
        try:
            judged.append((number, _judge(predictor, entry)))
        except ImageError as error:
            unreadable[entry.name] = str(error)
    if not judged:
        msg = f"none of {count} images can be read, first: {next(iter(unreadable.values()))}"
        raise ImageError(msg)
    # Afterwards: a file that was just read for its label would be quick to read again.
    truth = {number: _truth(predictor, dataset[number]) for number in {n for n, _ in judged}}
    return Timing(
        runtimes=predictor.runtimes,
        names=tuple(dataset.names[number] for number, _ in judged),
        milliseconds={
            stage: np.array([getattr(found, stage) for _, found in judged], dtype=np.float64)
            for stage in STAGES
        },
        warm_up=warm_up,
        said=np.array([found.said for _, found in judged]),
        truth=np.array([truth[number] for number, _ in judged]),
        left_out=count - len(judged),
        unreadable=unreadable,
    )


class _Judged(NamedTuple):
    """Milliseconds of one image by stage, None where a stage did not run, and the answer."""

    decode: float
    gate: float | None
    segment: float | None
    total: float
    said: int


def _judge(predictor: Predictor, entry: Entry) -> _Judged:
    started = perf_counter()
    image = entry.read_image()
    read = perf_counter()
    prediction = predictor.predict(image)
    done = perf_counter()
    return _Judged(
        decode=(read - started) * 1000,
        gate=prediction.times.gate_ms,
        segment=prediction.times.segment_ms,
        total=(done - started) * 1000,
        said=_number(predictor, predictor.shown(prediction), defect=prediction.verdict == "defect"),
    )


def _truth(predictor: Predictor, sample: Sample) -> int:
    """Right answer, -1 where nobody has said."""
    labels = sample.labels
    if labels is None or sample.classes != predictor.classes:
        return -1
    if predictor.exclusive and labels.sum() != 1:
        return -1
    bad = are_defects(predictor.classes, predictor.good_class)
    return _number(predictor, labels, defect=bool(labels[bad].any()))


def _number(predictor: Predictor, shown: NDArray[np.bool_], *, defect: bool) -> int:
    """Answer as a number: the class, if classes are exclusive, else 1 for a defect."""
    return int(shown.argmax()) if predictor.exclusive else int(defect)


def _of_stage(values: NDArray[np.float64]) -> dict[str, float]:
    """Images, median, 95th percentile and mean, nothing where the stage never ran."""
    ran = values[~np.isnan(values)]
    if not len(ran):
        return {}
    median, p95 = np.percentile(ran, [50, 95])
    return {
        "images": len(ran),
        "median": float(median),
        "p95": float(p95),
        "mean": float(ran.mean()),
    }
