"""Names and severities that a person gives to clusters, as JSON.

::

    {"0": {"name": "scratches", "severity": "strong"}, "1": "holes"}

Clusters that are not named are called ``cluster_2`` and so on, noise is called
``noise``. Clusters of one name become one class: k-means often parts one kind of
defect in two, and whoever has looked at the sheets can join them again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steel_defect_detection.clustering.methods import NOISE
from steel_defect_detection.errors import ConfigError

NOISE_NAME = "noise"

_FORM = '{"0": {"name": "scratches", "severity": "strong"}, "1": "holes"}'


@dataclass(frozen=True, kw_only=True)
class Named:
    """What a cluster is called.

    Args:
        name: Its class.
        severity: How bad such defects are, in the words of whoever named it;
            empty if nothing was said.
    """

    name: str
    severity: str = ""


@dataclass(frozen=True, kw_only=True)
class Names:
    """What all clusters are called.

    Args:
        clusters: One per cluster, in order.
        noise: What noise is called; None where there is none.
    """

    clusters: tuple[Named, ...]
    noise: Named | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the first cluster of each; noise is last."""
        return tuple(dict.fromkeys(named.name for named in self._all()))

    def of(self, cluster: int) -> Named:
        """What a cluster, or ``NOISE``, is called; of clusters of one name all have one severity.

        Args:
            cluster: Its number.
        """
        named = self.clusters[cluster] if cluster != NOISE or self.noise is None else self.noise
        said = (one.severity for one in self._all() if one.name == named.name and one.severity)
        return Named(name=named.name, severity=next(said, ""))

    def class_number(self, cluster: int) -> int:
        """Number of the class that a cluster, or ``NOISE``, belongs to.

        Args:
            cluster: Its number.
        """
        return self.classes.index(self.of(cluster).name)

    def joined(self) -> dict[str, list[str]]:
        """Clusters of one name, by that name, where there are several."""
        keys = [str(number) for number in range(len(self.clusters))] + [NOISE_NAME]
        found: dict[str, list[str]] = {}
        for key, named in zip(keys, self._all(), strict=False):
            found.setdefault(named.name, []).append(key)
        return {name: numbers for name, numbers in found.items() if len(numbers) > 1}

    def _all(self) -> tuple[Named, ...]:
        return self.clusters if self.noise is None else (*self.clusters, self.noise)


def unnamed(count: int, *, noise: bool = False) -> Names:
    """Names of clusters that nobody has looked at yet.

    Args:
        count: How many clusters there are.
        noise: Whether there is noise.
    """
    clusters = tuple(Named(name=f"cluster_{number}") for number in range(count))
    return Names(clusters=clusters, noise=Named(name=NOISE_NAME) if noise else None)


def read(text_or_file: str | Path) -> dict[str, Named]:
    """Read a map of names, from a file or as it stands.

    Args:
        text_or_file: JSON that begins with a brace, or the name of a file.

    Returns:
        What was said, by key; whether there are such clusters is seen later.

    Raises:
        ConfigError: If it is no such map.
    """
    text = str(text_or_file)
    if not text.lstrip().startswith("{"):
        try:
            text = Path(text_or_file).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"names {str(text_or_file)!r}: expected a file of JSON, or {_FORM}: {error}"
            raise ConfigError(msg) from error
    try:
        content = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        msg = f"the names are no JSON such as {_FORM}: {error}"
        raise ConfigError(msg) from error
    if not isinstance(content, dict):
        msg = f"expected names such as {_FORM}, got {text.strip()[:40]!r}"
        raise ConfigError(msg)
    return {key: _named(key, value) for key, value in content.items()}


def given(before: Names, said: Mapping[str, Named]) -> Names:
    """Name clusters; those of which nothing is said keep their names.

    Args:
        before: What they were called.
        said: Names by number of the cluster, or by ``noise``.

    Raises:
        ConfigError: If there is no such cluster, or one class gets two
            severities.
    """
    known = [str(number) for number in range(len(before.clusters))]
    known += [NOISE_NAME] if before.noise is not None else []
    unknown = [key for key in said if key not in known]
    if unknown:
        msg = f"there is no cluster {unknown[0]!r} to name; there are {', '.join(known)}"
        raise ConfigError(msg)
    names = Names(
        clusters=tuple(said.get(str(place), old) for place, old in enumerate(before.clusters)),
        noise=before.noise and said.get(NOISE_NAME, before.noise),
    )
    _check_severities(names)
    return names


def _check_severities(names: Names) -> None:
    listed = [*names.clusters, *([names.noise] if names.noise else [])]
    for name, numbers in names.joined().items():
        severities = sorted({one.severity for one in listed if one.name == name} - {""})
        if len(severities) > 1:
            msg = (
                f"clusters {' and '.join(numbers)} are all called {name!r}, but with the "
                f"severities {' and '.join(severities)}. Give them one, or different names"
            )
            raise ConfigError(msg)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    repeated = [key for key in keys if keys.count(key) > 1]
    if repeated:
        msg = f"the names hold {repeated[0]!r} twice"
        raise ConfigError(msg)
    return dict(pairs)


def _named(key: str, value: Any) -> Named:
    parts = {"name": value} if isinstance(value, str) else value
    fits = isinstance(parts, dict) and "name" in parts and set(parts) <= {"name", "severity"}
    texts = list(parts.values()) if fits else []
    if not texts or not all(isinstance(text, str) and _is_plain(text) for text in texts):
        msg = (
            f"cluster {key!r}: expected a name, or a name and a severity, of one line each, such "
            f"as {_FORM}, got {json.dumps(value)[:80]}"
        )
        raise ConfigError(msg)
    return Named(**{word: text.strip() for word, text in parts.items()})


def _is_plain(text: str) -> bool:
    return bool(text.strip()) and text.strip().isprintable()
