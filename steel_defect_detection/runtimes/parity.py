"""Whether a converted network says what PyTorch says, and on which images that is asked.

Both run in float32 on the built-in sample strips, cut to the size that the
network is converted for, and their answers must be the same but for rounding.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.errors import ConversionError
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime

TOLERANCE = 1e-3
"""Largest difference of a probability that counts as the same answer."""

# Six strips of 1600 x 256 pixels; of larger images fewer are compared, but always one.
_MOST_PIXELS = 2_500_000


def examples(inputs: Mapping[str, NDArray[Any]]) -> Iterator[dict[str, NDArray[Any]]]:
    """The sample strips, repeated and cut to a size.

    Args:
        inputs: What the network takes, by name, with the images' size.

    Yields:
        Inputs of one image each; only the given ones if the network takes more
        than images.
    """
    if len(inputs) > 1:
        yield dict(inputs)
        return
    height, width, channels = inputs["images"].shape[1:]
    for path in images.samples()[: max(_MOST_PIXELS // (height * width), 1)]:
        strip = images.read(path)
        times = (-(-height // strip.shape[0]), -(-width // strip.shape[1]), 1)
        yield {"images": np.tile(strip, times)[None, :height, :width, :channels]}


def expected(
    config: GraphConfig,
    tensors: Mapping[str, NDArray[np.generic]],
    shown: Sequence[Mapping[str, NDArray[Any]]],
) -> dict[str, NDArray[np.float32]]:
    """What PyTorch says in float32.

    Args:
        config: The graph.
        tensors: Its weights by name.
        shown: Inputs by name.

    Returns:
        The answers to all of them joined, by name.
    """
    runtime = PyTorchRuntime(config, tensors, device="cpu", precision="float32")
    return join([runtime.run(**inputs) for inputs in shown])


def join(answers: Sequence[Mapping[str, NDArray[np.float32]]]) -> dict[str, NDArray[np.float32]]:
    """Join the answers to several images, by name."""
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def compare(
    expected: Mapping[str, NDArray[np.float32]], found: Mapping[str, NDArray[np.float32]]
) -> dict[str, float]:
    """Compare what two engines say in float32.

    Args:
        expected: What PyTorch says, by name.
        found: What the other says.

    Returns:
        Largest difference by name.

    Raises:
        ConversionError: If a probability differs by more than ``TOLERANCE``.
    """
    differences = {}
    for name, array in expected.items():
        gap = np.abs(array - found[name]) if array.shape == found[name].shape else np.inf
        differences[name] = float(np.max(gap, initial=0.0))
        if is_judged(name) and not differences[name] <= TOLERANCE:
            msg = (
                f"the converted network differs from PyTorch: {name} by {differences[name]:.3g}, "
                f"and {TOLERANCE:g} is allowed. Use --runtime pytorch"
            )
            raise ConversionError(msg)
    return differences


def is_judged(name: str) -> bool:
    """Whether an output says something of an image, 0 to 1, and is not a step on the way there.

    Args:
        name: Name of the output.
    """
    return "probabilit" in name or name == "familiarity"


def agreement(
    exact: Mapping[str, NDArray[np.float32]], rough: Mapping[str, NDArray[np.float32]]
) -> float:
    """How far two precisions decide alike.

    Args:
        exact: Answers in float32, by name.
        rough: Answers in the other precision.

    Returns:
        0 to 1, the least over the probabilities: of whole images 1 less the
        largest difference, of pixels the Dice of what reaches 1/2. How familiar
        an image is does not count: networks that say it run in float32 unasked.
    """
    found = [1.0]
    for name, array in exact.items():
        if "probabilit" not in name:
            continue
        if not np.isfinite(rough[name]).all():
            return 0.0
        if array.ndim < 4:
            found.append(1 - float(np.max(np.abs(array - rough[name]), initial=0.0)))
            continue
        found.append(dice(array >= 0.5, rough[name] >= 0.5))
    return min(found)


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Dice of two masks of one shape; 1 where both are empty."""
    both = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / both if both else 1.0
