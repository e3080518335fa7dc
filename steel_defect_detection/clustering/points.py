"""From features to points: each row to length 1, then, if asked for, onto principal axes.

Lengths are taken away because they mostly say how strong a crop's contrast is.
Distances between points of length 1 grow with the angle between them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ConfigError


@dataclass(frozen=True, kw_only=True, eq=False)
class Axes:
    """Principal axes.

    Args:
        mean: Middle of the points, float32, shape ``(numbers,)``.
        directions: The axes, float32, shape ``(axes, numbers)``.
    """

    mean: NDArray[np.float32]
    directions: NDArray[np.float32]

    def project(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the coordinates of points on the axes, shape ``(rows, axes)``."""
        return np.asarray((rows - self.mean) @ self.directions.T, dtype=np.float32)


def normalised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring each row to length 1; a row of zeros stays.

    Args:
        features: float, shape ``(crops, numbers)``.

    Example:
        >>> normalised(np.float32([[3, 4], [0, 0]])).round(3).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def axes(rows: NDArray[np.float32], count: int) -> Axes:
    """Find the directions in which points differ most.

    Args:
        rows: float, shape ``(crops, numbers)``.
        count: How many axes.

    Raises:
        ConfigError: If there are not so many.
    """
    most = min(rows.shape)
    if not 1 <= count <= most:
        msg = (
            f"expected 1 to {most} principal axes for {rows.shape[0]} crops with "
            f"{rows.shape[1]} numbers each, got {count}"
        )
        raise ConfigError(msg)
    # In float64, because squares of small differences are added up.
    exact = rows.astype(np.float64)
    mean = exact.mean(axis=0)
    exact -= mean
    _, vectors = np.linalg.eigh(exact.T @ exact)  # from little spread to much
    directions = vectors.T[::-1][:count]
    # Either of two opposite directions would do: the longest part points ahead.
    longest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(count), longest])[:, None]
    return Axes(mean=mean.astype(np.float32), directions=directions.astype(np.float32))


def on_a_plane(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Place points on a plane so that they differ as much as they can: a map to look at.

    Args:
        rows: float, shape ``(crops, numbers)``.

    Returns:
        float32, shape ``(crops, 2)``.
    """
    count = min(2, *rows.shape)
    places = axes(rows, count).project(rows)
    return np.pad(places, ((0, 0), (0, 2 - count)))
