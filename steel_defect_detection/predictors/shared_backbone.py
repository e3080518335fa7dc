"""Shared backbone: the decoder goes on from the gate's encoder, where the gate fires."""

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.predictors.two_head import Look, TwoHeadPredictor
from steel_defect_detection.runtimes import tiling
from steel_defect_detection.runtimes.runtime import Runtime


class SharedBackbonePredictor(TwoHeadPredictor):
    """Runs the encoder once, and the decoder only where the gate fires.

    Args:
        classes: Names of the defect classes.
        thresholds: Where gate and pixels begin to be defects, and the least
            area of one.
        encoder_gate: Encoder and gate.
        decoder: What goes on from their features.
        fill_holes: Whether holes inside a defect belong to it.
        keep_probabilities: Whether predictions carry the probabilities along.
        careful: Encoder and gate in float32; they are asked again where the
            gate's first answer is close to its threshold.
    """

    def __init__(  # noqa: PLR0913 -- each is one part of the model, or one option
        self,
        classes: tuple[str, ...],
        thresholds: Thresholds,
        *,
        encoder_gate: Runtime,
        decoder: Runtime,
        careful: Runtime | None = None,
        fill_holes: bool = False,
        keep_probabilities: bool = False,
    ) -> None:
        super().__init__(
            classes,
            thresholds,
            two_head=encoder_gate,
            careful=careful,
            fill_holes=fill_holes,
            keep_probabilities=keep_probabilities,
        )
        self._decoder = decoder

    @property
    def networks(self) -> dict[str, Runtime]:
        """Both halves."""
        return {"encoder_gate": self._network, "decoder": self._decoder}

    def look(self, network: Runtime, image: NDArray[np.uint8]) -> Look:
        """Ask the gate about one tile; the decoder waits until its answer is wanted.

        Args:
            network: Encoder and gate, quick or careful.
            image: uint8, shape ``(height, width, 1 or 3)``.
        """
        output = tiling.run(network, image)
        features = {name: values for name, values in output.items() if name.startswith("feature_")}
        return Look(
            scores=output["probabilities"],
            defect_probability=float(output["defect_probability"]),
            pixels=lambda: tiling.run(self._decoder, image, **features)["probabilities"],
            familiarity=output.get("familiarity"),
        )
