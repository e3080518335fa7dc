"""Fit the density that says how familiar an image is.

Images that the density is fitted to look more familiar than others of their kind,
so where familiarity ends is found on held-out ones: either images of another part
of the data, or each fold in turn by a density of the other folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.config import FamiliarityConfig
from steel_defect_detection.models.familiarity import Familiarity

MOST_DIRECTIONS = 16
"""Directions per stage and kind with a variance of their own, if there are enough images."""

LEAST_OF_A_KIND = 20
"""Images that a kind needs to have a density of its own."""

LEAST_IMAGES = 8
"""Images without which nothing can be said."""

_FOLDS = 5
# Images of a density that is to judge a fold it does not know.
_LEAST_OTHERS = 4
# Share of the variance among all images in that of a kind: a channel that never moves within a
# kind must not make strangers of all.
_SHARED = 0.1
_LEAST_SPREAD = 1e-6
# Standard deviation, in units of a number's own, that every direction is given: what rounding does
# to the numbers of a network lies mostly in directions in which images do not differ at all.
_NOISE = 0.2

Numbers = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What a network sees on one image.

    Args:
        numbers: Statistics of its stages, one row per tile, shape ``(tiles,
            numbers)``.
        kind: Number of the kind of image it is.
        group: Images of one group show the same thing and are held out together.
    """

    numbers: Numbers
    kind: int
    group: int


def fit(
    looks: Sequence[Look],
    channels: Sequence[int],
    *,
    held_out: Sequence[Look] = (),
    kept: float,
    seed: int = 0,
) -> Familiarity:
    """Fit a density, and find where familiarity ends.

    Args:
        looks: Familiar images.
        channels: Channels of each stage.
        held_out: Further familiar images; without any, each fold of ``looks``
            is held out in turn.
        kept: Share of familiar images above the familiarity ``1 - kept``, above
            0.5 and below 1.
        seed: Number that the folds depend on.

    Raises:
        ConfigError: If there are too few images or groups of them, or all look
            alike.
    """
    if len(looks) < LEAST_IMAGES:
        msg = (
            f"familiarity needs at least {LEAST_IMAGES} images, got {len(looks)}. Leave it out "
            "with --no-familiarity"
        )
        raise ConfigError(msg)
    looks = _in_kinds(looks, seed, folded=not held_out)
    if not held_out:
        _check_groups(looks, seed)
    config = FamiliarityConfig(
        kinds=max(look.kind for look in looks) + 1,
        channels=tuple(channels),
        directions=MOST_DIRECTIONS,
    )
    density = _density(looks, config)
    if held_out:
        distances = [_log_distances(density, look) for look in held_out]
    else:
        distances = _cross_fitted(looks, config, seed)
    _set_scale(density, distances, kept)
    return density


def _in_kinds(looks: Sequence[Look], seed: int, *, folded: bool) -> list[Look]:
    """Number the kinds that there are from 0; too small ones make all images one kind."""
    kinds = np.unique([look.kind for look in looks], return_inverse=True)[1]
    numbered = [replace(look, kind=int(kind)) for look, kind in zip(looks, kinds, strict=True)]
    least = np.bincount(kinds).min() / LEAST_OF_A_KIND
    if folded:
        # A kind that is one group is missing where that is held out.
        folds = _folds(numbered, seed)
        others = [kinds[folds != fold] for fold in np.unique(folds)]
        left = min(np.bincount(rest, minlength=kinds.max() + 1).min() for rest in others)
        least = min(least, 2 * left / LEAST_OF_A_KIND)
    return numbered if least >= 1 else [replace(look, kind=0) for look in looks]


def _check_groups(looks: Sequence[Look], seed: int) -> None:
    """Raise if there is a fold beside which too few images are left."""
    largest = np.bincount(_folds(looks, seed)).max()
    if len(looks) - largest < _LEAST_OTHERS:
        groups = len({look.group for look in looks})
        msg = (
            f"familiarity is judged by images of other groups, but {len(looks)} images are "
            f"{groups} {'group' if groups == 1 else 'groups'}, and beside {largest} of them too "
            "few are left. Take more groups, or leave it out with --no-familiarity"
        )
        raise ConfigError(msg)


def _cross_fitted(
    looks: Sequence[Look], config: FamiliarityConfig, seed: int
) -> list[NDArray[np.float64]]:
    """Log distances of each image to a density of the other folds."""
    folds = _folds(looks, seed)
    found = []
    for fold in np.unique(folds):
        others = [look for look, place in zip(looks, folds, strict=True) if place != fold]
        density = _density(others, config)
        own = [look for look, place in zip(looks, folds, strict=True) if place == fold]
        found += [_log_distances(density, look) for look in own]
    return found


def _folds(looks: Sequence[Look], seed: int) -> NDArray[np.int64]:
    """Deal groups into folds, those of each kind in turn."""
    random = np.random.default_rng(seed)
    groups = list({look.group: look.kind for look in looks}.items())
    shuffled = [groups[place] for place in random.permutation(len(groups))]
    ordered = sorted(shuffled, key=lambda group: group[1])
    fold_of = {group: place % _FOLDS for place, (group, _) in enumerate(ordered)}
    return np.array([fold_of[look.group] for look in looks])


def _density(looks: Sequence[Look], config: FamiliarityConfig) -> Familiarity:
    """Fit a Gaussian to each kind at each stage."""
    numbers = np.concatenate([look.numbers for look in looks]).astype(np.float64)
    kinds = np.concatenate([np.full(len(look.numbers), look.kind) for look in looks])
    whole = numbers.var(axis=0)
    density = Familiarity(config)
    sizes = np.cumsum([2 * count for count in config.channels])[:-1]
    for kind in range(config.kinds):
        rows = numbers[kinds == kind]
        mean = rows.mean(axis=0)
        variance = (1 - _SHARED) * rows.var(axis=0) + _SHARED * whole
        spread = np.sqrt(variance) + _LEAST_SPREAD
        density.mean[kind] = torch.from_numpy(mean)
        density.spread[kind] = torch.from_numpy(spread)
        parts = np.split((rows - mean) / spread, sizes, axis=1)
        places = np.split(np.arange(numbers.shape[1]), sizes)
        for stage, (part, place) in enumerate(zip(parts, places, strict=True)):
            directions, variances, residue = _components(part, config.directions)
            count = len(directions)
            density.directions[kind, :count, place] = torch.from_numpy(directions).float()
            density.variances[kind, stage, :count] = torch.from_numpy(variances)
            density.residue[kind, stage] = residue
    return density


def _components(
    rows: NDArray[np.float64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Probabilistic principal components of centred rows.

    Returns:
        Directions, shape ``(directions, numbers)``, the variances along them,
        and the mean variance along all others.
    """
    images, numbers = rows.shape
    count = max(min(most, numbers // 2, images // 4), 1)
    _, lengths, directions = np.linalg.svd(rows, full_matrices=False)
    variances = lengths**2 / images
    rest = max(float(variances[count:].sum()) / (numbers - count), _LEAST_SPREAD)
    return directions[:count], np.maximum(variances[:count], rest) + _NOISE**2, rest + _NOISE**2


def _log_distances(density: Familiarity, look: Look) -> NDArray[np.float64]:
    """Log distances of an image's tiles, shape ``(tiles, kinds, stages)``."""
    return density.log_distances(torch.from_numpy(look.numbers)).numpy().astype(np.float64)


def _set_scale(density: Familiarity, distances: Sequence[NDArray[np.float64]], kept: float) -> None:
    """Set the logistic curve by what held-out images give."""
    nearest = np.concatenate(distances).min(axis=1)
    scale = nearest.std(axis=0)
    if not (scale > 0).all():
        msg = "all held-out images look the same to the network, so none can be unfamiliar"
        raise ConfigError(msg)
    density.center.copy_(torch.from_numpy(nearest.mean(axis=0)))
    density.scale.copy_(torch.from_numpy(scale))
    marks = [(part - nearest.mean(axis=0)) / scale for part in distances]
    strange = [
        (logsumexp(mark, axis=2) - np.log(mark.shape[2])).min(axis=1).max() for mark in marks
    ]
    middle, bound = np.quantile(strange, [0.5, kept])
    density.median.fill_(float(middle))
    density.steepness.fill_(float(np.log(kept / (1 - kept)) / max(bound - middle, 1e-3)))
