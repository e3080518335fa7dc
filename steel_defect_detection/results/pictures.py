"""The files that one input adds to a results folder, as bytes."""

import io

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.results.naming import Names


def mask_path(names: Names) -> str:
    """Where the mask of an input lies below the results folder."""
    return f"masks/{names.stem}.png"


class Pictures:
    """Encodes masks, overlays and probabilities.

    Args:
        overlays: Whether to draw overlays; predictions must carry their image.
    """

    def __init__(self, *, overlays: bool) -> None:
        """Begin without anything encoded."""
        self._overlays = overlays
        self._empty: dict[tuple[int, ...], bytes] = {}

    def of(self, prediction: Prediction, names: Names) -> dict[str, bytes]:
        """Encode what is drawn of one input.

        Args:
            prediction: What was seen on it.
            names: What its results are called.

        Returns:
            Content by path below the results folder.
        """
        found = {}
        if prediction.label_map is not None:
            found[mask_path(names)] = self._mask(prediction.label_map)
        if self._overlays and prediction.image is not None and prediction.scores is not None:
            path = f"overlays/{names.stem}.png"
            found[path] = images.encode(prediction.overlay(), path)
        if prediction.probabilities is not None:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, probabilities=np.asarray(prediction.probabilities))
            found[f"probabilities/{names.stem}.npz"] = buffer.getvalue()
        return found

    def _mask(self, label_map: NDArray[np.uint8]) -> bytes:
        if label_map.any():
            return images.encode(label_map, "mask.png")
        # Most masks of a roll are empty and of one size: compressed once for all of them.
        if label_map.shape not in self._empty:
            self._empty[label_map.shape] = images.encode(label_map, "mask.png")
        return self._empty[label_map.shape]
