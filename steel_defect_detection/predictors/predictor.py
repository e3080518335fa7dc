"""Predictor: what every way of looking promises."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import ConversionError, ImageError, InferenceError
from steel_defect_detection.models.config import Flips
from steel_defect_detection.prediction import Prediction, Verdict
from steel_defect_detection.predictors.origin import Origin
from steel_defect_detection.predictors.stream import Picture, in_order
from steel_defect_detection.runtimes.runtime import Runtime

_CLOSE = 0.05
"""How near to a threshold a probability is asked for again in float32: as far as a network that is
used in bfloat16 unasked may be off."""


OnUnfamiliar = Literal["unfamiliar", "defect", "clean", "error"]
"""What an unfamiliar image is called."""


class Predictor(ABC):
    """Looks at images and says what it sees.

    Args:
        classes: Names of the classes.
        thresholds: Where defects begin.
        good_class: The class, if any, that means "free of defects".
        exclusive: Whether an image shows exactly one class: the likeliest one,
            whatever the thresholds.
        careful: The network that says whether there is any defect, in float32;
            it is asked again where the first answer is close to a threshold.

    Attributes:
        origin: What it was made of, if ``load_predictor`` has made it.
        is_calibrated: Whether its probabilities say how often they are right;
            predictions have a ``certainty`` then.
        on_unfamiliar: What an image is called whose familiarity is below the
            threshold. A ``defect`` keeps what was outlined on it, what is
            ``clean`` has no outlines, and of an ``error`` nothing is kept.
        flips: Mirrored copies of each image that its networks are asked about, too.
        image_size: Height and width in pixels, at the median, of the images that
            it learned from, if its model says so.
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        thresholds: Thresholds,
        *,
        good_class: str | None = None,
        exclusive: bool = False,
        careful: Runtime | None = None,
    ) -> None:
        self._careful = careful
        self.origin: Origin | None = None
        self.is_calibrated = False
        self.on_unfamiliar: OnUnfamiliar = "unfamiliar"
        self.flips: Flips = "none"
        self.image_size: tuple[int, int] | None = None
        self.classes = classes
        self.thresholds = thresholds
        self.good_class = good_class
        self.exclusive = exclusive

    @property
    @abstractmethod
    def networks(self) -> dict[str, Runtime]:
        """The runtime of each graph, by name of the graph."""

    @property
    def runtimes(self) -> dict[str, str]:
        """Engine, device and precision of each graph, by name of the graph.

        What answers close to a threshold are asked for again with stands there
        as ``careful``.
        """
        found = {name: network.name for name, network in self.networks.items()}
        decides = next(iter(self.networks.values()), None)
        if self._careful is not None and decides is not None and decides.precision != "float32":
            found["careful"] = self._careful.name
        return found

    @property
    def grey(self) -> bool:
        """Whether brightness is all that is looked at; files are then read as grey images."""
        networks = self.networks.values()
        return bool(networks) and all(network.preprocessing.channels == 1 for network in networks)

    @abstractmethod
    def judge(self, image: NDArray[np.uint8], source: str) -> Prediction:
        """Judge one image that is already in memory.

        Args:
            image: uint8, shape ``(height, width, 1 or 3)``.
            source: What the image is called in the prediction.

        Raises:
            ImageError: If the image is something else.
        """

    def shown(self, prediction: Prediction) -> NDArray[np.bool_]:
        """Which classes an image shows, by what this predictor says of it.

        Args:
            prediction: What this predictor said.

        Returns:
            bool, shape ``(classes,)``: the classes that are outlined; without
            outlines the likeliest one of exclusive classes, or else those that
            reach their thresholds. None after an error.
        """
        if prediction.label_map is not None or prediction.scores is None:
            return np.asarray(prediction.areas > 0)
        return self.named(prediction.scores)

    def is_unfamiliar(self, prediction: Prediction) -> bool:
        """Whether an image is unlike those that the model knows, whatever it is called for that.

        Args:
            prediction: What this predictor said.
        """
        familiarity = prediction.familiarity
        strange = familiarity is not None and familiarity < self.thresholds.familiarity
        return strange or prediction.verdict == "unfamiliar"

    def predict(
        self,
        image: NDArray[np.uint8] | Path | str,
        *,
        keep_image: bool = False,
    ) -> Prediction:
        """Judge one image.

        Args:
            image: A file, or pixels: uint8, shape ``(height, width)`` or
                ``(height, width, 1 or 3)``, in the order red, green, blue.
            keep_image: Whether the prediction carries the pixels along.

        Returns:
            What the model sees.

        Raises:
            ImageError: If the file is no readable image, or the array no image.
            InferenceError: If the network answers with not-a-number.
        """
        if isinstance(image, np.ndarray):
            pixels = self._as_image(image)
            return self._timed(
                pixels.copy() if keep_image else pixels, "image", None, keep_image=keep_image
            )
        started = perf_counter()
        pixels = images.read(image, grey=self.grey)
        decode_ms = _milliseconds_since(started)
        return self._timed(pixels, str(image), decode_ms, keep_image=keep_image)

    def stream(
        self, paths: Iterable[Path | str], *, keep_image: bool = False
    ) -> Iterator[Prediction]:
        """Judge many images, several at the same time, while the next are being read.

        Args:
            paths: Image files.
            keep_image: Whether the predictions carry the pixels along.

        Yields:
            One prediction per file, in order. A file that cannot be read
            gives one with the verdict ``error``, and the rest goes on.
        """
        if isinstance(paths, str | Path):
            msg = f"expected many paths, got one: {str(paths)!r}. Use predict, or a list"
            raise ImageError(msg)
        yield from in_order(
            paths,
            read=partial(images.read, grey=self.grey),
            judge=partial(self._judge_picture, keep_image=keep_image),
            threads=max((network.parallel for network in self.networks.values()), default=1),
        )

    def _careful_about(self, network: Runtime, gap: float) -> Runtime | None:
        """What to ask again, if rounding could change what a network decided.

        Args:
            network: What gave the answer.
            gap: How far its probability is from another decision.
        """
        return self._careful if gap < _CLOSE and network.precision != "float32" else None

    def _gap_of_gate(self, defect_probability: float, scores: NDArray[np.float32]) -> float:
        """How far a gate's answer is from another decision."""
        gap = abs(defect_probability - self.thresholds.gate)
        fires = defect_probability >= self.thresholds.gate
        # Which classes it names matters only where they are then outlined.
        return min(gap, self._gap_of_names(scores)) if fires and self.thresholds.only_named else gap

    def _gap_of_names(self, scores: NDArray[np.float32]) -> float:
        """How far the classes of an image are from being others; they do not exclude each other."""
        return float(np.abs(scores - self.thresholds.classes).min())

    def named(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which classes an image shows, by their probabilities.

        Args:
            scores: Probability of each class, shape ``(classes,)``.

        Returns:
            Bool, same shape.
        """
        if self.exclusive:
            return np.asarray(np.arange(len(scores)) == self._only(scores))
        return np.asarray(scores >= self.thresholds.classes)

    def _only(self, scores: NDArray[np.float32]) -> int:
        """The one of exclusive classes that an image shows."""
        if self.good_class is None or self.thresholds.defect is None:
            return int(scores.argmax())
        good = self.classes.index(self.good_class)
        if 1 - scores[good] < self.thresholds.defect:
            return good
        return int(np.where(np.arange(len(scores)) == good, -1.0, scores).argmax())

    def _as_image(self, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        image = array[..., None] if array.ndim == 2 else array
        images.check(image, "image")
        if min(image.shape[:2]) < images.MIN_SIDE:
            height, width = image.shape[:2]
            msg = f"image is {width} x {height} pixels, fewer than {images.MIN_SIDE} a side"
            raise ImageError(msg)
        return images.to_grey(image) if self.grey else image

    def _timed(
        self, image: NDArray[np.uint8], source: str, decode_ms: float | None, *, keep_image: bool
    ) -> Prediction:
        prediction = self._settled(self.judge(image, source))
        return replace(
            prediction,
            times=replace(prediction.times, decode_ms=decode_ms),
            image=image if keep_image else None,
        )

    def _settled(self, prediction: Prediction) -> Prediction:
        """Say how certain the verdict is, and change that of an unfamiliar image."""
        if self.is_calibrated:
            prediction = replace(prediction, certainty=self._certainty(prediction))
        if not self.is_unfamiliar(prediction):
            return prediction
        if self.on_unfamiliar == "error":
            failed = self._failed(prediction.source, self._unlike(prediction))
            return replace(failed, familiarity=prediction.familiarity, times=prediction.times)
        if self.on_unfamiliar == "clean" and prediction.label_map is not None:
            nothing = np.zeros_like(prediction.label_map)
            prediction = replace(prediction, label_map=nothing, probabilities=None)
        return replace(prediction, verdict=self.on_unfamiliar)

    def _unlike(self, prediction: Prediction) -> str:
        what = f"{prediction.source}: the image is unlike those that the model knows"
        if prediction.familiarity is None:
            return what
        least = self.thresholds.familiarity
        return f"{what} (familiarity {prediction.familiarity:.3g}, least is {least:.3g})"

    def _certainty(self, prediction: Prediction) -> float | None:
        """Probability of the verdict; of exclusive classes, that of the class."""
        if prediction.scores is None or prediction.gate_probability is None:
            return prediction.certainty
        if self.exclusive:
            return float(prediction.scores[self._only(prediction.scores)])
        defect = prediction.gate_probability
        return defect if prediction.verdict == "defect" else 1 - defect

    def _judge_picture(
        self, path: Path | str, picture: Picture | ImageError, *, keep_image: bool
    ) -> Prediction:
        source = str(path)
        if isinstance(picture, ImageError):
            return self._failed(source, str(picture))
        try:
            return self._timed(picture.image, source, picture.decode_ms, keep_image=keep_image)
        except (ImageError, InferenceError, ConversionError) as error:
            return self._failed(source, f"{source}: {error}")

    def _failed(self, source: str, message: str) -> Prediction:
        return Prediction(source=source, classes=self.classes, verdict="error", error=message)


def verdict_of(*, defect: bool) -> Verdict:
    """Word for whether there is a defect."""
    return "defect" if defect else "clean"


def _milliseconds_since(started: float) -> float:
    return (perf_counter() - started) * 1000
