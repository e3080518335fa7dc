"""Augmentation of training images together with their masks (albumentations)."""

import albumentations as A  # noqa: N812 -- the library's own convention
import cv2
import numpy as np
from numpy.typing import NDArray


def augmentation(  # noqa: PLR0913 -- one argument per kind of change
    *,
    crop_size: tuple[int, int] | None = None,
    defect_crops: float = 0.5,
    flips: bool = True,
    rotation_degrees: float = 0.0,
    zoom: float = 0.0,
    brightness: float = 0.0,
    contrast: float = 0.0,
    blur_and_noise: float = 0.0,
) -> A.Compose:
    """Build the random changes that training images go through.

    Args:
        crop_size: Height and width of the part that is cut out, in pixels;
            smaller images are padded with black. None keeps the whole image.
        defect_crops: Share of crops that are placed on a defect, 0 to 1.
        flips: Mirror left-right and up-down, each with probability 1/2.
        rotation_degrees: Largest rotation to either side, on every fourth
            image.
        zoom: Largest change of size to either side, as a share.
        brightness: Largest change of brightness, as a share of full scale.
        contrast: Largest change of contrast, as a share.
        blur_and_noise: Share of images that are blurred or get noise, 0 to 1.
    """
    steps: list[A.BasicTransform | A.BaseCompose] = []
    if zoom:
        steps.append(
            A.Affine(scale=(1 - zoom, 1 + zoom), border_mode=cv2.BORDER_REFLECT_101, p=0.5)
        )
    if rotation_degrees:
        steps.append(A.Rotate(rotation_degrees, border_mode=cv2.BORDER_REFLECT_101, p=0.25))
    if crop_size:
        steps += [A.PadIfNeeded(*crop_size), _crop(crop_size, defect_crops)]
    if flips:
        steps += [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)]
    if brightness or contrast:
        steps.append(A.RandomBrightnessContrast(brightness, contrast, p=0.75))
    if blur_and_noise:
        changes = [A.GaussianBlur((3, 5)), A.GaussNoise((0.01, 0.05)), A.Sharpen()]
        steps.append(A.OneOf(changes, p=blur_and_noise))
    return A.Compose(steps)


def apply(
    augment: A.Compose,
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_] | None,
    *,
    seed: int,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Change an image and its masks in the same way.

    Left to itself, albumentations 2.0.8 repeats the same changes in every
    epoch and in every worker process; so each call states its seed.

    Args:
        augment: What ``augmentation`` built.
        image: uint8, shape ``(height, width, channels)``.
        masks: bool, shape ``(classes, height, width)``, or None.
        seed: Number that alone decides what is changed.

    Returns:
        Image and masks, in the same layout, of the crop's size.
    """
    augment.set_random_seed(seed)
    if masks is None:
        return augment(image=image)["image"], None
    changed = augment(image=image, mask=masks.transpose(1, 2, 0).astype(np.uint8))
    return changed["image"], changed["mask"].transpose(2, 0, 1).astype(np.bool_)


def _crop(size: tuple[int, int], defect_crops: float) -> A.BaseCompose:
    anywhere = A.RandomCrop(*size, p=1 - defect_crops)
    on_defect = A.CropNonEmptyMaskIfExists(*size, p=defect_crops)
    return A.OneOf([step for step in (anywhere, on_defect) if step.p], p=1)
