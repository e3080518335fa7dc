"""Changes of training images together with their masks (albumentations)."""

from steel_defect_detection.transforms.augment import apply, augmentation

__all__ = ["apply", "augmentation"]
