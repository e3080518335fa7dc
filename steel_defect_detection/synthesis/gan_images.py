"""What a generator learns from: square images, with their masks, as numbers from -1 to 1.

Images are read once and stay in memory as bytes. Where there are masks, windows
are taken out of the images, by default: a strip of 256 x 1600 pixels made 64
wide would show its defects four times as flat and 25 times as narrow as they
are, and a scratch not at all. In a window a defect keeps its size and its grain,
and one image gives several.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steel_defect_detection import images
from steel_defect_detection.datasets import crops
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import AnnotationError, NoImagesError
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.sample import Sample, are_defects
from steel_defect_detection.synthesis.gan_config import GanConfig

LEAST_IMAGES = 2
"""A batch needs two images: of one alone nothing varies."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Squares(torch.utils.data.Dataset[Tensor]):
    """Square images of one size.

    Args:
        images: uint8, shape ``(count, side, side, 1 or 3)``.
        masks: Bool, shape ``(count, classes, side, side)``, or None.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.bool_] | None

    def __len__(self) -> int:
        """Count the images."""
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        """Give an image and its masks as the networks see them.

        Returns:
            Float, -1 to 1, shape ``(planes, side, side)``: the image's channels,
            then one plane per class, 1 where the class is and -1 elsewhere.
        """
        planes = torch.from_numpy(self.images[index]).permute(2, 0, 1).float() / 127.5 - 1
        if self.masks is None:
            return planes
        return torch.cat([planes, torch.from_numpy(self.masks[index]).float() * 2 - 1])


def read(dataset: Dataset, config: GanConfig, *, progress: bool = False) -> Squares:
    """Read the images that a generator shall learn from.

    Args:
        dataset: Training images of one class, or of all.
        config: Size and channels of the images, and whether to take masks and
            windows.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Raises:
        AnnotationError: If some images have masks and others none, or there are
            masks without a defect to take a window around.
        NoImagesError: If fewer than two images are left to learn from.
        ImageError: If an image cannot be read.
    """
    with_masks = config.masks and _all_have_masks(dataset)
    random = np.random.default_rng(config.seed)
    found: list[tuple[NDArray[np.uint8], NDArray[np.bool_] | None]] = []
    for place in progress_bar(range(len(dataset)), unit="image", shown=progress):
        sample = dataset[place]
        if with_masks and config.crops:
            bad = are_defects(dataset.classes, dataset.good_class)
            found += list(_windows(sample, bad, config, random))
        else:
            found.append(_square(sample.image, sample.masks if with_masks else None, config))
    _check_count(len(found), dataset, cropped=with_masks and config.crops)
    stacks = [masks for _, masks in found if masks is not None]
    return Squares(
        images=np.stack([image for image, _ in found]), masks=np.stack(stacks) if stacks else None
    )


def exclusive(planes: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Turn made mask planes into masks: above 0, and the largest where several are.

    Args:
        planes: -1 to 1, shape ``(batch, classes, height, width)``.

    Returns:
        Bool, same shape; no pixel belongs to two classes.

    Example:
        >>> planes = np.array([[[[0.5, -0.2]], [[0.9, -0.1]]]])
        >>> exclusive(planes).astype(int).tolist()
        [[[[0, 0]], [[1, 0]]]]
    """
    numbers = np.arange(planes.shape[1])[:, None, None]
    foremost = planes.argmax(axis=1)[:, None] == numbers
    return np.asarray(foremost & (planes > 0), dtype=np.bool_)


def _all_have_masks(dataset: Dataset) -> bool:
    bare = [entry.name for entry in dataset.entries if entry.masks is None]
    if bare and len(bare) < len(dataset):
        msg = (
            f"{len(bare)} of {len(dataset)} images have no masks, first: {', '.join(bare[:3])}. "
            "Leave them out, or make images without outlines (masks=False)"
        )
        raise AnnotationError(msg)
    return not bare


def _windows(
    sample: Sample, bad: NDArray[np.bool_], config: GanConfig, random: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_] | None]]:
    """Take windows, each around a pixel of a defect; a long defect gives several.

    Defects that a window shows together count as one, so that an image with a
    hundred pits does not give a hundred times nearly the same.
    """
    stack = sample.masks
    if stack is None:
        return
    side = min(config.image_size, *sample.shape)
    for mask in stack[bad]:
        for box, _ in crops.find(mask, join=side // 2):
            inside = mask[box.top : box.top + box.height, box.left : box.left + box.width]
            count = -(-max(box.height, box.width) // side)
            for row, column in random.permutation(np.argwhere(inside))[:count].tolist():
                top = min(max(box.top + row - side // 2, 0), sample.shape[0] - side)
                left = min(max(box.left + column - side // 2, 0), sample.shape[1] - side)
                window = slice(top, top + side), slice(left, left + side)
                yield _square(sample.image[window], stack[:, *window], config)


def _square(
    image: NDArray[np.uint8], masks: NDArray[np.bool_] | None, config: GanConfig
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Give an image its channels and its size; a small pixel is defect if half of it was."""
    side = config.image_size
    if config.channels == 1:
        image = images.to_grey(image)
    square = _resized(image, side).reshape(side, side, -1)
    square = np.repeat(square, config.channels // square.shape[2], axis=2)
    if masks is None:
        return square, None
    grey = masks.astype(np.uint8) * 255
    return square, np.stack([_resized(mask, side) >= 128 for mask in grey])


def _resized(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    if picture.shape[:2] == (side, side):
        return picture
    smaller = min(picture.shape[:2]) >= side
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), dtype=np.uint8)


def _check_count(count: int, dataset: Dataset, *, cropped: bool) -> None:
    if count >= LEAST_IMAGES:
        return
    if not cropped:
        msg = f"expected at least {LEAST_IMAGES} images to learn from, got {count}"
        raise NoImagesError(msg)
    msg = (
        f"expected at least {LEAST_IMAGES} defects to take windows around, got {count} in "
        f"{len(dataset)} images. Learn from whole images instead: --whole, in Python crops=False"
    )
    raise NoImagesError(msg)
