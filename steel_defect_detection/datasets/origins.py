"""Where the images of a data set came from, as far as it was written down beside them.

``sources.csv`` says which image of another data set each one is a copy of, and
which of them belong together. ``synthesis.csv``
(``image,mask,way,source,seed,parameters``) says which images are synthetic, and
which real ones they were made from; several are parted by ``|``. ``groups.csv``
(``image,group``) says which images belong together, whatever the layout.

A synthetic image gives away what it was made from. It must not stand in another
part of a split than that image, or than an image of the same group.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from steel_defect_detection.datasets import tables
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, ConfigError

_LOG = logging.getLogger(__name__)

GROUPS = "groups.csv"
SOURCES = "sources.csv"
SOURCES_COLUMNS = ("image", "source", "file", "group", "part")
SYNTHESIS = "synthesis.csv"
SYNTHESIS_COLUMNS = ("image", "mask", "way", "source", "seed", "parameters")

PARTING = "|"
"""What parts the names of several sources."""


def apply(dataset: Dataset, folder: Path) -> Dataset:
    """Fill in the groups and origins that are written beside a data set.

    Args:
        dataset: The data set as its layout reads it.
        folder: Where it lies.

    Returns:
        The same images; those without a group or part get the one that
        ``groups.csv`` or ``sources.csv`` names, synthetic ones get ``made_from``.

    Raises:
        AnnotationError: If one of the tables is malformed, or ``groups.csv``
            names an image that is not there.
    """
    dataset = _grouped(dataset, folder)
    copies = _rows(folder / SOURCES, SOURCES_COLUMNS)
    made = _rows(folder / SYNTHESIS, SYNTHESIS_COLUMNS)
    if not copies and not made:
        return dataset
    paths = [_below(folder, entry) for entry in dataset.entries]
    here = {
        copies[path]["source"]: entry.name
        for path, entry in zip(paths, dataset.entries, strict=True)
        if path in copies
    }
    entries = (
        _with_origin(entry, copies.get(path), made.get(path), here)
        for path, entry in zip(paths, dataset.entries, strict=True)
    )
    found = replace(dataset, entries=tuple(entries))
    if count := count_synthetic(found):
        _LOG.info("%s: %d of %d images are synthetic", folder, count, len(found))
    return found


def count_synthetic(dataset: Dataset) -> int:
    """Count the synthetic images."""
    return sum(entry.made_from is not None for entry in dataset.entries)


def keys(entry: Entry) -> frozenset[str]:
    """Name what an image shows: its group, else itself, or what it was made from.

    Images with a key in common must not be parted by a split.
    """
    if entry.made_from is not None:
        return frozenset(entry.made_from)
    return frozenset([entry.group or entry.name])


def leaks(parts: Mapping[str, Dataset]) -> Iterator[tuple[str, str, str, str]]:
    """Find synthetic images that were made from what stands in another part.

    Args:
        parts: The parts of a split.

    Yields:
        The synthetic image, its part, what it was made from, and the part of that.
    """
    shown = {
        part: {key: entry.name for entry in dataset.entries for key in keys(entry)}
        for part, dataset in parts.items()
    }
    for part, dataset in parts.items():
        for entry in dataset.entries:
            for key in sorted(entry.made_from or ()):
                for other, images in shown.items():
                    if other != part and key in images:
                        yield entry.name, part, images[key], other


def refuse_leaks(parts: Mapping[str, Dataset], where: str) -> None:
    """Raise if a synthetic image was made from what stands in another part.

    Args:
        parts: The parts of a split.
        where: Where the split is written, for the message.

    Raises:
        ConfigError: Naming the first such image and their number.
    """
    found = list(leaks(parts))
    if found:
        image, part, source, other = found[0]
        count = len({leak[0] for leak in found})
        msg = (
            f"{where} leaks: {count} synthetic images show what stands in another part, first: "
            f"{image} in {part} like {source} in {other}. Make synthetic images from training "
            "images alone: sdd-synthesize --split"
        )
        raise ConfigError(msg)


def _grouped(dataset: Dataset, folder: Path) -> Dataset:
    """Fill in the groups of ``groups.csv``, unless the layout has read it in a form of its own."""
    path = folder / GROUPS
    read_already = any(entry.group for entry in dataset.entries)
    if not path.is_file() or (read_already and "image" not in tables.columns(path)):
        return dataset
    groups = tables.groups(path, "image")
    entries = []
    for entry in dataset.entries:
        group = groups.pop(entry.name, None) or groups.pop(_below(folder, entry), None)
        entries.append(replace(entry, group=group or entry.group))
    if groups:
        msg = f"{path} names {len(groups)} images that are not there, first: {next(iter(groups))}"
        raise AnnotationError(msg)
    return replace(dataset, entries=tuple(entries))


def _rows(path: Path, columns: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Read a table by the column ``image``; a file of another kind says nothing."""
    if not path.is_file():
        return {}
    try:
        is_ours = tables.columns(path)[: len(columns)] == columns
    except AnnotationError:
        # Somebody else's file of this name need not even be text.
        is_ours = False
    if not is_ours:
        return {}
    found = {}
    for number, cells in tables.read(path):
        if not cells:
            msg = f"{path} line {number} has another number of cells than the table has columns"
            raise AnnotationError(msg)
        found[cells["image"]] = cells
    return found


def _below(folder: Path, entry: Entry) -> str:
    """Path of an image below the folder, with ``/``; empty where it lies elsewhere."""
    if entry.path is None or not entry.path.is_relative_to(folder):
        return ""
    return entry.path.relative_to(folder).as_posix()


def _with_origin(
    entry: Entry,
    copy: dict[str, str] | None,
    made: dict[str, str] | None,
    here: Mapping[str, str],
) -> Entry:
    group = copy["group"] if copy else ""
    if copy and copy["part"]:
        entry = replace(entry, part=entry.part or copy["part"])
    if made is None:
        return replace(entry, group=entry.group or group or None)
    # The groups where they are known: a source's neighbours give it away, too.
    names = (group or made["source"]).split(PARTING)
    sources = tuple(here.get(name, name) for name in names if name)
    recipe = tuple(made[name] for name in SYNTHESIS_COLUMNS[2:])
    return replace(entry, made_from=sources, recipe=recipe)
