"""Clusters beside labels that the clustering has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from steel_defect_detection.clustering.methods import NOISE


@dataclass(frozen=True, kw_only=True)
class Purity:
    """What a cluster mostly holds.

    Args:
        cluster: Its number, or ``NOISE``.
        label: The label that most of its crops have; of equal counts the first
            by name.
        purity: Share of its crops that have it.
    """

    cluster: int
    label: str
    purity: float


@dataclass(frozen=True, kw_only=True)
class Score:
    """How far clusters agree with labels; noise counts as a cluster.

    Args:
        adjusted_rand: Agreement over pairs of crops: 1 if clusters and labels are
            the same parts, 0 on average by chance (Hubert and Arabie, 1985,
            https://doi.org/10.1007/BF01908075).
        normalised_mutual_information: What clusters tell about labels, from 0
            to 1; many small clusters raise it by chance.
        purity: Share of crops that have the commonest label of their cluster.
        clusters: The same for each cluster.
    """

    adjusted_rand: float
    normalised_mutual_information: float
    purity: float
    clusters: tuple[Purity, ...]


def score(truth: Sequence[str], labels: ArrayLike) -> Score:
    """Compare clusters with labels.

    Args:
        truth: Label of each crop.
        labels: Cluster of each crop, whole numbers; ``NOISE`` for none.

    Example:
        >>> found = score(["a", "a", "b", "b"], [0, 0, 1, 0])
        >>> found.purity, found.clusters[0].label
        (0.75, 'a')
    """
    names, numbers = np.array(truth), np.asarray(labels)
    # Noise last, as everywhere.
    present = sorted(np.unique(numbers).tolist(), key=lambda number: (number == NOISE, number))
    found = [_commonest(names[numbers == number]) for number in present]
    right = sum(count for _, count in found)
    return Score(
        adjusted_rand=float(adjusted_rand_score(names, numbers)),
        normalised_mutual_information=float(normalized_mutual_info_score(names, numbers)),
        purity=right / len(numbers),
        clusters=tuple(
            Purity(cluster=number, label=label, purity=count / int((numbers == number).sum()))
            for number, (label, count) in zip(present, found, strict=True)
        ),
    )


def _commonest(names: np.ndarray[tuple[int, ...], np.dtype[np.str_]]) -> tuple[str, int]:
    found, counts = np.unique(names, return_counts=True)
    place = int(counts.argmax())
    return str(found[place]), int(counts[place])
