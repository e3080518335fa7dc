"""Augmentation policies: recipes that draw their operations from a list.

Their lists and strengths are those of the prints system, which took RandAugment
(Cubuk et al. 2020, https://arxiv.org/abs/1909.13719) and AutoAugment (Cubuk et
al. 2019, https://arxiv.org/abs/1805.09501) from torchvision, and corruptions
(Hendrycks and Dietterich 2019, https://arxiv.org/abs/1903.12261) from
imagecorruptions. Three things differ: what moves out of an image is filled with
its mirror image instead of black, masks move along, and what is drawn is done,
where the prints system left out some of what it drew once more by chance.
"""

from collections.abc import Callable
from functools import partial
from math import atan, degrees
from typing import Any, TypeAlias

import albumentations as A  # noqa: N812 -- the library's own convention
import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ConfigError

Step: TypeAlias = A.BasicTransform | A.BaseCompose
"""One operation, or a rule that draws among several."""


def build(name: str) -> list[Step]:
    """Build the steps of a policy.

    Args:
        name: ``rand_augment``, ``auto_augment``, ``random_choice``, ``phases``,
            ``corruptions``; or ``flips`` or ``none``, which have no steps.

    Raises:
        ConfigError: If there is no such policy.
    """
    if name not in _POLICIES:
        msg = f"there is no policy {name!r}. Policies: {', '.join(_POLICIES)}"
        raise ConfigError(msg)
    return _POLICIES[name]()


def rand_augment(count: int = 2, magnitude: int = 9) -> Step:
    """Draw some of 14 operations, all of one strength.

    Args:
        count: Operations per image; one may come twice.
        magnitude: Strength, 0 to 30.
    """
    steps = [A.NoOp(p=1), *(make(magnitude / 30) for make in _RAND_AUGMENT.values())]
    return A.RandomOrder(steps, n=count, replace=True, p=1)


def auto_augment() -> Step:
    """Draw one of the 25 pairs of operations that were found on ImageNet."""
    return A.OneOf([_pair(*pair) for pair in IMAGENET_PAIRS], p=1)


def random_choice() -> Step:
    """Draw one of the 18 operations of the four phases."""
    return A.OneOf([step for phase in phases() for step in phase], p=1)


def one_of_each_phase() -> list[Step]:
    """Draw one operation of each phase, or none of it."""
    return [A.OneOf([*phase, A.NoOp(p=1)], p=1) for phase in phases()]


def phases() -> tuple[list[Step], list[Step], list[Step], list[Step]]:
    """Make the operations of each phase: position, clarity, colours, corruption."""
    position = [
        _affine(rotate=(0, 30)),
        A.HorizontalFlip(p=1),
        _affine(
            translate_percent={"x": (-0.1, 0.1), "y": (-0.3, 0.3)},
            scale=(0.75, 1),
            keep_ratio=True,
            shear={"x": (0, 0.2), "y": (0, 0)},
        ),
    ]
    clarity = [_jitter(saturation=0), _sharpness(2), _auto_contrast(), _equalize()]
    colours = [
        A.InvertImg(p=1),
        A.Posterize(3, p=1),
        A.Solarize((100 / 255, 200 / 255), p=1),
        A.ColorJitter((0.3, 1), (0.3, 1), (0.3, 1), (-0.5, 0.5), p=1),
    ]
    return position, clarity, colours, list(corruptions(1).values())


def corruptions(severity: int) -> dict[str, Step]:
    """Make the seven corruptions of images, by name.

    Args:
        severity: 1 to 5, with the strengths of Hendrycks and Dietterich.
            Motion blur is made with a plain line as long as two standard
            deviations of theirs, shot noise by albumentations' own formula.
    """
    at = severity - 1
    line = 2 * (3, 5, 8, 12, 15)[at] + 1
    grain = 1 / (60, 25, 12, 5, 3)[at]
    spots = (0.03, 0.06, 0.09, 0.17, 0.27)[at]
    zoom, step = ((1.1, 0.01), (1.15, 0.01), (1.2, 0.02), (1.25, 0.02), (1.3, 0.03))[at]
    sigma, quality = (1, 2, 3, 4, 6)[at], (25, 18, 15, 10, 7)[at]
    return {
        "gaussian_blur": A.GaussianBlur(0, (sigma, sigma), p=1),
        "shot_noise": A.ShotNoise((grain, grain), p=1),
        "impulse_noise": A.SaltAndPepper((spots, spots), (0.5, 0.5), p=1),
        "motion_blur": A.MotionBlur((line, line), p=1),
        "zoom_blur": A.ZoomBlur((zoom, zoom), (step, step), p=1),
        "pixelate": _lambda(_pixelate, share=(0.6, 0.5, 0.4, 0.3, 0.25)[at]),
        "jpeg_compression": A.ImageCompression("jpeg", (quality, quality), p=1),
    }


def _mild_corruptions() -> list[Step]:
    """One corruption of the three lower severities: beyond, small defects cannot be seen."""
    steps = [step for severity in (1, 2, 3) for step in corruptions(severity).values()]
    return [A.OneOf(steps, p=1)]


_POLICIES: dict[str, Callable[[], list[Step]]] = {
    "flips": list,
    "rand_augment": lambda: [rand_augment()],
    "auto_augment": lambda: [auto_augment()],
    "random_choice": lambda: [random_choice()],
    "phases": one_of_each_phase,
    "corruptions": _mild_corruptions,
    "none": list,
}


def _affine(**change: Any) -> Step:
    return A.Affine(border_mode=cv2.BORDER_REFLECT_101, p=1, **change)


def _either_way(make: Callable[[float], Step], amount: float) -> Step:
    return A.OneOf([make(amount), make(-amount)], p=1)


def _shear(axis: str, amount: float) -> Step:
    flat = {"x": (0, 0), "y": (0, 0)}
    angle = degrees(atan(amount))
    return _affine(shear=flat | {axis: (angle, angle)})


def _translate(axis: str, share: float) -> Step:
    return _affine(translate_percent={"x": (0, 0), "y": (0, 0)} | {axis: (share, share)})


def _rotate(angle: float) -> Step:
    return _affine(rotate=(angle, angle))


def _jitter(*, brightness: float = 1, contrast: float = 1, saturation: float = 1) -> Step:
    """Blend with black, with the mean grey, or with the grey image; 1 keeps it as it is."""
    shares = [(share, share) for share in (brightness, contrast, saturation)]
    return A.ColorJitter(*shares, hue=(0, 0), p=1)


def _equalize() -> Step:
    return A.Equalize(mode="pil", p=1)


def _auto_contrast() -> Step:
    return A.AutoContrast(method="pil", p=1)


def _sharpness(factor: float) -> Step:
    return _lambda(_blend_with_blurred, factor=factor)


def _lambda(function: Callable[..., Any], **settings: float) -> Step:
    # A partial, not a lambda: it can be sent to worker processes.
    return A.Lambda(image=partial(function, **settings), name=function.__name__, p=1)


def _blend_with_blurred(image: NDArray[np.uint8], *, factor: float, **_: Any) -> NDArray[np.uint8]:
    """Sharpen (factor above 1) or blur (below 1) as Pillow does."""
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
    blurred = cv2.filter2D(image, -1, kernel)
    blended = cv2.addWeighted(image, factor, blurred.reshape(image.shape), 1 - factor, 0)
    return np.asarray(blended, np.uint8).reshape(image.shape)


def _pixelate(image: NDArray[np.uint8], *, share: float, **_: Any) -> NDArray[np.uint8]:
    """Shrink to a share of the size and enlarge again in squares."""
    height, width = image.shape[:2]
    smaller = (max(1, int(width * share)), max(1, int(height * share)))
    small = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(large, np.uint8).reshape(image.shape)


# Each takes its strength as a share of the largest, 0 to 1.
_RAND_AUGMENT: dict[str, Callable[[float], Step]] = {
    "ShearX": lambda share: _either_way(partial(_shear, "x"), 0.3 * share),
    "ShearY": lambda share: _either_way(partial(_shear, "y"), 0.3 * share),
    "TranslateX": lambda share: _either_way(partial(_translate, "x"), 150 / 331 * share),
    "TranslateY": lambda share: _either_way(partial(_translate, "y"), 150 / 331 * share),
    "Rotate": lambda share: _either_way(_rotate, 30 * share),
    "Brightness": lambda share: _either_way(
        lambda change: _jitter(brightness=1 + change), 0.9 * share
    ),
    "Color": lambda share: _either_way(lambda change: _jitter(saturation=1 + change), 0.9 * share),
    "Contrast": lambda share: _either_way(lambda change: _jitter(contrast=1 + change), 0.9 * share),
    "Sharpness": lambda share: _either_way(lambda change: _sharpness(1 + change), 0.9 * share),
    "Posterize": lambda share: A.Posterize(8 - round(4 * share), p=1),
    "Solarize": lambda share: A.Solarize((1 - share, 1 - share), p=1),
    "AutoContrast": lambda _: _auto_contrast(),
    "Equalize": lambda _: _equalize(),
}

OPERATIONS = _RAND_AUGMENT | {"Invert": lambda _: A.InvertImg(p=1)}
"""Operations of RandAugment and AutoAugment by the papers' names, each made from
its strength as a share of the largest, 0 to 1."""

_Chance = tuple[str, float, int]

IMAGENET_PAIRS: tuple[tuple[_Chance, _Chance], ...] = (
    (("Posterize", 0.4, 8), ("Rotate", 0.6, 9)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 0)),
    (("Equalize", 0.8, 0), ("Equalize", 0.6, 0)),
    (("Posterize", 0.6, 7), ("Posterize", 0.6, 6)),
    (("Equalize", 0.4, 0), ("Solarize", 0.2, 4)),
    (("Equalize", 0.4, 0), ("Rotate", 0.8, 8)),
    (("Solarize", 0.6, 3), ("Equalize", 0.6, 0)),
    (("Posterize", 0.8, 5), ("Equalize", 1.0, 0)),
    (("Rotate", 0.2, 3), ("Solarize", 0.6, 8)),
    (("Equalize", 0.6, 0), ("Posterize", 0.4, 6)),
    (("Rotate", 0.8, 8), ("Color", 0.4, 0)),
    (("Rotate", 0.4, 9), ("Equalize", 0.6, 0)),
    (("Equalize", 0.0, 0), ("Equalize", 0.8, 0)),
    (("Invert", 0.6, 0), ("Equalize", 1.0, 0)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Rotate", 0.8, 8), ("Color", 1.0, 2)),
    (("Color", 0.8, 8), ("Solarize", 0.8, 7)),
    (("Sharpness", 0.4, 7), ("Invert", 0.6, 0)),
    (("ShearX", 0.6, 5), ("Equalize", 1.0, 0)),
    (("Color", 0.4, 0), ("Equalize", 0.6, 0)),
    (("Equalize", 0.4, 0), ("Solarize", 0.2, 4)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 0)),
    (("Invert", 0.6, 0), ("Equalize", 1.0, 0)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Equalize", 0.8, 0), ("Equalize", 0.6, 0)),
)
"""AutoAugment's pairs for ImageNet: operation, probability, magnitude 0 to 9
(Cubuk et al. 2019, table 9)."""


def _pair(*chances: _Chance) -> Step:
    # Of probability 0 is one entry of the table; a Sequential may have it, a OneOf may not.
    steps = [A.Sequential([OPERATIONS[name](level / 9)], p=p) for name, p, level in chances]
    return A.Sequential(steps, p=1)
