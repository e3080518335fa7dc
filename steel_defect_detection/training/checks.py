"""What is refused before a run writes anything: settings and images that do not fit each other."""

import logging

import numpy as np

from steel_defect_detection import images
from steel_defect_detection.datasets.dataset import Entry
from steel_defect_detection.errors import ConfigError, ImageError
from steel_defect_detection.training import devices, task
from steel_defect_detection.training.class_weights import class_weights
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.data import without_masks
from steel_defect_detection.training.parting import Parts, is_exclusive
from steel_defect_detection.training.processes import is_first
from steel_defect_detection.wording import amount

_LOG = logging.getLogger(__name__)


def check(config: TrainConfig, parts: Parts) -> None:
    """Refuse what cannot be trained, or to no end.

    Args:
        config: Settings of the run.
        parts: Its training and validation images.

    Raises:
        ConfigError: If settings and images do not fit each other.
        DeviceError: If the device is not there.
        TrainingError: If outlines are to be learned from images without masks.
    """
    if not len(parts[0]):
        msg = "there are no images to train on: the split names none as 'train'"
        raise ConfigError(msg)
    if not len(parts[1]):
        _check_without_validation(config)
    _check_shares(config, parts)
    if config.kind != "classifier":
        _check_masks(parts)
    class_weights(config, parts[0].classes)
    devices.check(config)
    if is_exclusive(config, parts):
        _check_exclusive(config, parts)
    elif config.head == "duq":
        msg = (
            "the head 'duq' needs images of which each shows exactly one class, which these are "
            "not: set the head to 'linear', or leave the others out with --split"
        )
        raise ConfigError(msg)
    _check_aim(config, parts)
    _remark_on_size(config, parts[0].entries[0])


def _check_shares(config: TrainConfig, parts: Parts) -> None:
    """Refuse processes that would have nothing to do, for which the others would wait."""
    count = config.devices * config.nodes
    items = len(parts[0]) * config.crops_per_image
    fewest = min(items, len(parts[1]) or items)
    if count > fewest:
        msg = (
            f"{count} processes are too many for {len(parts[0])} images to train on and "
            f"{len(parts[1])} to validate on: each needs at least one of both. Set --devices and "
            f"--nodes to {fewest} processes at most"
        )
        raise ConfigError(msg)


def _check_without_validation(config: TrainConfig) -> None:
    """Refuse what would be chosen by validation images, where there are none."""
    if config.keep == "best" or config.scheduler == "plateau":
        msg = (
            "there are no images to validate on, which the split names 'validation'. To train "
            "without needs keep 'last' and a scheduler other than 'plateau', got "
            f"{config.keep!r} and {config.scheduler!r}"
        )
        raise ConfigError(msg)
    if config.stops_by_validation:
        msg = (
            "there are no images to validate on, by which to stop: set early_stopping to 0, or "
            f"monitor to 'train_loss', got {config.early_stopping} and {config.monitor!r}"
        )
        raise ConfigError(msg)


def _check_masks(parts: Parts) -> None:
    """Refuse images of which only the classes are known, where outlines are to be learned."""
    for entry in (entry for part in parts for entry in part.entries):
        if entry.masks is None:
            raise without_masks(entry.name)


def _check_exclusive(config: TrainConfig, parts: Parts) -> None:
    """Exclusive classes need images of which each shows exactly one, and a choice between two."""
    classes = parts[0].classes
    if len(classes) < 2:
        msg = (
            f"labels 'exclusive' needs at least 2 classes, got {', '.join(classes)} alone. "
            "Set labels to 'independent'"
        )
        raise ConfigError(msg)
    for entry in (entry for part in parts for entry in part.entries):
        shown = [name for name, shows in zip(classes, entry.labels or (), strict=False) if shows]
        if len(shown) != 1:
            msg = (
                "labels 'exclusive' needs images of which each shows exactly one class, but "
                f"{entry.name} shows {' and '.join(shown) or 'none'}. Set labels to 'independent', "
                "or leave such images out with --split"
            )
            raise ConfigError(msg)
    if config.crop_size and config.defect_crops < 1:
        msg = (
            "labels 'exclusive' needs crops that all show a defect, but with defect_crops "
            f"{config.defect_crops} some may show none. Set defect_crops to 1, crop_size to none, "
            "or labels to 'independent'"
        )
        raise ConfigError(msg)


def _check_aim(config: TrainConfig, parts: Parts) -> None:
    """Refuse what could be trained, but to no end."""
    exclusive = is_exclusive(config, parts)
    graph_config = config.graph(parts[0].classes, exclusive=exclusive)
    known = task.measured(graph_config)
    if config.monitor not in known:
        msg = f"monitor {config.monitor!r} is not measured here. Measured are: {', '.join(known)}"
        raise ConfigError(msg)
    labels = [entry.labels for entry in parts[0].entries if entry.labels is not None]
    if len(labels) == len(parts[0]) and not np.any(labels):
        seen = sum(any(entry.labels or ()) for entry in parts[1].entries)
        advice = (
            f"{amount(seen, 'image')} to validate on would, so add images or part them otherwise"
            if seen
            else "look with sdd-inspect whether masks or labels were found"
        )
        msg = f"no training image shows any class, so there is nothing to learn: {advice}"
        raise ConfigError(msg)
    independent = config.kind == "classifier" and not exclusive
    if independent and all(any(shown) for shown in labels) and is_first():
        _LOG.warning(
            "every training image shows a defect, so the classifier cannot learn to let a clean "
            "one pass: add images that are free of defects"
        )
    if config.label_smoothing and not exclusive:
        msg = "label_smoothing needs images of which each shows exactly one class; set it to 0"
        raise ConfigError(msg)


def _remark_on_size(config: TrainConfig, entry: Entry) -> None:
    """Say where images that lie are to be squeezed upright, or the other way round."""
    try:
        shape = entry.shape or (entry.path and images.size(entry.path))
    except ImageError:
        return
    if not (shape and is_first()):
        return
    _remark_on_crops(config, shape)
    if not config.size:
        return
    (height, width), (real_height, real_width) = config.size, shape
    if (height - width) * (real_height - real_width) < 0:
        _LOG.warning(
            "images are resized to size %d,%d, that is %d high and %d wide, but %s is %d high and "
            "%d wide: are the two numbers swapped?",
            height,
            width,
            height,
            width,
            entry.name,
            real_height,
            real_width,
        )


def _remark_on_crops(config: TrainConfig, shape: tuple[int, int]) -> None:
    """Say where crops are larger than the images that they are cut from."""
    seen = config.size or shape
    if config.crop_size and (config.crop_size[0] > seen[0] or config.crop_size[1] > seen[1]):
        _LOG.warning(
            "crops of %d x %d pixels (height x width) are larger than images of %d x %d, which are "
            "padded with black: a smaller crop_size trains faster",
            *config.crop_size,
            *seen,
        )
