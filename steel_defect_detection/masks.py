"""Masks of several classes: two forms, and what is done with them.

A **stack** has one bool mask per class, shape ``(classes, height, width)``; its
classes may overlap. A **label map** has one number per pixel, uint8, shape
``(height, width)``: 0 is no defect and k is class k, counted from 1. Pixels
belong to one component when they touch, corner to corner included.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import MaskError
from steel_defect_detection.rle import check_mask

# Largest number that a uint8 label map can hold.
_MOST_CLASSES = 255


def clean(
    probabilities: NDArray[np.float32],
    *,
    thresholds: Sequence[float],
    min_areas: Sequence[int],
    fill_holes: bool = False,
) -> NDArray[np.uint8]:
    """Turn probabilities into a label map without specks.

    A pixel gets the class of the highest probability among those that reach
    their threshold and are not 0. Then holes are filled, then small components removed.

    Args:
        probabilities: Probability of each class at each pixel, float, shape
            ``(classes, height, width)``, 0 to 1.
        thresholds: Least probability of each class, 0 to 1.
        min_areas: Pixels that a component of each class needs to stay.
        fill_holes: Give background that a class encloses to that class; the
            pixels of another class stay what they are.

    Returns:
        Class of each pixel, uint8, shape ``(height, width)``, 0 where there is
        no defect.

    Raises:
        MaskError: If the probabilities are no such array, or thresholds and
            areas do not fit them.

    Example:
        >>> probabilities = np.array([[[0.9, 0.8, 0.1, 0.7]]], dtype=np.float32)
        >>> clean(probabilities, thresholds=[0.5], min_areas=[2])
        array([[1, 1, 0, 0]], dtype=uint8)
    """
    _check_probabilities(probabilities)
    _check_limits(thresholds, min_areas, class_count=len(probabilities))
    label_map = _label(probabilities, thresholds)
    numbers = (np.flatnonzero(areas(label_map, len(probabilities))) + 1).tolist()
    # All holes before any removal: how large a component is must not depend on what is removed.
    if fill_holes:
        for number in numbers:
            label_map[_holes(label_map == number) & (label_map == 0)] = number
    for number in numbers:
        mask = label_map == number
        label_map[mask & ~_without_specks(mask, min_areas[number - 1])] = 0
    return label_map


def only(probabilities: NDArray[np.float32], named: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Leave nothing of the classes that are not named.

    Args:
        probabilities: Probability of each class at each pixel, float, shape
            ``(classes, height, width)``, 0 to 1.
        named: Which classes are, bool, shape ``(classes,)``.

    Returns:
        The same, with 0 for all others.

    Example:
        >>> only(np.array([[[0.9]], [[0.4]]], dtype=np.float32), np.array([False, True])).tolist()
        [[[0.0]], [[0.4000000059604645]]]
    """
    return np.where(named[:, None, None], probabilities, probabilities.dtype.type(0))


def to_label_map(
    masks: NDArray[np.bool_], probabilities: NDArray[np.float32] | None = None
) -> NDArray[np.uint8]:
    """Turn a stack of masks into a label map.

    Args:
        masks: One mask per class, bool, shape ``(classes, height, width)``.
        probabilities: Probability of each class at each pixel, same shape;
            where masks overlap, the highest wins.

    Returns:
        Class of each pixel, uint8, shape ``(height, width)``, 0 where there is
        no defect.

    Raises:
        MaskError: If the masks are no such array, the probabilities have
            another shape, or masks overlap and there are no probabilities.
    """
    _check_stack(masks)
    if probabilities is None:
        _check_apart(masks)
        foremost = masks.argmax(axis=0)
    elif probabilities.shape == masks.shape:
        foremost = np.where(masks, probabilities, -np.inf).argmax(axis=0)
    else:
        msg = f"masks have shape {masks.shape}, but probabilities {probabilities.shape}"
        raise MaskError(msg)
    return np.where(masks.any(axis=0), foremost + 1, 0).astype(np.uint8)


def from_label_map(label_map: NDArray[np.uint8], class_count: int) -> NDArray[np.bool_]:
    """Turn a label map into a stack of masks.

    Args:
        label_map: Class of each pixel, uint8, shape ``(height, width)``.
        class_count: Number of classes.

    Returns:
        One mask per class, bool, shape ``(classes, height, width)``.

    Raises:
        MaskError: If the label map is no such array or names further classes.

    Example:
        >>> from_label_map(np.array([[0, 2, 1]], dtype=np.uint8), 2).astype(int)
        array([[[0, 0, 1]],
        <BLANKLINE>
               [[0, 1, 0]]])
    """
    check_label_map(label_map, class_count)
    numbers = np.arange(1, class_count + 1, dtype=np.uint8)
    return np.equal(label_map, numbers[:, None, None])


def areas(label_map: NDArray[np.uint8], class_count: int) -> NDArray[np.int64]:
    """Count the pixels of each class.

    Args:
        label_map: Class of each pixel, uint8, shape ``(height, width)``.
        class_count: Number of classes.

    Returns:
        Pixels of each class, shape ``(classes,)``.

    Raises:
        MaskError: If the label map is no such array or names further classes.

    Example:
        >>> areas(np.array([[0, 2, 2]], dtype=np.uint8), 3)
        array([0, 2, 0])
    """
    check_label_map(label_map, class_count)
    return np.bincount(label_map.ravel(), minlength=class_count + 1)[1:].astype(np.int64)


def components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Number the connected parts of a mask.

    Args:
        mask: Bool, shape ``(height, width)``.

    Returns:
        Number of the component of each pixel, int32, shape ``(height, width)``,
        from 1, 0 outside of the mask; and how many components there are.

    Raises:
        MaskError: If the mask is not bool or not of that shape.

    Example:
        >>> components(np.array([[True, False, False, True], [False, True, False, True]]))
        (array([[1, 0, 0, 2],
               [0, 1, 0, 2]], dtype=int32), 2)
    """
    check_mask(mask)
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return labels.astype(np.int32, copy=False), count - 1


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.int32]]:
    """Trace the edges of a mask, those of its holes included.

    Args:
        mask: Bool, shape ``(height, width)``.

    Returns:
        One closed line per edge, int32, shape ``(points, 2)``, each point x
        and y of a pixel of the mask that has a side on the edge.

    Raises:
        MaskError: If the mask is not bool or not of that shape.

    Example:
        >>> outlines(np.array([[False, True, True]]))
        [array([[1, 0],
               [2, 0]], dtype=int32)]
    """
    check_mask(mask)
    lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return [line.reshape(-1, 2).astype(np.int32, copy=False) for line in lines]


def check_label_map(
    label_map: NDArray[np.uint8], class_count: int, *, shape: tuple[int, ...] | None = None
) -> None:
    """Raise unless an array is a label map of so many classes.

    Args:
        label_map: To be uint8, shape ``(height, width)``, with values from 0
            to the number of classes.
        class_count: Number of classes, at most 255.
        shape: The height and width that it must have.

    Raises:
        MaskError: If it is something else.
    """
    _check_class_count(class_count)
    if label_map.dtype != np.uint8 or label_map.ndim != 2:
        msg = (
            f"expected a uint8 label map (height, width), "
            f"got {label_map.dtype} of shape {label_map.shape}"
        )
        raise MaskError(msg)
    if shape is not None and label_map.shape != shape:
        msg = f"expected a label map of shape {shape} like the image, got {label_map.shape}"
        raise MaskError(msg)
    largest = int(label_map.max(initial=0))
    if largest > class_count:
        msg = f"expected classes up to {class_count}, got class {largest} in the label map"
        raise MaskError(msg)


def _check_stack(masks: NDArray[np.bool_]) -> None:
    if masks.dtype != np.bool_ or masks.ndim != 3 or not len(masks):
        msg = (
            f"expected bool masks (classes, height, width), "
            f"got {masks.dtype} of shape {masks.shape}"
        )
        raise MaskError(msg)
    _check_class_count(len(masks))


def _check_class_count(class_count: int) -> None:
    if class_count > _MOST_CLASSES:
        msg = f"a label map holds at most {_MOST_CLASSES} classes, got {class_count}"
        raise MaskError(msg)


def _check_apart(masks: NDArray[np.bool_]) -> None:
    overlap = masks.sum(axis=0) > 1
    if overlap.any():
        numbers = np.flatnonzero(masks[:, overlap].any(axis=1)) + 1
        msg = (
            f"classes {', '.join(map(str, numbers))} overlap in {overlap.sum()} pixels. "
            "Pass probabilities, so that the highest can win"
        )
        raise MaskError(msg)


def _check_probabilities(probabilities: NDArray[np.float32]) -> None:
    if probabilities.dtype.kind != "f" or probabilities.ndim != 3 or not probabilities.size:
        msg = (
            f"expected float probabilities (classes, height, width), "
            f"got {probabilities.dtype} of shape {probabilities.shape}"
        )
        raise MaskError(msg)
    _check_class_count(len(probabilities))
    least, most = probabilities.min(), probabilities.max()
    # Written so that not-a-number is refused too.
    if not (least >= 0 and most <= 1):
        msg = f"expected probabilities from 0 to 1, got {least:.4g} to {most:.4g}"
        raise MaskError(msg)


def _check_limits(
    thresholds: Sequence[float], min_areas: Sequence[int], *, class_count: int
) -> None:
    if len(thresholds) != class_count or len(min_areas) != class_count:
        msg = (
            f"expected one threshold and one smallest area for each of {class_count} classes, "
            f"got {len(thresholds)} and {len(min_areas)}"
        )
        raise MaskError(msg)
    for threshold in thresholds:
        if not 0 <= threshold <= 1:
            msg = f"thresholds must lie in [0, 1], got {threshold}"
            raise MaskError(msg)
    for area in min_areas:
        if area < 0:
            msg = f"smallest areas must not be negative, got {area}"
            raise MaskError(msg)


def _label(probabilities: NDArray[np.float32], thresholds: Sequence[float]) -> NDArray[np.uint8]:
    shape = probabilities.shape[1:]
    label_map = np.zeros(shape, dtype=np.uint8)
    highest = np.zeros(shape, dtype=probabilities.dtype)
    for number, (plane, threshold) in enumerate(zip(probabilities, thresholds, strict=True), 1):
        # Most images have no defect and most defects one class: skip the others quickly.
        # As a plain float, which takes the precision of the probabilities; NumPy's own would not.
        least = float(threshold)
        if plane.max() >= least:
            wins = (plane >= least) & (plane > highest)
            label_map[wins] = number
            highest[wins] = plane[wins]
    return label_map


def _holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    # Background that water poured in from outside, side to side, does not reach.
    dry = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    cv2.floodFill(dry, None, (0, 0), 0)
    return dry[1:-1, 1:-1].astype(np.bool_)


def _without_specks(mask: NDArray[np.bool_], min_area: int) -> NDArray[np.bool_]:
    labels, _ = components(mask)
    large = np.bincount(labels.ravel()) >= min_area
    return mask & large[labels]
