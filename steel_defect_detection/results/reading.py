"""Read a results folder back."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.results.tables import (
    AFTER_CLASSES,
    BEFORE_CLASSES,
    PREDICTION_COLUMNS,
)

if TYPE_CHECKING:
    import pandas as pd

_ESCAPED = re.compile(r"\\u(dc[89a-f][0-9a-f])")


def read_images(output: Path | str) -> "pd.DataFrame":
    """Read ``images.csv`` back, one row per input.

    Args:
        output: A results folder.

    Raises:
        ResultsError: If the folder holds no such table.
    """
    columns = (*BEFORE_CLASSES, *AFTER_CLASSES)
    return _read_table(Path(output) / "images.csv", columns)


def read_predictions(output: Path | str) -> "pd.DataFrame":
    """Read ``predictions.csv`` back, one row per image and class found.

    Args:
        output: A results folder.

    Raises:
        ResultsError: If the folder holds no such table.
    """
    return _read_table(Path(output) / "predictions.csv", PREDICTION_COLUMNS)


def path_of(output: Path | str, name: str) -> Path:
    r"""Find a file that a table names.

    Args:
        output: The results folder.
        name: Its path below that, as the table has it: bytes that are no text are
            written as \udc80 to \udcff there.
    """
    path = Path(output) / name
    if "\\udc" not in name or path.exists():
        return path
    return Path(output) / _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name)


def masks_by_image(output: Path | str) -> dict[str, Path]:
    """Find the masks of a results folder.

    Args:
        output: Folder with ``masks/``, and ``images.csv`` where this package
            wrote it.

    Returns:
        Mask by name of the image: as ``images.csv`` gives it, by the last part
        of that, and by the mask's own name without ending. A name that stands
        for several images is left out.

    Raises:
        ResultsError: If there are no masks.
    """
    output = Path(output)
    found = [(path.stem, path) for path in sorted((output / "masks").glob("*.png"))]
    if not found:
        msg = f"no results in {str(output)!r}: masks/ holds no PNG files"
        raise ResultsError(msg)
    if (output / "images.csv").is_file():
        table = read_images(output).dropna(subset=["mask"])
        for name, mask in zip(table["file"], table["mask"], strict=True):
            found += [(one, path_of(output, mask)) for one in (name, Path(name).name)]
    targets: dict[str, set[Path]] = {}
    for name, path in found:
        targets.setdefault(name, set()).add(path)
    return {name: paths.pop() for name, paths in targets.items() if len(paths) == 1}


def _read_table(path: Path, columns: Iterable[str]) -> "pd.DataFrame":
    # Writing results needs no pandas, and importing it takes half a second.
    import pandas as pd

    try:
        # An image may be called "NA" or "001".
        texts = dict.fromkeys(("file", "mask", "class", "error", "ImageId"), str)
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        msg = f"no results in {str(path.parent)!r}: {path.name} cannot be read ({error})"
        raise ResultsError(msg) from error
    missing = [name for name in columns if name not in table]
    if missing:
        msg = f"{path} is no table of results: the column {missing[0]!r} is missing"
        msg += ". Its cells are parted by semicolons, not commas" if ";" in table.columns[0] else ""
        raise ResultsError(msg)
    return table
