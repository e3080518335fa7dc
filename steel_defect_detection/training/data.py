"""What the training loop is fed: augmented crops, and whole images to validate on.

Each training item is asked for by a key of epoch, repetition and index, and
all chance depends on the seed and that key alone: epochs differ, workers
differ, and two runs of the same seed are equal, whatever the number of
workers.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from steel_defect_detection import transforms
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import SteelDefectError, TrainingError
from steel_defect_detection.sample import Sample
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.processes import processes
from steel_defect_detection.transforms.black_out import black_out

Key = tuple[int, int, int]
"""Epoch, repetition within the epoch, index of the image."""

Item = tuple[Tensor, Tensor]
"""uint8 image ``(height, width, channels)`` and float target: masks
``(classes, height, width)`` or labels ``(classes,)``."""


class EpochSampler(Sampler[Key]):
    """Each image so many times per epoch, in an order of its own each epoch.

    All processes that train together have the same order; ``Shares`` deals it out.

    Args:
        image_count: How many images there are.
        repetitions: How often each is asked for per epoch.
        seed: Number that the orders depend on.
        labels: Which classes each image shows, bool, shape ``(images,
            classes)``. Where they are given, an epoch is as long as without
            them, but each combination of classes is asked for equally often.
    """

    def __init__(
        self,
        image_count: int,
        *,
        repetitions: int,
        seed: int,
        labels: NDArray[np.bool_] | None = None,
    ) -> None:
        """Start at epoch 0."""
        self._image_count = image_count
        self._repetitions = repetitions
        self._groups = None if labels is None else _alike(labels)
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Move on to an epoch; Lightning calls this before each."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Count the items of an epoch."""
        return self._image_count * self._repetitions

    def __iter__(self) -> Iterator[Key]:
        """Yield the keys of this epoch."""
        total = len(self)
        random = np.random.default_rng([self._seed, self._epoch])
        if self._groups is None:
            order = random.permutation(total)
        else:
            order = _balanced(self._groups, total, self._image_count, random)
        for number in order.tolist():
            repetition, index = divmod(number, self._image_count)
            yield self._epoch, repetition, index


class Shares(Sampler[list[Key]]):
    """This process's batches of an epoch that several processes deal out among them.

    Every item is in one batch of one process. All processes have as many batches,
    for they wait for each other at each. A step of all of them takes what one
    process would put into a batch as many times as large; where items do not go
    round evenly, batches differ in size by one. Batches of 2 or 3 may grow, so
    that none has a single item.

    Args:
        sampler: Gives the items of all processes, in the same order to each.
        batch_size: Items of a batch.
    """

    def __init__(self, sampler: EpochSampler, batch_size: int) -> None:
        """Keep the order; Lightning finds ``sampler`` and moves it on to each epoch."""
        self.sampler = sampler
        self._batch_size = batch_size

    def __len__(self) -> int:
        """Count this process's batches."""
        total, count = len(self.sampler), processes()[1]
        steps = math.ceil(total / (self._batch_size * count))
        # BatchNorm cannot learn from a single deeply shrunk image.
        return steps if self._batch_size == 1 else max(min(steps, total // (2 * count)), 1)

    def __iter__(self) -> Iterator[list[Key]]:
        """Yield this process's batches."""
        rank, count = processes()
        keys = list(self.sampler)
        parts = len(self) * count
        for number in range(rank, parts, count):
            yield keys[number * len(keys) // parts : (number + 1) * len(keys) // parts]


class DealtOut(Sampler[int]):
    """This process's share of the validation images, dealt out in turns, none of them twice.

    Args:
        image_count: How many images there are.
    """

    def __init__(self, image_count: int) -> None:
        """Keep the number of all images."""
        self._image_count = image_count

    def __len__(self) -> int:
        """Count this process's images."""
        return len(self._share())

    def __iter__(self) -> Iterator[int]:
        """Yield this process's images."""
        yield from self._share()

    def _share(self) -> range:
        rank, count = processes()
        return range(rank, self._image_count, count)


def _alike(labels: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Indices of the images of each combination of classes."""
    _, group = np.unique(labels, axis=0, return_inverse=True)
    return [np.flatnonzero(group.ravel() == number) for number in range(group.max() + 1)]


def _balanced(
    groups: list[NDArray[np.intp]], total: int, image_count: int, random: np.random.Generator
) -> NDArray[np.intp]:
    """Draw from all groups alike, each image of a group once before any comes again."""
    shares = np.full(len(groups), total // len(groups))
    # What does not go round falls to other groups in each epoch.
    shares[random.permutation(len(groups))[: total % len(groups)]] += 1
    drawn = []
    for members, share in zip(groups, shares.tolist(), strict=True):
        rounds = np.arange(-(-share // len(members)))
        numbers = [random.permutation(members) + number * image_count for number in rounds]
        drawn.append(np.concatenate(numbers)[:share] if numbers else members[:0])
    return random.permutation(np.concatenate(drawn))


class TrainingItems(TorchDataset[Item]):
    """Augmented images or crops of a data set, by key."""

    def __init__(self, dataset: Dataset, config: TrainConfig) -> None:
        """Keep the data set and build the augmentation."""
        self._dataset = dataset
        self._config = config
        self._augment = transforms.augmentation(
            crop_size=config.crop_size,
            defect_crops=config.defect_crops,
            flips=config.flips,
            rotation_degrees=config.rotation_degrees,
            zoom=config.zoom,
            brightness=config.brightness,
            contrast=config.contrast,
            blur_and_noise=config.blur_and_noise,
            policy=config.policy,
        )

    def __getitem__(self, key: Key) -> Item:
        """Read and augment one image."""
        sample = self._dataset[key[2]]
        seeds = np.random.SeedSequence([self._config.seed, *key]).generate_state(2).tolist()
        self._check(sample)
        image, masks = sample.image, sample.masks
        if masks is not None and self._config.black_out:
            chance = self._config.black_out
            image, masks = black_out(image, masks, probability=chance, seed=seeds[1])
        image, masks = transforms.apply(self._augment, image, masks, seed=seeds[0])
        item = _item(sample, image, masks, self._config)
        return _squeezed(item, self._config.size) if self._config.size else item

    def _check(self, sample: Sample) -> None:
        """Refuse an image without masks where a change of it needs them."""
        needs = {
            "crops of it have no labels: set crop_size to none": self._config.crop_size,
            "nothing can be painted out of it: set black_out to 0": self._config.black_out,
        }
        for problem, needed in needs.items():
            if needed and sample.masks is None and self._config.kind == "classifier":
                msg = f"{sample.name} has no masks, so {problem}"
                raise TrainingError(msg)


class ValidationItems(TorchDataset[Item]):
    """Whole images of a data set, as they are."""

    def __init__(self, dataset: Dataset, config: TrainConfig) -> None:
        """Keep the data set."""
        self._dataset = dataset
        self._config = config

    def __len__(self) -> int:
        """Count the images."""
        return len(self._dataset)

    def __getitem__(self, index: int) -> Item:
        """Read one image."""
        sample = self._dataset[index]
        return _item(sample, sample.image, sample.masks, self._config)


class LateLoader(DataLoader[Item]):
    """A loader that asks its sampler for images when the first batch is asked for, not before.

    Worker processes otherwise take their first images from the sampler at once,
    which in a run that is taken up is before Lightning tells it the epoch.

    Where several processes train together, an error comes in place of a batch:
    the others have to hear of it before it is raised (``Agreement``).
    """

    def __iter__(self) -> Iterator[Item | Exception]:  # type: ignore[override]  # Lightning needs no more
        """Yield batches."""
        try:
            yield from super().__iter__()
        except (SteelDefectError, RuntimeError) as error:
            if processes()[1] == 1:
                raise
            yield error


def loaders(
    training: Dataset, validation: Dataset, config: TrainConfig
) -> tuple[DataLoader[Item], DataLoader[Item]]:
    """Build the loaders of training crops and of validation images.

    Args:
        training: Images to learn from.
        validation: Images to judge each epoch on.
        config: Settings of the run.
    """
    sampler = EpochSampler(
        len(training),
        repetitions=config.crops_per_image,
        seed=config.seed,
        labels=training.labelled().labels() if config.balance else None,
    )
    batches: dict[str, Any] = {"batch_sampler": Shares(sampler, config.batch_size)}
    if processes()[1] == 1:
        # BatchNorm cannot learn from a single deeply shrunk image.
        single = len(sampler) % config.batch_size == 1 and len(sampler) > 1
        batches = {"sampler": sampler, "batch_size": config.batch_size, "drop_last": single}
    train = LateLoader(
        TrainingItems(training, config),
        num_workers=config.workers,
        collate_fn=_collate,
        **batches,
    )
    # Whole images may differ in size, so each is a batch of its own.
    check = LateLoader(
        ValidationItems(validation, config),
        sampler=DealtOut(len(validation)),
        num_workers=config.workers,
    )
    return train, check


def without_masks(name: str) -> TrainingError:
    """Make the error for an image of which only the classes are known, where outlines are learned.

    Args:
        name: What the image is called.
    """
    msg = (
        f"{name} has no masks, from which alone outlines are learned. Train a classifier, for "
        "example strip-gate, or name a data set with masks"
    )
    return TrainingError(msg)


def _item(
    sample: Sample,
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_] | None,
    config: TrainConfig,
) -> Item:
    # All channels, although a grey network will average them: so it does when it predicts.
    pixels = torch.from_numpy(np.ascontiguousarray(image))
    if config.kind != "classifier":
        if masks is None:
            raise without_masks(sample.name)
        return pixels, torch.from_numpy(np.ascontiguousarray(masks)).float()
    # Turned or shifted, a defect may leave its image, which then shows no class at all.
    is_whole = config.labels == "exclusive"
    labels = sample.labels if masks is None or is_whole else masks.any(axis=(1, 2))
    if labels is None:
        msg = f"{sample.name} has no labels: a classifier cannot be trained on it"
        raise TrainingError(msg)
    return pixels, torch.from_numpy(labels).float()


def _squeezed(item: Item, size: tuple[int, int]) -> Item:
    """Bring an item to the size at which the network sees it, so that all fit into a batch.

    It is the graph's own way of resizing, so that training sees what prediction will.
    """
    pixels, targets = item
    planes = pixels.permute(2, 0, 1)[None].float()
    small = functional.interpolate(planes, size=size, mode="bilinear", antialias=True)
    if targets.ndim == 3:
        targets = functional.interpolate(targets[None], size=size, mode="nearest-exact")[0]
    return small[0].round().clamp(0, 255).byte().permute(1, 2, 0).contiguous(), targets


def _collate(items: list[Item]) -> Item:
    sizes = {tuple(image.shape[:2]) for image, _ in items}
    if len(sizes) > 1:
        msg = (
            f"images of one batch differ in size ({sorted(sizes)}): set size or crop_size, for "
            "example by --size 256,256"
        )
        raise TrainingError(msg)
    images, targets = zip(*items, strict=True)
    return torch.stack(images), torch.stack(targets)
