"""Two questions that an explanation has to pass before anybody looks at it.

*Does it depend on what was learned?* (Adebayo et al., "Sanity Checks for
Saliency Maps", NeurIPS 2018, https://arxiv.org/abs/1810.03292). The same target
is explained once more with the network's weights shuffled. A rank correlation
of the two maps near 0 says that the explanation shows what the network has
learned; near 1 it shows the image, whatever was learned.

*Does it point to the defect?* The share of what speaks for a class that lies
inside of the true mask, beside the share of the image that the mask covers,
which is what a map scores that points anywhere.
"""

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import AnnotationError, ExplanationError, ImageError
from steel_defect_detection.explain.explanation import Target
from steel_defect_detection.explain.subject import Subject
from steel_defect_detection.models.graph import PlainGraph
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.sample import Sample

if TYPE_CHECKING:
    from steel_defect_detection.explain.explaining import Explainer

_LOG = logging.getLogger(__name__)


class Attributing(Protocol):
    """What computes maps: an ``Explainer``, or anything that does the same."""

    subject: Subject

    def with_graph(self, graph: PlainGraph) -> Self:
        """Make one for another network of the same form."""
        ...

    def attribute(
        self, image: NDArray[np.uint8], target: Target
    ) -> tuple[NDArray[np.float32], float, float | None]:
        """Compute map, value and gap."""
        ...


class Randomisation:
    """Compares explanations with those of the same network without its knowledge.

    Args:
        explainer: What explains.
        seed: Number that the shuffling depends on.
    """

    def __init__(self, explainer: Attributing, *, seed: int = 0) -> None:
        self._ignorant = explainer.with_graph(shuffled(explainer.subject.graph, seed=seed))

    def correlation(
        self, attribution: NDArray[np.float32], image: NDArray[np.uint8], target: Target
    ) -> float | None:
        """Compare the explanation of an image with that of the ignorant network.

        Args:
            attribution: What the network that learned gave, float32, shape
                ``(height, width)``.
            image: uint8, shape ``(height, width, 1 or 3)``.
            target: What was explained; it stays the same.

        Returns:
            Spearman's rank correlation of the two without their signs, -1 to 1;
            None if one of them is the same everywhere.
        """
        other, _, _ = self._ignorant.attribute(image, target)
        return rank_correlation(np.abs(attribution), np.abs(other))


def shuffled(graph: PlainGraph, *, seed: int) -> PlainGraph:
    """Copy a network and shuffle the numbers within each of its weights.

    Each layer keeps the distribution of its numbers, so signals stay in range,
    and nothing of what was learned about where they belong. The running
    statistics of batch norm stay.

    Args:
        graph: The network, which is not changed.
        seed: Number that the shuffling depends on.
    """
    made = copy.deepcopy(graph)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in made.parameters():
            order = torch.randperm(weight.numel(), generator=random).to(weight.device)
            weight.copy_(weight.flatten()[order].reshape(weight.shape))
    return made


def rank_correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float | None:
    """Spearman's rank correlation of two maps; None if it is not defined.

    Args:
        first: float, shape ``(height, width)``.
        second: Of the same shape.
    """
    maps = (first, second)
    if not all(np.isfinite(each).all() and np.ptp(each) > 0 for each in maps):
        return None
    return float(stats.spearmanr(first, second, axis=None).statistic)


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where the explanation of one image points.

    Args:
        image: Name of the image in its data set.
        class_name: Class that was explained.
        inside: Share of what speaks for the class that lies in the true mask.
        chance: Share of the image that the mask covers.
        error: Why there is no answer.
    """

    image: str
    class_name: str = ""
    inside: float | None = None
    chance: float | None = None
    error: str = ""


def locate(
    explainer: "Explainer", dataset: Dataset, *, class_name: str | None = None
) -> list[Location]:
    """Measure where explanations point on images whose defects are outlined.

    Explained is the class named, or of each image the class that truly covers
    most of it.

    Args:
        explainer: What explains.
        dataset: The images with their masks.
        class_name: The class to explain.

    Returns:
        One for each image that shows a class the model knows.

    Raises:
        AnnotationError: If no image shows one.
    """
    found = []
    for number in progress_bar(range(len(dataset)), unit="image"):
        location = _location(explainer, dataset, number, class_name)
        if location is not None:
            found.append(location)
    if not found:
        wanted = class_name or ", ".join(explainer.subject.classes)
        msg = f"none of the {len(dataset)} images has a mask of {wanted}, so nothing can be located"
        raise AnnotationError(msg)
    return found


def inside_share(attribution: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Share of what speaks for a class that lies in a mask; 0 if nothing does.

    Args:
        attribution: float32, shape ``(height, width)``; below 0 is left out.
        mask: bool, of the same shape.

    Example:
        >>> map_of_four = np.array([[3, 1], [-5, 0]], dtype=np.float32)
        >>> inside_share(map_of_four, np.array([[True, False], [True, False]]))
        0.75
    """
    speaks_for = np.maximum(attribution, 0).astype(np.float64)
    total = speaks_for.sum()
    return float(speaks_for[mask].sum() / total) if total else 0.0


def mean(values: Sequence[float | None]) -> float | None:
    """Mean of the values that there are."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _location(
    explainer: "Explainer", dataset: Dataset, number: int, class_name: str | None
) -> Location | None:
    name = dataset.names[number]
    try:
        sample = dataset[number]
        wanted = _largest(sample, explainer.subject.classes, class_name)
        if wanted is None or sample.masks is None:
            return None
        explanation = explainer.explain(sample.image, wanted)
    except (ImageError, ExplanationError) as error:
        _LOG.info("%s: %s", name, error)
        return Location(image=name, error=str(error))
    mask = sample.masks[sample.classes.index(wanted)]
    return Location(
        image=name,
        class_name=wanted,
        inside=inside_share(explanation.attribution, mask),
        chance=float(mask.mean()),
    )


def _largest(sample: Sample, known: Sequence[str], class_name: str | None) -> str | None:
    """The class with the largest true area, of those that may be explained."""
    if sample.masks is None:
        return None
    wanted = known if class_name is None else (class_name,)
    areas = {
        name: int(mask.sum())
        for name, mask in zip(sample.classes, sample.masks, strict=True)
        if name in wanted
    }
    largest = max(areas, key=areas.__getitem__, default=None)
    return largest if largest is not None and areas[largest] else None
