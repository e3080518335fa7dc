"""Leakage: images of one part that also stand in another, in the same or another form.

A network that has seen an image, be it turned or under another light, recognises
it: what it scores on such an image says nothing about new ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets import duplicates, origins
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.datasets.problems import Problem, readable
from steel_defect_detection.errors import ConfigError, DatasetNotFoundError
from steel_defect_detection.progress import progress_bar

Way = Literal["both", "given", "pictures", "none"]
"""How groups are found: as the data set says, in the images, both, or not at all."""

_MOST_EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class Leak:
    """Images of one part that share a group with images of another.

    Args:
        part: The part they belong to.
        other: The part that gives them away.
        images: Their names.
        examples: A few of them, each with an image of the other part.
    """

    part: str
    other: str
    images: tuple[str, ...]
    examples: tuple[tuple[str, str], ...]


def groups(
    dataset: Dataset,
    way: Way = "both",
    *,
    problems: list[Problem] | None = None,
    progress: bool = False,
) -> NDArray[np.int64]:
    """Number the groups of images that show the same thing.

    Args:
        dataset: The images.
        way: Where groups come from.
        problems: Gets the images that cannot be read, which are like no
            other then; without it, the first of them is an error.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Returns:
        Number of each image's group, shape ``(images,)``.

    Raises:
        ConfigError: If there is no such way.
        ImageError: If an image cannot be read and there is no ``problems``.
        DatasetNotFoundError: If only annotations are at hand and ``way`` asks
            for the images themselves.
    """
    if way not in {"both", "given", "pictures", "none"}:
        msg = f"groups come from 'both', 'given', 'pictures' or 'none', got {way!r}"
        raise ConfigError(msg)
    pairs = np.empty((0, 2), dtype=np.int64)
    if way in {"both", "pictures"}:
        pairs = _alike(dataset, problems, progress=progress)
    if way in {"both", "given"}:
        pairs = np.concatenate([pairs, _given(dataset)])
    return duplicates.join(pairs, len(dataset))


def leaks(
    names: Sequence[str], parts: Mapping[str, str], groups: Sequence[int] | NDArray[np.int64]
) -> list[Leak]:
    """Find what leaks between the parts of a split.

    Args:
        names: Names of the images.
        parts: Part of each image by name; images without one do not count.
        groups: Number of each image's group.

    Returns:
        One entry for each ordered pair of parts between which images leak.
    """
    members: dict[str, dict[int, list[str]]] = {}
    for name, group in zip(names, groups, strict=True):
        if name in parts:
            members.setdefault(parts[name], {}).setdefault(int(group), []).append(name)
    found = []
    for part, other in permutations(sorted(members), 2):
        shared = sorted(members[part].keys() & members[other].keys())
        if shared:
            images = tuple(name for group in shared for name in members[part][group])
            pairs = ((members[part][group][0], members[other][group][0]) for group in shared)
            examples = tuple(pair for pair, _ in zip(pairs, range(_MOST_EXAMPLES), strict=False))
            found.append(Leak(part=part, other=other, images=images, examples=examples))
    return found


def _alike(
    dataset: Dataset, problems: list[Problem] | None, *, progress: bool
) -> NDArray[np.int64]:
    """Pairs of images whose pixels show the same thing."""
    if len(dataset) and not any(entry.has_image for entry in dataset.entries):
        msg = "there are only annotations here, no images to compare. Add --groups given"
        raise DatasetNotFoundError(msg)
    numbers: list[int] = []

    def images() -> Iterator[NDArray[np.uint8]]:
        names = progress_bar(dataset.names, unit="image", shown=progress)
        for number, image in readable(names, lambda n: dataset.entries[n].read_image(), problems):
            numbers.append(number)
            yield image

    pairs = duplicates.find(images()).pairs
    return np.array(numbers, dtype=np.int64)[pairs]


def _given(dataset: Dataset) -> NDArray[np.int64]:
    """Pairs that link each image to the first one that shows the same, as far as is written."""
    first: dict[str, int] = {}
    pairs = [
        (first.setdefault(key, number), number)
        for number, entry in enumerate(dataset.entries)
        for key in sorted(origins.keys(entry))
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
