"""Run-length strings for binary masks.

A run-length string names the set pixels of a mask as pairs of start and
length: ``"2 4"`` is pixels 2 to 5. Pixels are counted from 1, down each column
and then column by column from left to right, so pixel 2 lies below pixel 1 and
not beside it. The empty string is the empty mask.

The notation is that of the Severstal competition:
https://www.kaggle.com/c/severstal-steel-defect-detection/overview/evaluation
It asks for runs in order and without overlap. ``encode`` writes them so;
``decode`` takes them in any order, because order does not change the mask, and
refuses overlap, because then the lengths no longer add up to the area.

COCO's run lengths look alike and are something else: they count background
and foreground in turn and cannot be read here.
"""

import re

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import MaskError, RunLengthError

# Up to 18 digits, so that the sum of two such numbers fits into 64 bits.
_POSITIVE_INTEGER = re.compile(r"0*[1-9][0-9]{0,17}")
_POSITIVE_INTEGERS = re.compile(r"(?:0*+[1-9][0-9]{0,17}+(?: |\Z))*+")

_LONGEST_QUOTE = 60


def encode(mask: NDArray[np.bool_]) -> str:
    """Write a binary mask as a run-length string.

    Args:
        mask: Bool, shape ``(height, width)``.

    Returns:
        Pairs of start and length, in order; the empty string for an empty
        mask.

    Raises:
        MaskError: If the mask is not bool or not of that shape.

    Example:
        >>> encode(np.array([[False, True], [True, True], [True, False]]))
        '2 4'
    """
    check_mask(mask)
    if not mask.any():
        return ""
    edge = np.zeros(1, dtype=np.bool_)
    pixels = np.concatenate([edge, mask.ravel(order="F"), edge])
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    starts, ends = changes[::2], changes[1::2]
    return " ".join(map(str, np.stack([starts + 1, ends - starts], axis=1).ravel().tolist()))


def decode(runs: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Read a run-length string back into a binary mask.

    Args:
        runs: Pairs of start and length, separated by spaces, in any order.
        shape: Height and width of the mask, in pixels.

    Returns:
        The mask, bool, shape ``(height, width)``.

    Raises:
        RunLengthError: If the string holds anything but pairs of positive
            integers, names a pixel outside the mask, or names one twice, or the
            shape is none.

    Example:
        >>> decode("2 4", shape=(3, 2)).astype(int)
        array([[0, 1],
               [1, 1],
               [1, 0]])
    """
    starts, lengths = pairs(runs, shape)
    height, width = shape
    # One step up where a run begins, one down behind its end; their running sum is the mask.
    steps = np.zeros(height * width + 1, dtype=np.int8)
    steps[starts - 1] += 1
    steps[starts - 1 + lengths] -= 1
    # Without overlap it is 0 or 1 everywhere, which is how bool lies in memory.
    pixels = np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_)
    return np.ascontiguousarray(pixels.reshape(width, height).T)


def pairs(runs: str, shape: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read the numbers of a run-length string, without drawing the mask.

    Args:
        runs: Pairs of start and length, separated by spaces, in any order.
        shape: Height and width of the mask, in pixels.

    Returns:
        Starts, ascending, counted from 1, and lengths, int64.

    Raises:
        RunLengthError: As ``decode`` does.

    Example:
        >>> pairs("2 4", shape=(3, 2))
        (array([2]), array([4]))
    """
    _check_shape(shape)
    starts, lengths = _pairs(runs)
    _check_runs(starts, lengths, shape)
    return starts, lengths


def check_mask(mask: NDArray[np.bool_]) -> None:
    """Raise unless an array is one binary mask.

    Args:
        mask: To be bool, shape ``(height, width)``.

    Raises:
        MaskError: If it is something else.
    """
    given: object = mask
    if not isinstance(given, np.ndarray):
        msg = f"expected a bool mask (height, width), got {type(given).__name__}"
        raise MaskError(msg)
    if mask.dtype != np.bool_ or mask.ndim != 2:
        msg = f"expected a bool mask (height, width), got {mask.dtype} of shape {mask.shape}"
        raise MaskError(msg)


def _check_shape(shape: object) -> None:
    match shape:
        case (int() | np.integer() as height, int() | np.integer() as width):
            if min(height, width) >= 0:
                return
    msg = f"expected the height and width of a mask in whole pixels, got {shape!r}"
    raise RunLengthError(msg)


def _check_text(runs: object) -> None:
    """Refuse what tables have where nothing is written: None, and pandas' not-a-number."""
    if not isinstance(runs, str):
        msg = f"expected a text of numbers, got {runs!r}; that of an empty mask is ''"
        raise RunLengthError(msg)


def _pairs(runs: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    _check_text(runs)
    words = runs.split()
    # One look at all words, which is quick; one at each only to name the wrong one.
    if not _POSITIVE_INTEGERS.fullmatch(" ".join(words)):
        wrong = next(word for word in words if not _POSITIVE_INTEGER.fullmatch(word))
        msg = f"expected positive integers, got {_quote(wrong)} in {_quote(runs)}"
        raise RunLengthError(msg)
    if len(words) % 2:
        msg = f"expected pairs of start and length, got {len(words)} numbers: {_quote(runs)}"
        raise RunLengthError(msg)
    starts, lengths = np.array([int(word) for word in words], dtype=np.int64).reshape(-1, 2).T
    order = np.argsort(starts, kind="stable")
    return starts[order], lengths[order]


def _check_runs(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], shape: tuple[int, int]
) -> None:
    height, width = shape
    ends = starts + lengths - 1
    outside = np.flatnonzero(ends > height * width)
    if outside.size:
        first = outside[0]
        msg = (
            f"run {starts[first]} {lengths[first]} ends at pixel {ends[first]}, "
            f"but a {height} x {width} mask has {height * width} pixels"
        )
        raise RunLengthError(msg)
    overlaps = np.flatnonzero(starts[1:] <= ends[:-1])
    if overlaps.size:
        first = overlaps[0]
        second = first + 1
        msg = (
            f"runs {starts[first]} {lengths[first]} and {starts[second]} {lengths[second]} overlap"
        )
        raise RunLengthError(msg)


def _quote(text: str) -> str:
    short = text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 1]}…"
    return repr(short)
