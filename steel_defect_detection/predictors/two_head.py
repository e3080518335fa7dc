"""Two heads: one pass judges the image and outlines its defects."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images, masks
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.prediction import Prediction, Times
from steel_defect_detection.predictors.predictor import Predictor, verdict_of
from steel_defect_detection.runtimes import tiling
from steel_defect_detection.runtimes.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the two heads say about one tile.

    Args:
        scores: Probability of each class, float32, shape ``(classes,)``.
        defect_probability: Probability of any defect.
        pixels: Gives the probability of each class at each pixel, float32,
            shape ``(classes, height, width)``.
        familiarity: How familiar the tile is, if the network says it.
    """

    scores: NDArray[np.float32]
    defect_probability: float
    pixels: Callable[[], NDArray[np.float32]]
    familiarity: NDArray[np.float32] | None


class _Judged(NamedTuple):
    """What is kept of a tile once it is outlined."""

    scores: NDArray[np.float32]
    defect_probability: float
    familiarity: NDArray[np.float32] | None
    milliseconds: float


class TwoHeadPredictor(Predictor):
    """Lets the gate's head judge, and takes the outlines where it fires.

    Args:
        classes: Names of the defect classes.
        thresholds: Where gate and pixels begin to be defects, and the least
            area of one.
        two_head: The network.
        fill_holes: Whether holes inside a defect belong to it.
        keep_probabilities: Whether predictions carry the probabilities along.
        careful: The same network in float32; it is asked again where the gate's
            first answer is close to its threshold.
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        thresholds: Thresholds,
        *,
        two_head: Runtime,
        careful: Runtime | None = None,
        fill_holes: bool = False,
        keep_probabilities: bool = False,
    ) -> None:
        super().__init__(classes, thresholds, careful=careful)
        self._network = two_head
        self._fill_holes = fill_holes
        self._keep_probabilities = keep_probabilities

    @property
    def networks(self) -> dict[str, Runtime]:
        """The network."""
        return {"two_head": self._network}

    def look(self, network: Runtime, image: NDArray[np.uint8]) -> Look:
        """Ask a network about one tile.

        Args:
            network: The network, quick or careful.
            image: uint8, shape ``(height, width, 1 or 3)``.
        """
        output = tiling.run(network, image)
        return Look(
            scores=output["class_probabilities"],
            defect_probability=float(output["defect_probability"]),
            pixels=lambda: output["probabilities"],
            familiarity=output.get("familiarity"),
        )

    def judge(self, image: NDArray[np.uint8], source: str) -> Prediction:
        """Judge one image; classes are scored by the gate's head.

        Args:
            image: uint8, shape ``(height, width, 1 or 3)``.
            source: What the image is called in the prediction.

        Raises:
            ImageError: If the image is something else.
        """
        images.check(image, source)
        started = perf_counter()
        looks: list[_Judged] = []
        # One tile after the other, so that the features of only one are kept.
        probabilities = tiling.join(image, self._parts(image, looks))
        gate_ms = sum(look.milliseconds for look in looks)
        highest = max(look.defect_probability for look in looks)
        familiar = [float(look.familiarity) for look in looks if look.familiarity is not None]
        fired = highest >= self.thresholds.gate
        scores = np.max([look.scores for look in looks], axis=0)
        if fired and self.thresholds.only_named:
            probabilities = masks.only(probabilities, self.named(scores))
        label_map = self._cleaned(probabilities) if fired else np.zeros(image.shape[:2], np.uint8)
        return Prediction(
            source=source,
            classes=self.classes,
            verdict=verdict_of(defect=bool(label_map.any())),
            scores=scores,
            gate_probability=highest,
            familiarity=min(familiar, default=None),
            label_map=label_map,
            probabilities=probabilities if self._keep_probabilities and fired else None,
            times=Times(
                gate_ms=gate_ms,
                segment_ms=(perf_counter() - started) * 1000 - gate_ms if fired else None,
            ),
        )

    def _parts(
        self, image: NDArray[np.uint8], looks: list[_Judged]
    ) -> Iterator[tuple[tiling.Window, NDArray[np.float32] | None]]:
        """Look at each tile, take note of it, and outline it if the gate fires."""
        for window in tiling.cover(image, self._network.preprocessing):
            started = perf_counter()
            look = self.look(self._network, image[window])
            gap = self._gap_of_gate(look.defect_probability, look.scores)
            careful = self._careful_about(self._network, gap)
            if careful is not None:
                look = self.look(careful, image[window])
            milliseconds = (perf_counter() - started) * 1000
            looks.append(
                _Judged(look.scores, look.defect_probability, look.familiarity, milliseconds)
            )
            fires = look.defect_probability >= self.thresholds.gate
            yield window, look.pixels() if fires else None

    def _cleaned(self, probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
        return masks.clean(
            probabilities,
            thresholds=self.thresholds.pixels,
            min_areas=self.thresholds.min_areas,
            fill_holes=self._fill_holes,
        )
