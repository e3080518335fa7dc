"""Large images in parts, so that the network's memory does not grow with the image.

A network keeps hundreds of numbers per pixel while it works; a whole
photograph of 100 million pixels would need more memory than most machines have.
Images above ``MOST_PIXELS`` are therefore cut into overlapping tiles, and where
tiles overlap their probabilities are averaged. Smaller images, every strip of
the Severstal kind among them, pass in one piece.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import InferenceError
from steel_defect_detection.models.config import Preprocessing
from steel_defect_detection.runtimes.runtime import Runtime

# Ten strips of 1600 x 256 pixels.
MOST_PIXELS = 4_000_000
TILE = 1024
OVERLAP = 128

Window = tuple[slice, slice]


def segment(runtime: Runtime, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Probability of each class at each pixel of an image of any size.

    Args:
        runtime: A segmenter.
        image: uint8, shape ``(height, width, 1 or 3)``.

    Returns:
        ``probabilities``, float32, shape ``(classes, height, width)``, 0 to 1,
        and ``familiarity``, shape ``()``, if the network says it: that of the
        strangest tile.

    Raises:
        InferenceError: If the network answers with not-a-number.
    """
    familiar: list[NDArray[np.float32]] = []

    def look(window: Window) -> NDArray[np.float32]:
        output = run(runtime, image[window])
        familiar.extend([output["familiarity"]] if "familiarity" in output else [])
        return output["probabilities"]

    found = {
        "probabilities": join(image, ((at, look(at)) for at in cover(image, runtime.preprocessing)))
    }
    return found | ({"familiarity": np.min(familiar, axis=0)} if familiar else {})


def join(
    image: NDArray[np.uint8], parts: Iterable[tuple[Window, NDArray[np.float32] | None]]
) -> NDArray[np.float32]:
    """Put the probabilities of tiles together, averaged where tiles overlap.

    Args:
        image: The whole image.
        parts: Windows and their probabilities, float32, shape ``(classes,
            height, width)``; None stands for zeros.

    Returns:
        float32, shape ``(classes, height, width)``; no classes if there were
        zeros only.
    """
    shape = image.shape[:2]
    hits = np.zeros(shape, dtype=np.float32)
    total = np.zeros((0, *shape), dtype=np.float32)
    for window, part in parts:
        hits[window] += 1
        if part is None:
            continue
        if not len(total):
            total = np.zeros((len(part), *shape), dtype=np.float32)
        total[:, *window] += part
    if hits.max(initial=1) > 1:
        total /= np.maximum(hits, 1)
    return total


def classify(
    runtime: Runtime, image: NDArray[np.uint8], *, exclusive: bool = False
) -> dict[str, NDArray[np.float32]]:
    """Probabilities of an image of any size.

    Args:
        runtime: A classifier.
        image: uint8, shape ``(height, width, 1 or 3)``.
        exclusive: Whether an image shows exactly one class: of tiles, the most
            likely defective one then speaks for the image, and otherwise the
            highest of each probability counts.

    Returns:
        ``probabilities``, shape ``(classes,)``, ``defect_probability``, shape
        ``()``, and, if the network says it, ``familiarity``, shape ``()``: that
        of the strangest tile.

    Raises:
        InferenceError: If the network answers with not-a-number.
    """
    parts = [run(runtime, image[window]) for window in cover(image, runtime.preprocessing)]
    found = max(parts, key=_suspicion) if exclusive else _highest(parts)
    if "familiarity" in found:
        found["familiarity"] = np.min([part["familiarity"] for part in parts], axis=0)
    return found


def cover(image: NDArray[np.uint8], preprocessing: Preprocessing) -> Iterator[Window]:
    """Windows that cover an image: one, unless it is a large one.

    Args:
        image: uint8, shape ``(height, width, 1 or 3)``.
        preprocessing: What happens to them; an image that is brought to a fixed
            size is never cut, because its network has learned whole images.
    """
    height, width = image.shape[:2]
    if height * width <= MOST_PIXELS or preprocessing.size is not None:
        return iter([(slice(0, height), slice(0, width))])
    return windows((height, width))


def windows(
    shape: tuple[int, int], *, size: int = TILE, overlap: int = OVERLAP
) -> Iterator[Window]:
    """Windows that cover an image, row by row, the last ones flush with its border.

    Args:
        shape: Height and width of the image, in pixels.
        size: Side of a window, cut where the image is smaller.
        overlap: Pixels that neighbouring windows share at least.
    """
    for top in _starts(shape[0], size, overlap):
        for left in _starts(shape[1], size, overlap):
            yield slice(top, min(top + size, shape[0])), slice(left, min(left + size, shape[1]))


def run(
    runtime: Runtime, image: NDArray[np.uint8], **features: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """Run a network on one image and refuse answers that are not numbers.

    Args:
        runtime: The network.
        image: uint8, shape ``(height, width, 1 or 3)``.
        **features: What the network takes beside the image, without a batch.

    Raises:
        InferenceError: If the network answers with not-a-number.
    """
    others = {name: values[None] for name, values in features.items()}
    outputs = {name: values[0] for name, values in runtime.run(image[None], **others).items()}
    # A comparison with not-a-number is false: unchecked, such an image would pass as clean.
    if not all(np.isfinite(values).all() for values in outputs.values()):
        msg = (
            f"the network ({runtime.name}) answered with not-a-number: the model file is damaged, "
            "unless precision float32 gives numbers"
        )
        raise InferenceError(msg)
    return outputs


def _highest(parts: Sequence[Mapping[str, NDArray[np.float32]]]) -> dict[str, NDArray[np.float32]]:
    return {name: np.max([part[name] for part in parts], axis=0) for name in parts[0]}


def _suspicion(part: Mapping[str, NDArray[np.float32]]) -> tuple[float, float]:
    """How likely a tile is a defective one; among equals, the surest one goes first."""
    return float(part["defect_probability"]), float(part["probabilities"].max())


def _starts(length: int, size: int, overlap: int) -> list[int]:
    if length <= size:
        return [0]
    steps = -(-(length - size) // (size - overlap))
    return [round(step * (length - size) / steps) for step in range(steps + 1)]
