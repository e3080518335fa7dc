"""Judge one image that was sent: from the bytes of its file to its answer."""

import base64
import logging
from dataclasses import dataclass
from threading import Lock
from time import perf_counter
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from steel_defect_detection import images, masks, rle
from steel_defect_detection.errors import ConversionError, ImageError, InferenceError
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.runtimes.tiling import MOST_PIXELS
from steel_defect_detection.web.answers import Defect, ImageAnswer, Point, Problem, Times
from steel_defect_detection.web.bodies import Upload
from steel_defect_detection.web.metrics import Metrics

Include = Literal["outlines", "mask", "overlay", "preview"]
"""What an answer holds beside the numbers, if asked for."""

_LOG = logging.getLogger(__name__)
_PREVIEW_SIDE = 2000


@dataclass(frozen=True, kw_only=True)
class Job:
    """An image to be judged.

    Args:
        upload: The file.
        include: What the answer is to hold beside the numbers.
        received: When it was received, by ``perf_counter``.
    """

    upload: Upload
    include: frozenset[Include]
    received: float


class Judge:
    """Judges images that were sent.

    Args:
        predictor: What looks at them.
        max_pixels: Most pixels of an image.
        metrics: What counts them.
    """

    def __init__(self, predictor: Predictor, *, max_pixels: int, metrics: Metrics) -> None:
        self._predictor = predictor
        self._max_pixels = max_pixels
        self._metrics = metrics
        self._large = Lock()

    def judge(self, job: Job) -> ImageAnswer:
        """Judge an image; whatever is wrong with it stands in the answer.

        Args:
            job: The image.
        """
        started = perf_counter()
        waited = started - job.received
        answer = self._answer(job)
        answer.times.wait_ms = 1000 * waited
        self._metrics.image(answer.verdict, waited=waited, judged=perf_counter() - started)
        return answer

    def _answer(self, job: Job) -> ImageAnswer:
        name = job.upload.name
        try:
            height, width = images.size_of(job.upload.data, name)
        except ImageError as error:
            if not isinstance(error.__cause__, Image.DecompressionBombError):
                return failed(name, "not_an_image", str(error))
            # How many it has, the decoder keeps to itself.
            most = f"more than the most of {self._max_pixels:,} pixels"
            return failed(name, "too_many_pixels", f"{name} has {most}")
        wrong = self._wrong_size(name, height, width)
        if wrong is not None:
            return wrong
        if height * width <= MOST_PIXELS:
            return self._tried(job)
        # Large ones one at a time: a network keeps dozens of bytes for each pixel.
        with self._large:
            return self._tried(job)

    def _wrong_size(self, name: str, height: int, width: int) -> ImageAnswer | None:
        size = f"{name} is {width} x {height} pixels"
        if height * width > self._max_pixels:
            most = f"more than the most of {self._max_pixels:,}"
            return failed(name, "too_many_pixels", f"{size}, {most}")
        if min(height, width) < images.MIN_SIDE:
            return failed(name, "too_small", f"{size}, fewer than {images.MIN_SIDE} a side")
        return None

    def _tried(self, job: Job) -> ImageAnswer:
        name = job.upload.name
        try:
            return self._looked_at(job)
        except (InferenceError, ConversionError) as error:
            return failed(name, "not_judged", f"{name}: {error}")
        except Exception:
            # One image must not take the others of its request along.
            _LOG.exception("an image could not be judged")
            return failed(name, "not_judged", f"{name} could not be judged: see the server's log")

    def _looked_at(self, job: Job) -> ImageAnswer:
        name, started = job.upload.name, perf_counter()
        try:
            image = images.decode(
                job.upload.data, name, grey=self._predictor.grey, max_pixels=self._max_pixels
            )
        except ImageError as error:
            return failed(name, "damaged", str(error))
        decode_ms = 1000 * (perf_counter() - started)
        prediction = self._predictor.predict(image)
        if prediction.error is not None:
            return failed(name, "not_judged", prediction.error)
        answer = _said(prediction, name, image.shape, self._found(prediction, job))
        answer.times.decode_ms = decode_ms
        _add_pictures(answer, prediction, image, job.include)
        return answer

    def _found(self, prediction: Prediction, job: Job) -> dict[str, Defect]:
        shown = zip(prediction.classes, self._predictor.shown(prediction), strict=True)
        numbers = [number for number, (_, is_shown) in enumerate(shown, 1) if is_shown]
        return {
            prediction.classes[number - 1]: _defect(prediction, number, job.include)
            for number in numbers
            if prediction.classes[number - 1] != prediction.good_class
        }


def failed(name: str, code: str, message: str) -> ImageAnswer:
    """Say that an image could not be judged.

    Args:
        name: What it is called.
        code: Why, in one word for programs.
        message: Why, in one line for people.
    """
    return ImageAnswer(name=name, verdict="error", error=Problem(code=code, message=message))


def corners(line: NDArray[np.int32]) -> list[Point]:
    """Keep the points of a closed line where it changes its direction.

    Args:
        line: Shape ``(points, 2)``, each point beside the one before.

    Returns:
        The corners; the line through them is the same.

    Example:
        >>> corners(np.array([[0, 0], [1, 0], [2, 0], [2, 1], [1, 1], [0, 1]], dtype=np.int32))
        [(0, 0), (2, 0), (2, 1), (0, 1)]
    """
    if len(line) < 3:
        return [(x, y) for x, y in line.tolist()]
    before, after = line - np.roll(line, 1, axis=0), np.roll(line, -1, axis=0) - line
    return [(x, y) for x, y in line[(before != after).any(axis=1)].tolist()]


def _said(
    prediction: Prediction, name: str, shape: tuple[int, ...], defects: dict[str, Defect]
) -> ImageAnswer:
    times = prediction.times
    scores = [] if prediction.scores is None else prediction.scores.tolist()
    return ImageAnswer(
        name=name,
        width=shape[1],
        height=shape[0],
        verdict=prediction.verdict,
        class_name=prediction.class_name,
        gate_probability=prediction.gate_probability,
        certainty=prediction.certainty,
        familiarity=prediction.familiarity,
        scores=dict(zip(prediction.classes, scores, strict=False)),
        defects=defects,
        times=Times(gate_ms=times.gate_ms, segment_ms=times.segment_ms),
    )


def _defect(prediction: Prediction, number: int, include: frozenset[Include]) -> Defect:
    score = 0.0 if prediction.scores is None else float(prediction.scores[number - 1])
    if prediction.label_map is None:
        return Defect(score=score)
    mask = prediction.label_map == number
    lines = masks.outlines(mask) if "outlines" in include else None
    return Defect(
        score=score,
        area=int(mask.sum()),
        share=float(mask.mean()),
        pieces=masks.components(mask)[1],
        runs=rle.encode(mask),
        outlines=None if lines is None else [corners(line) for line in lines],
    )


def _add_pictures(
    answer: ImageAnswer,
    prediction: Prediction,
    image: NDArray[np.uint8],
    include: frozenset[Include],
) -> None:
    if "mask" in include and prediction.label_map is not None:
        answer.mask = _address(prediction.label_map, ".png")
    if "overlay" in include:
        answer.overlay = _address(prediction.overlay(image), ".png")
    if "preview" in include:
        answer.preview = _address(_small(image), ".jpg")


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = _PREVIEW_SIDE / max(image.shape[:2])
    if factor >= 1:
        return image
    size = (max(1, int(image.shape[1] * factor)), max(1, int(image.shape[0] * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _address(image: NDArray[np.uint8], ending: str) -> str:
    kind = "png" if ending == ".png" else "jpeg"
    data = images.encode(image, f"picture{ending}")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
