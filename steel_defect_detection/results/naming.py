"""What the results of each input are called, so that none overwrites another."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

# Most file systems take 255 bytes; an ending, a suffix and a neighbour's name need some.
_LONGEST_STEM = 200


@dataclass(frozen=True)
class Names:
    """What the results of one input are called.

    Args:
        image_id: File name, or path below the inputs' common folder where
            file names repeat.
        stem: Name of its masks and overlays, without ending; unique.
    """

    image_id: str
    stem: str


def name_all(paths: Sequence[Path]) -> list[Names]:
    """Name the results of all inputs so that none overwrites another.

    Args:
        paths: Input files, in order.

    Returns:
        One name per input, in the same order.
    """
    repeated = {name for name, count in Counter(path.name for path in paths).items() if count > 1}
    parents = [os.path.abspath(path.parent) for path in paths]  # noqa: PTH100 -- keeps links
    root = os.path.commonpath(parents) if repeated and _one_drive(parents) else ""
    # Some file systems do not tell "A.png" from "a.png".
    taken: set[str] = set()
    latest: Counter[str] = Counter()
    names = []
    for path, parent in zip(paths, parents, strict=True):
        first = os.fsdecode(os.fsencode(path.stem)[:_LONGEST_STEM])
        stem, alike = first, first.casefold()
        while stem.casefold() in taken:
            latest[alike] = max(latest[alike], 1) + 1
            stem = f"{first}-{latest[alike]}"
        taken.add(stem.casefold())
        below = PurePath(os.path.relpath(parent, root or parent), path.name).as_posix()
        names.append(Names(below if path.name in repeated else path.name, stem))
    return names


def _one_drive(parents: Iterable[str]) -> bool:
    return len({PurePath(parent).anchor for parent in parents}) == 1
