"""A clustering that assigns new crops: network, axes and centres in one file.

The file is a ``.safetensors`` file whose header holds JSON under the key
``steel_defect_detection_clusters``; reading it executes nothing. A new crop goes
to the nearest centre. Where the method knows noise, a crop that lies farther
from its centre than any crop of that cluster did is noise, too.

That is what k-means does; the other methods draw borders that nearest centres
only come near to, so a clustering says how many of its own crops the model
would assign alike.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from steel_defect_detection.checkpoints import container
from steel_defect_detection.clustering.embedding import Backbone, Features
from steel_defect_detection.clustering.methods import NOISE
from steel_defect_detection.clustering.names import Named, Names
from steel_defect_detection.clustering.points import Axes, normalised
from steel_defect_detection.errors import CheckpointError
from steel_defect_detection.models.config import Frozen, GraphConfig

FILE = "clusters.safetensors"

_KEY = "steel_defect_detection_clusters"
_NETWORK = "network."

# What rounding may add to the distance of a crop that is looked at in another batch.
_SLACK = 1e-3


class _Header(Frozen):
    """All of a clustering but its numbers."""

    format_version: Literal[1] = 1
    network: GraphConfig
    head_outputs: int = Field(ge=0, le=100_000)
    source: str
    features: Features
    size: int = Field(ge=1, le=10_000)
    names: tuple[tuple[str, str], ...] = Field(min_length=1)
    noise: tuple[str, str] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class ClusterModel:
    """What assigns crops to clusters.

    Args:
        backbone: The network that looks at them.
        features: Which of its numbers.
        size: Side of the squares that crops are brought to, in pixels.
        axes: Principal axes that points are projected on; None for none.
        centres: Centre of each cluster, float32, shape ``(clusters, numbers)``.
        reach: Distance of each cluster's farthest crop from its centre,
            float32, shape ``(clusters,)``.
        names: What the clusters are called; they have noise where the method
            knows it.
    """

    backbone: Backbone
    features: Features
    size: int
    axes: Axes | None
    centres: NDArray[np.float32]
    reach: NDArray[np.float32]
    names: Names

    def place(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn features into points.

        Args:
            features: float32, shape ``(crops, numbers)``.
        """
        rows = normalised(features)
        return rows if self.axes is None else self.axes.project(rows)

    def assign(self, points: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Assign points to clusters.

        Args:
            points: float32, shape ``(crops, numbers)``.

        Returns:
            Clusters, int32, ``NOISE`` for none, and the distance to the nearest
            centre, float32; both of shape ``(crops,)``.
        """
        gaps = np.stack([np.linalg.norm(points - centre, axis=1) for centre in self.centres], 1)
        labels = gaps.argmin(axis=1).astype(np.int32)
        distances = np.asarray(gaps.min(axis=1), dtype=np.float32)
        if self.names.noise is not None:
            labels[distances > self.reach[labels] * (1 + _SLACK) + _SLACK**2] = NOISE
        return labels, distances

    def renamed(self, names: Names) -> "ClusterModel":
        """Give the clusters other names.

        Args:
            names: One per cluster.
        """
        return replace(self, names=names)


def save(path: Path, model: ClusterModel) -> None:
    """Write a clustering, completely or not at all.

    Args:
        path: The file to write.
        model: The clustering.

    Raises:
        ResultsError: If it cannot be written there.
    """
    noise = model.names.noise
    header = _Header(
        network=model.backbone.config,
        head_outputs=model.backbone.head_outputs,
        source=model.backbone.source,
        features=model.features,
        size=model.size,
        names=tuple((named.name, named.severity) for named in model.names.clusters),
        noise=None if noise is None else (noise.name, noise.severity),
    )
    tensors = {f"{_NETWORK}{name}": value for name, value in model.backbone.tensors.items()}
    tensors |= {"centres": model.centres, "reach": model.reach}
    if model.axes is not None:
        tensors |= {"axes.mean": model.axes.mean, "axes.directions": model.axes.directions}
    container.write(path, _KEY, header, tensors)


def load(path: Path | str) -> ClusterModel:
    """Read a clustering.

    Args:
        path: The file, or the folder of a clustering.

    Raises:
        CheckpointError: If it is missing, damaged, or no clustering.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    foreign = "is no clustering of sdd-cluster"
    content = container.read(path, _KEY, _Header, newest=1, foreign=foreign)
    header, tensors = content.header, content.tensors
    network = {
        name.removeprefix(_NETWORK): value
        for name, value in tensors.items()
        if name.startswith(_NETWORK)
    }
    model = ClusterModel(
        backbone=Backbone(
            config=header.network,
            tensors=network,
            head_outputs=header.head_outputs,
            source=header.source,
        ),
        features=header.features,
        size=header.size,
        axes=_axes(tensors),
        centres=np.asarray(tensors.get("centres", np.zeros((0, 0))), np.float32),
        reach=np.asarray(tensors.get("reach", np.zeros(0)), np.float32),
        names=Names(
            clusters=tuple(_named(pair) for pair in header.names),
            noise=None if header.noise is None else _named(header.noise),
        ),
    )
    _check(model, path)
    return model


def _axes(tensors: dict[str, NDArray[Any]]) -> Axes | None:
    if "axes.mean" not in tensors or "axes.directions" not in tensors:
        return None
    return Axes(mean=tensors["axes.mean"], directions=tensors["axes.directions"])


def _named(pair: tuple[str, str]) -> Named:
    return Named(name=pair[0], severity=pair[1])


def _check(model: ClusterModel, path: Path) -> None:
    """Refuse numbers that do not belong together."""
    clusters = len(model.names.clusters)
    axes = model.axes
    fits = (
        model.centres.ndim == 2
        and model.centres.shape[0] == clusters
        and model.reach.shape == (clusters,)
        and np.isfinite(model.centres).all()
        and (axes is None or axes.directions.shape == (model.centres.shape[1], axes.mean.size))
    )
    if not fits:
        msg = (
            f"{path} names {clusters} clusters, but its centres, of shape {model.centres.shape}, "
            "do not fit them. Cluster again"
        )
        raise CheckpointError(msg)
