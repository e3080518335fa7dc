"""Augmentation of training images together with their masks."""

from random import Random

import albumentations as A  # noqa: N812 -- the library's own convention
import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.transforms import policies


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
    policy: str = "flips",
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
        policy: What is drawn after these changes: ``flips`` for nothing more,
            or one of ``policies.build``. ``none`` leaves out all changes but
            the crop.

    Raises:
        ConfigError: If there is no such policy.
    """
    more = policies.build(policy)
    crop = [A.PadIfNeeded(*crop_size), _crop(crop_size, defect_crops)] if crop_size else []
    if policy == "none":
        return A.Compose(crop)
    lights = _lights(brightness, contrast, blur_and_noise)
    mirrors = [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)] if flips else []
    return A.Compose([*_moves(zoom, rotation_degrees), *crop, *mirrors, *lights, *more])


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

    A grey image stays grey, also where it is stored as three equal channels:
    changes of its hue or saturation then do nothing, and noise is grey.

    Args:
        augment: What ``augmentation`` built.
        image: uint8, shape ``(height, width, channels)``.
        masks: bool, shape ``(classes, height, width)``, or None.
        seed: Number that alone decides what is changed.

    Returns:
        Image and masks, in the same layout, of the crop's size.
    """
    # Not set_random_seed: it starts every operation on the same numbers, so that an image
    # mirrored left-right would always be mirrored up-down too.
    augment.set_random_state(np.random.default_rng(seed), Random(seed))
    channels = image.shape[2]
    pixels = image[..., :1] if _is_grey(image) else image
    # A copy, because some operations of albumentations write into what they are given.
    given = {"image": pixels.copy()}
    if masks is not None:
        given["mask"] = masks.transpose(1, 2, 0).astype(np.uint8)
    changed = augment(**given)
    shown = changed["image"]
    if shown.shape[2] != channels:
        shown = np.repeat(shown, channels, axis=2)
    if masks is None:
        return shown, None
    return shown, changed["mask"].transpose(2, 0, 1).astype(np.bool_)


def _is_grey(image: NDArray[np.uint8]) -> bool:
    return all(np.array_equal(image[..., 0], image[..., i]) for i in range(1, image.shape[2]))


def _moves(zoom: float, rotation_degrees: float) -> list[policies.Step]:
    steps: list[policies.Step] = []
    if zoom:
        steps.append(
            A.Affine(scale=(1 - zoom, 1 + zoom), border_mode=cv2.BORDER_REFLECT_101, p=0.5)
        )
    if rotation_degrees:
        steps.append(A.Rotate(rotation_degrees, border_mode=cv2.BORDER_REFLECT_101, p=0.25))
    return steps


def _crop(size: tuple[int, int], defect_crops: float) -> A.BaseCompose:
    anywhere = A.RandomCrop(*size, p=1 - defect_crops)
    on_defect = A.CropNonEmptyMaskIfExists(*size, p=defect_crops)
    return A.OneOf([step for step in (anywhere, on_defect) if step.p], p=1)


def _lights(brightness: float, contrast: float, blur_and_noise: float) -> list[policies.Step]:
    steps: list[policies.Step] = []
    if brightness or contrast:
        steps.append(A.RandomBrightnessContrast(brightness, contrast, p=0.75))
    if blur_and_noise:
        changes = [A.GaussianBlur((3, 5)), A.GaussNoise((0.01, 0.05)), A.Sharpen()]
        steps.append(A.OneOf(changes, p=blur_and_noise))
    return steps
