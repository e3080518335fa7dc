"""Image files of a data set: found in folders, paired with their masks by their stems."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from steel_defect_detection import images
from steel_defect_detection.errors import DatasetNotFoundError


def below(folder: Path, *, deep: bool = True) -> list[Path]:
    """Find the images of a folder, sorted by path; hidden ones do not count.

    Args:
        folder: Where to look; a folder that is not there has none.
        deep: Also look in the folders below.
    """
    found = folder.rglob("*") if deep else folder.glob("*")
    return sorted(path for path in found if _is_image(path, folder))


def any_below(folder: Path, *, deep: bool = True) -> bool:
    """Tell whether there is any image, without listing them all."""
    found = folder.rglob("*") if deep else folder.glob("*")
    return any(_is_image(path, folder) for path in found)


def stem(path: Path, folder: Path) -> str:
    """Path below a folder without its ending, with ``/`` between the parts."""
    return path.relative_to(folder).with_suffix("").as_posix()


def by_stem(
    paths: Iterable[Path], folder: Path, problems: list[str], suffix: str = ""
) -> dict[str, Path]:
    """Order images by their stem; two of one stem are a problem.

    Args:
        paths: The images.
        folder: Folder that their stems are counted from.
        problems: Gets a line for each stem that repeats.
        suffix: End of the stems that is left out, where a stem has it.
    """
    found: dict[str, Path] = {}
    for path in paths:
        name = stem(path, folder).removesuffix(suffix)
        if name in found:
            problems.append(f"{found[name]} and {path} have the same stem")
        found.setdefault(name, path)
    return found


def unpaired(
    found: Mapping[str, Path], masks: Mapping[str, Path], advice: str = ""
) -> Iterator[str]:
    """Say which images have no mask, and then which masks no image.

    Args:
        found: The images by stem.
        masks: The masks by stem.
        advice: What is said after each image without a mask.

    Yields:
        A line for each, sorted by stem.
    """
    for name in sorted(found.keys() - masks.keys()):
        yield f"{found[name]} has no mask{advice}"
    for name in sorted(masks.keys() - found.keys()):
        yield f"{masks[name]} has no image ({' '.join(images.EXTENSIONS)})"


def required(folder: Path, what: str) -> list[Path]:
    """Find the images of a folder that must have some.

    Args:
        folder: Where to look, also in the folders below.
        what: Name of the data set, for the message.

    Raises:
        DatasetNotFoundError: If there are none.
    """
    found = below(folder)
    if not found:
        msg = f"no {what} data: there are no images in {str(folder)!r}"
        raise DatasetNotFoundError(msg)
    return found


def _is_image(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in images.EXTENSIONS and path.is_file()
