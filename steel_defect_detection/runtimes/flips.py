"""Flips: a network is asked about an image and its mirrored copies, and the answers are averaged.

What is averaged are probabilities, after maps were turned back. Images are turned
as they come, before the network pads them: each copy is what the camera would have
taken of the mirrored strip, so a mirrored image gives the mirrored answer.

How familiar an image is, is said of the image itself. Its mirrored copies are
no images that a density was fitted to, and where familiarity ends was found
without them.
"""

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.config import Flips, Preprocessing
from steel_defect_detection.runtimes.runtime import Runtime

# Axes of a map, counted from behind: its columns and its rows.
_AXES: dict[Flips, tuple[int, ...]] = {
    "none": (),
    "horizontal": (-1,),
    "vertical": (-2,),
    "both": (-1, -2),
}


def flipping(runtime: Runtime, flips: Flips) -> Runtime:
    """Let a network be asked about mirrored copies, too.

    Args:
        runtime: The network.
        flips: Which copies; the network then runs once, twice or four times
            for each image.
    """
    for axis in _AXES[flips]:
        runtime = FlippingRuntime(runtime, axis)
    return runtime


def looks(flips: Flips) -> int:
    """How often a network runs for each image.

    Args:
        flips: Which copies it is asked about, too.
    """
    return int(2 ** len(_AXES[flips]))


def refuse_unknown(flips: str) -> None:
    """Raise if a word stands for no flips.

    Args:
        flips: The word.

    Raises:
        ConfigError: If it is none of ``Flips``.
    """
    if flips not in _AXES:
        *names, last = _AXES
        msg = f"flips must be {', '.join(names)} or {last}, got {flips!r}"
        raise ConfigError(msg)


def copies(image: NDArray[np.uint8], flips: Flips) -> list[NDArray[np.uint8]]:
    """List an image and its mirrored copies, as a flipping runtime shows them.

    Args:
        image: uint8, shape ``(height, width, channels)``.
        flips: Which copies.

    Returns:
        The image first; views, no copies of the memory.
    """
    found = [image]
    for axis in _AXES[flips]:
        found += [np.flip(one, axis - 1) for one in found]
    return found


class FlippingRuntime:
    """A runtime that is asked twice: about images as they are, and mirrored along one axis.

    Features, which the other half of a shared backbone takes, are not averaged: they
    have an axis more, of length 2 and behind that of the batch, and the other
    half flips by the same axis.

    Args:
        runtime: What is asked.
        axis: That of the maps' columns, -1, or of their rows, -2.
    """

    def __init__(self, runtime: Runtime, axis: int) -> None:
        self._runtime = runtime
        self._axis = axis

    @property
    def name(self) -> str:
        """Engine, device and precision."""
        return self._runtime.name

    @property
    def parallel(self) -> int:
        """As many as the network takes."""
        return self._runtime.parallel

    @property
    def precision(self) -> str:
        """Arithmetic."""
        return self._runtime.precision

    @property
    def preprocessing(self) -> Preprocessing:
        """How images become what the network sees."""
        return self._runtime.preprocessing

    def run(
        self, images: NDArray[np.uint8], **features: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float32]]:
        """Run the network twice, one after the other, so that it needs no more memory.

        Args:
            images: uint8, shape ``(batch, height, width, 1 or 3)``, any size.
            **features: What a flipping runtime of the same axis gave.
        """
        mirrored = np.ascontiguousarray(np.flip(images, self._axis - 1))
        first, second = (
            self._runtime.run(shown, **{name: both[:, side] for name, both in features.items()})
            for side, shown in enumerate((images, mirrored))
        )
        return {name: self._joined(name, first[name], second[name]) for name in first}

    def _joined(
        self, name: str, first: NDArray[np.float32], second: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """One answer of two, the second of which is about mirrored images."""
        if name == "familiarity":
            return first
        if name.startswith("feature_"):
            return np.stack([first, second], axis=1)
        is_map = second.ndim == 4
        return np.asarray((first + (np.flip(second, self._axis) if is_map else second)) / 2)
