"""Splitting a data set without leaks, and checking splits that others made."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from steel_defect_detection.datasets import dealing, leakage, splits
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.leakage import Leak, Way
from steel_defect_detection.datasets.problems import Problem, readable
from steel_defect_detection.errors import AnnotationError, ConfigError

SETS = "sets"


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which image goes where, and what leaks.

    Args:
        parts: Name of the part by name of the image; folds are called
            ``fold 0`` and so on.
        folds: Number of the fold by name of the image, if there are folds.
        groups: Number of the group by name of the image.
        class_images: Images of each class in each part.
        leaks: What leaks between the parts; nothing, if groups stayed whole.
        problems: Images that cannot be read or do not fit their annotations:
            a new split leaves them out, a check cannot tell what they are like.
    """

    parts: Mapping[str, str]
    folds: Mapping[str, int] | None = None
    groups: Mapping[str, int]
    class_images: Mapping[str, Mapping[str, int]]
    leaks: tuple[Leak, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def images(self) -> Mapping[str, int]:
        """How many images each part has."""
        return dict(sorted(Counter(self.parts.values()).items()))

    @property
    def absent(self) -> Mapping[str, list[str]]:
        """Classes that a part does not show, although others do; only parts that miss some."""
        totals: Counter[str] = Counter()
        for counts in self.class_images.values():
            totals.update(counts)
        missing = {
            part: [name for name, count in counts.items() if totals[name] and not count]
            for part, counts in self.class_images.items()
        }
        return {part: names for part, names in missing.items() if names}

    def write(self, path: Path) -> None:
        """Write the ``split.csv`` that training reads.

        Args:
            path: The file to write.
        """
        parts = self.parts if self.folds is None else dict.fromkeys(self.parts, "")
        splits.write(path, parts, fold_numbers=self.folds, group_numbers=self.groups)


def split(
    dataset: Dataset,
    *,
    shares: Mapping[str, float] | None = None,
    fold_count: int | None = None,
    seed: int = 0,
    way: Way = "both",
    progress: bool = False,
) -> Split:
    """Part a data set by class, keeping together what shows the same thing.

    Images that cannot be read belong to no part and are among the ``problems``.

    Args:
        dataset: The images.
        shares: Share of each part by its name; together 1.
        fold_count: Deal into so many folds instead.
        seed: Number that the deal depends on, 0 or more.
        way: Where groups come from.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Raises:
        ConfigError: If shares, folds or ``way`` are impossible, or there are
            too few groups.
        AnnotationError: If images have neither labels nor masks, or none can
            be read.
        DatasetNotFoundError: If only annotations are at hand and ``way`` asks
            for the images themselves.
    """
    problems: list[Problem] = []
    dataset, groups = _usable(dataset, way, problems, progress=progress)
    labels = dataset.labels()
    if fold_count is None:
        wanted = shares or {"train": 0.7, "validation": 0.15, "test": 0.15}
        parts = dealing.assign(labels, shares=wanted, seed=seed, groups=groups)
        return _assembled(dataset, parts, groups, problems)
    folds = dealing.folds(labels, fold_count=fold_count, seed=seed, groups=groups).tolist()
    found = _assembled(dataset, [f"fold {number}" for number in folds], groups, problems)
    return replace(found, folds=dict(zip(dataset.names, folds, strict=True)))


def check(
    datasets: Mapping[str, Dataset], what: str, *, way: Way = "both", progress: bool = False
) -> Split:
    """Look for leaks in a split that is there.

    Args:
        datasets: Data sets by name; more than one only with ``sets``.
        what: A ``split.csv``, ``published`` for the parts that the data set
            comes with, or ``sets`` to compare several data sets.
        way: Where groups come from.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Raises:
        ConfigError: If the data set has no published parts, or ``what`` does
            not fit the number of data sets.
        AnnotationError: If the ``split.csv`` is missing or malformed.
        DatasetNotFoundError: If only annotations are at hand and ``way`` asks
            for the images themselves.
    """
    if what == SETS and len(datasets) < 2:
        msg = f"'{SETS}' compares several data sets, got {len(datasets)}; name another"
        raise ConfigError(msg)
    if what != SETS and len(datasets) != 1:
        msg = (
            f"{what!r} is looked for in one data set, got {len(datasets)}; "
            f"to compare data sets, check '{SETS}'"
        )
        raise ConfigError(msg)
    if what == SETS:
        dataset = together(datasets)
        homes = (name for name, one in datasets.items() for _ in one.entries)
        parts = dict(zip(dataset.names, homes, strict=True))
    else:
        (dataset,) = datasets.values()
        if what == splits.PUBLISHED:
            parts = splits.published(dataset)
        else:
            parts = splits.parts_of(Path(what), dataset)
            dataset = splits.grouped(Path(what), dataset)
    problems: list[Problem] = []
    groups = leakage.groups(dataset, way, problems=problems, progress=progress).tolist()
    return _assembled(dataset, [parts.get(name, "") for name in dataset.names], groups, problems)


def together(datasets: Mapping[str, Dataset]) -> Dataset:
    """Put data sets one after the other, without labels; names begin with the set's name.

    Args:
        datasets: Data sets by name.
    """
    entries = [
        _renamed(entry, name) for name, dataset in datasets.items() for entry in dataset.entries
    ]
    return Dataset(classes=(), entries=tuple(entries))


def _usable(
    dataset: Dataset, way: Way, problems: list[Problem], *, progress: bool
) -> tuple[Dataset, list[int]]:
    """Leave out what cannot be read, and number the groups of the rest."""
    labelled = readable(dataset.names, lambda n: dataset.entries[n].labelled(), problems)
    rest = replace(dataset, entries=tuple(entry for _, entry in labelled))
    groups = leakage.groups(rest, way, problems=problems, progress=progress).tolist()
    bad = {problem.image for problem in problems}
    good = [number for number, name in enumerate(rest.names) if name not in bad]
    if problems and not good:
        msg = f"none of {len(dataset)} images can be read, first: {problems[0].problem}"
        raise AnnotationError(msg)
    return rest.subset(good), [groups[number] for number in good]


def _renamed(entry: Entry, name: str) -> Entry:
    group = None if entry.group is None else f"{name}/{entry.group}"
    return replace(entry, name=f"{name}/{entry.name}", labels=None, masks=None, group=group)


def _assembled(
    dataset: Dataset, parts: list[str], groups: list[int], problems: list[Problem]
) -> Split:
    by_name = {name: part for name, part in zip(dataset.names, parts, strict=True) if part}
    found = leakage.leaks(dataset.names, by_name, groups)
    return Split(
        parts=by_name,
        groups=dict(zip(dataset.names, groups, strict=True)),
        class_images=_class_images(dataset, by_name),
        leaks=tuple(found),
        problems=tuple(problems),
    )


def _class_images(dataset: Dataset, parts: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Count the images of each class in each part, where labels are known."""
    counts = {part: dict.fromkeys(dataset.classes, 0) for part in sorted(set(parts.values()))}
    for entry in dataset.entries:
        if entry.name in parts and entry.labels is not None:
            for name, shown in zip(dataset.classes, entry.labels, strict=True):
                counts[parts[entry.name]][name] += shown
    return counts
