"""Photographs that a person names on the command line."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from steel_defect_detection.cli.command import say
from steel_defect_detection.errors import NoImagesError
from steel_defect_detection.wording import amount

_PHOTOGRAPHS = (".jpg", ".jpeg", ".bmp")


def photographs(sources: Sequence[str], *, skip: Iterable[Path]) -> list[Path]:
    """List the images of files, folders and patterns, and remark upon masks and dark ones.

    Args:
        sources: As ``images.find`` takes them.
        skip: Folders not to look into.

    Raises:
        NoImagesError: If a source does not exist, has no images, or holds what a
            run has drawn.
    """
    from steel_defect_detection import images

    for folder in map(Path, sources):
        if folder.name in images.RESULT_FOLDERS and (folder.parent / "run.json").is_file():
            msg = f"{folder} holds what an earlier run has drawn: name the photographs themselves"
            raise NoImagesError(msg)
    _refuse_models(sources)
    paths = images.find(sources, skip=skip)
    looked = images.look(paths)
    if looked.masks:
        say(
            f"{images.FEW_VALUES} grey values or fewer, as masks have and no photograph: "
            f"{len(looked.masks)} of {amount(looked.looked_at, 'image')} looked at, such as "
            f"{looked.masks[0]}. Name the photographs alone"
        )
    else:
        _remark_on_pairs(paths)
    if looked.dark:
        say(
            f"12 bits or fewer in a file of 16, which are read as almost black: "
            f"{len(looked.dark)} of {amount(looked.looked_at, 'image')} looked at, such as "
            f"{looked.dark[0]}. Let the camera or its software fill the 16 bits, or save 8"
        )
    return paths


def refuse_swapped(data: Path) -> None:
    """Refuse a model where the data set is to stand.

    Args:
        data: What was named as the data set, after the model.

    Raises:
        UsageError: If it is the name of a built-in model.
    """
    from steel_defect_detection import checkpoints

    if str(data) in checkpoints.built_in() and not data.exists():
        msg = f"{data} is a built-in model: MODEL comes first, then DATA"
        raise click.UsageError(msg)


def _refuse_models(sources: Sequence[str]) -> None:
    """Refuse the name of a built-in model among images."""
    from steel_defect_detection import checkpoints

    for source in sources:
        if source in checkpoints.built_in() and not Path(source).exists():
            msg = (
                f"{source} is a built-in model, and here images are named: did they change places?"
            )
            raise NoImagesError(msg)


def _remark_on_pairs(paths: Sequence[Path]) -> None:
    """Say where a photograph has a PNG of the same name beside it, as some sets keep masks."""
    known = set(paths)
    photographs = (path for path in paths if path.suffix.lower() in _PHOTOGRAPHS)
    pairs = [(path, path.with_suffix(".png")) for path in photographs]
    found = [(path, mask) for path, mask in pairs if mask in known]
    if found:
        path, mask = found[0]
        say(
            f"{amount(len(found), 'pair')} of images with the same name, such as {path} and "
            f"{mask.name}: if the PNGs are masks, name the photographs alone"
        )
