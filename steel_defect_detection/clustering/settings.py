"""Settings of a clustering, checked before any work is done."""

from dataclasses import dataclass
from typing import get_args

from steel_defect_detection.clustering.embedding import Features, Weights
from steel_defect_detection.clustering.methods import Method
from steel_defect_detection.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How crops are clustered.

    Args:
        model: Name of a built-in model, a checkpoint or run folder whose network
            looks at the crops.
        backbone: An encoder that does so in place of ``model``; empty for none.
        weights: Weights of ``backbone``: ``imagenet``, or ``random`` ones.
        features: What is taken of the network: ``penultimate`` features or
            ``logits``.
        pca: Principal axes that are kept; 0 for all numbers as they are.
        method: ``kmeans``, ``minibatch``, ``agglomerative`` or ``hdbscan``.
        clusters: How many clusters; None for as many as part best.
        most_clusters: The largest number that is tried.
        least_members: Fewest crops of a cluster of ``hdbscan``; 0 for one in a
            hundred, and 5 at least.
        size: Side of the squares that crops are brought to, in pixels.
        seed: What beginnings, samples and random weights depend on.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    """

    model: str = "strip"
    backbone: str = ""
    weights: Weights = "imagenet"
    features: Features = "penultimate"
    pca: int = 0
    method: Method = "kmeans"
    clusters: int | None = None
    most_clusters: int = 10
    least_members: int = 0
    size: int = 100
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        choices = {"weights": Weights, "features": Features, "method": Method}
        for name, known in choices.items():
            value = getattr(self, name)
            if value not in get_args(known):
                msg = f"{name} must be one of {', '.join(get_args(known))}, got {value!r}"
                raise ConfigError(msg)
        least = {"pca": 0, "most_clusters": 2, "least_members": 0, "size": 8, "seed": 0}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                msg = f"{name} must be {lowest} or more, got {getattr(self, name)}"
                raise ConfigError(msg)
        if self.clusters is not None and self.clusters < 2:
            msg = f"clusters must be 2 or more, or chosen by themselves, got {self.clusters}"
            raise ConfigError(msg)
        if self.clusters is not None and self.method == "hdbscan":
            msg = "hdbscan finds the number of clusters itself: leave out clusters"
            raise ConfigError(msg)
        if self.size > 1000:
            msg = f"size must be 1000 pixels or less, got {self.size}"
            raise ConfigError(msg)
