"""Photographs that a person names on the command line."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from steel_defect_detection.cli.command import say
from steel_defect_detection.errors import NoImagesError
from steel_defect_detection.wording import amount


def photographs(sources: Sequence[str], *, skip: Iterable[Path]) -> list[Path]:
    """List the images of files, folders and patterns, and remark upon masks among them.

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
    masks, looked_at = images.rather_masks(paths)
    if masks:
        say(
            f"{images.FEW_VALUES} grey values or fewer, as masks have and no photograph: "
            f"{len(masks)} of {amount(looked_at, 'image')} looked at, such as {masks[0]}. Name the "
            "photographs alone"
        )
    return paths
