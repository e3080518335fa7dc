"""Images that show the same thing: copies, turned copies, other lights.

Each image is squeezed to a small square from which brightness and contrast
are taken away place by place, so that light, exposure and compression count
little and structure counts all. Images whose squares resemble each other,
turned or mirrored in any of the eight ways, are compared more closely: a
smaller cut of one is slid over the other, which forgives a border cut elsewhere.
What correlates then belongs together, and what belongs together with a third
belongs together too.

Smooth or tiny images, which have no structure, belong together only if they
are equal pixel by pixel.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

# Side of the square in which images are compared, and of the coarse one that finds candidates.
SIDE, COARSE_SIDE = 96, 32
# Sides below which images are alike by chance; equal ones are found all the same.
SMALLEST_SIDE = 16
# Pixels of the square over which brightness and contrast are evened out.
NEIGHBOURHOOD = 15
# Grey levels below which differences are taken for noise.
NOISE = 4.0
# Least correlation of candidates, and of images that belong together; chosen on the magnetic
# tiles, whose groups are known. docs/how-to/split-without-leaks.md says what other limits find.
COARSE_LIMIT, LIMIT = 0.3, 0.8
# Candidates per image that are compared closely.
MOST_CANDIDATES = 30
# Share cut off at each side of the image that is slid over the other.
CUT = 0.1

_BLOCK = 256
_SCALE = 40.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Links:
    """Pairs of images that show the same thing.

    Args:
        pairs: Numbers of the images, shape ``(pairs, 2)``, the smaller first.
        groups: Number of each image's group, shape ``(images,)``.
    """

    pairs: NDArray[np.int64]
    groups: NDArray[np.int64]


class Place(NamedTuple):
    """How one image lies on another.

    Args:
        turn: Number of the way among those of ``turns``; of equal ones the first.
        down: How far it is moved down after that, as a share of the height.
        right: How far it is moved to the right, as a share of the width.
    """

    turn: int
    down: float
    right: float


def find(images: Iterable[NDArray[np.uint8]]) -> Links:
    """Find images that show the same thing.

    Args:
        images: uint8, shape ``(height, width, 1 or 3)``; each is looked at
            once, and 10 kilobytes are kept of it.
    """
    squares, digests = [], []
    for image in images:
        squares.append(square(image))
        digests.append(hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest())
    stack = np.array(squares, dtype=np.uint8).reshape(-1, SIDE, SIDE)
    equal = _equal(digests)
    alike = [pair for pair in _candidates(stack) if _correlation(stack, *pair) >= LIMIT]
    pairs = sorted({(min(i, j), max(i, j)) for i, j, *_ in (*equal, *alike)})
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Links(pairs=table, groups=join(table, len(stack)))


def join(pairs: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Number the groups that pairs form.

    Args:
        pairs: Numbers of images that belong together, shape ``(pairs, 2)``.
        count: How many images there are.

    Returns:
        Number of each image's group, from 0 in the order of their first
        images, shape ``(images,)``.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Reduce an image to its structure.

    Args:
        image: uint8, shape ``(height, width, 1 or 3)``.

    Returns:
        uint8, shape ``(SIDE, SIDE)``, 128 where it is as bright as around; 128
        everywhere for images that are too small to have a structure.
    """
    if min(image.shape[:2]) < SMALLEST_SIDE:
        return np.full((SIDE, SIDE), 128, dtype=np.uint8)
    grey = image.mean(axis=2, dtype=np.float32)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    mean = cv2.blur(small, (NEIGHBOURHOOD, NEIGHBOURHOOD))
    variance = cv2.blur((small - mean) ** 2, (NEIGHBOURHOOD, NEIGHBOURHOOD))
    spread = np.sqrt(np.maximum(variance, 0))  # rounding may leave it a little below 0
    even = cv2.GaussianBlur((small - mean) / (spread + NOISE), (0, 0), 1.0)
    return np.asarray(np.clip(np.rint(even * _SCALE + 128), 0, 255), dtype=np.uint8)


def turns(image: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    """All eight ways to turn and mirror a square, the first being the square itself."""
    return [np.rot90(way, times) for way in (image, image[:, ::-1]) for times in range(4)]


def place(image: NDArray[np.uint8], other: NDArray[np.uint8]) -> Place:
    """Tell how one image must be turned and moved to lie on another that shows the same thing.

    Args:
        image: uint8, shape ``(height, width, 1 or 3)``.
        other: The other image, likewise; it may have another size.
    """
    stack = np.stack([square(image), square(other)])
    maps = [_correlations(stack, 0, 1, way) for way in range(8)]
    turn = int(np.argmax([values.max() for values in maps]))
    row, column = np.unravel_index(int(maps[turn].argmax()), maps[turn].shape)
    margin = round(CUT * SIDE)
    return Place(turn, (int(row) - margin) / SIDE, (int(column) - margin) / SIDE)


def _equal(digests: list[bytes]) -> Iterator[tuple[int, int]]:
    first: dict[bytes, int] = {}
    for number, digest in enumerate(digests):
        earlier = first.setdefault(digest, number)
        if earlier != number:
            yield earlier, number


def _candidates(stack: NDArray[np.uint8]) -> Iterator[tuple[int, int, int]]:
    """Yield pairs of images that resemble each other, and the turn in which they do."""
    plain = _vectors(stack)
    for start in range(0, len(stack), _BLOCK):
        block = stack[start : start + _BLOCK]
        # Only the earlier images, and only the block turned: half the work, and the memory of
        # one turn instead of eight.
        earlier_ones = plain[: start + len(block)]
        best = np.zeros((len(block), len(earlier_ones)), dtype=np.float32)
        ways = np.zeros(best.shape, dtype=np.int8)
        for way in range(8):
            alike = _vectors(block, way) @ earlier_ones.T
            np.putmask(ways, alike > best, way)
            np.maximum(best, alike, out=best)
        for row, likeness in enumerate(best):
            # Each pair once, from its later image, which keeps the candidates' number.
            earlier = likeness[: start + row]
            order = np.argsort(-earlier)[:MOST_CANDIDATES]
            for other in order[earlier[order] >= COARSE_LIMIT]:
                yield start + row, int(other), int(ways[row, other])


def _vectors(stack: NDArray[np.uint8], turn: int = 0) -> NDArray[np.float32]:
    """Coarse squares as vectors of mean 0 and length 1; those without structure are 0."""
    size = (COARSE_SIDE, COARSE_SIDE)
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in stack]
    turned = np.array([turns(image)[turn] for image in small], dtype=np.float32)
    vectors = turned.reshape(len(stack), COARSE_SIDE**2) - 128
    vectors -= vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > COARSE_SIDE, vectors / np.maximum(lengths, 1), 0).astype(np.float32)


def _correlation(stack: NDArray[np.uint8], one: int, other: int, turn: int) -> float:
    """Highest correlation of a cut of one image, turned, with any place of the other."""
    return float(_correlations(stack, one, other, turn).max())


def _correlations(
    stack: NDArray[np.uint8], one: int, other: int, turn: int
) -> NDArray[np.floating[Any]]:
    """Correlation of a cut of one image, turned, with each place of the other."""
    margin = round(CUT * SIDE)
    cut = np.ascontiguousarray(turns(stack[one][margin:-margin, margin:-margin])[turn])
    return np.asarray(cv2.matchTemplate(stack[other], cut, cv2.TM_CCOEFF_NORMED))
