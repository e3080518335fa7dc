"""Photographs that a person names on the command line."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from steel_defect_detection.cli.command import say
from steel_defect_detection.errors import NoImagesError
from steel_defect_detection.wording import amount


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
    paths = images.find(sources, skip=skip)
    looked = images.look(paths)
    if looked.masks:
        say(
            f"{images.FEW_VALUES} grey values or fewer, as masks have and no photograph: "
            f"{len(looked.masks)} of {amount(looked.looked_at, 'image')} looked at, such as "
            f"{looked.masks[0]}. Name the photographs alone"
        )
    if looked.dark:
        say(
            f"12 bits or fewer in a file of 16, which are read as almost black: "
            f"{len(looked.dark)} of {amount(looked.looked_at, 'image')} looked at, such as "
            f"{looked.dark[0]}. Let the camera or its software fill the 16 bits, or save 8"
        )
    return paths
