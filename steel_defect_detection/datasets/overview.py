"""What an inspection leaves: a table for people, JSON for programs, plots.

::

    FOLDER/
    ├── inspection.json     all counts and all names
    ├── distribution.png    images by number of defect types, and per class
    ├── positions.png       where the defects of each class lie; only with masks
    └── examples.png        an outlined image of each class; only with images
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import drawing, figures, files, masks
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.datasets.inspection import Inspection
from steel_defect_detection.sample import Sample

# More rows than this hide what matters; all of them stand in the JSON.
_MOST_ROWS = 10
_MOST_CLASSES = 1000
_LONGEST_NAME = 60


def text(inspection: Inspection) -> str:
    """Write an inspection as a table for people."""
    blocks = (
        _summary(inspection),
        _types(inspection),
        _classes(inspection),
        _together(inspection),
        _sizes(inspection),
        _duplicates(inspection),
        _remarks(inspection),
    )
    return "\n\n".join("\n".join(block) for block in map(list, blocks) if block)


def as_json(inspection: Inspection) -> dict[str, Any]:
    """Write an inspection as plain values, ready for ``json.dumps``."""
    names = inspection.classes
    per_class = zip(names, inspection.class_images, inspection.pixels, strict=True)
    return {
        "images": inspection.images,
        "clean": inspection.clean,
        "defective": inspection.defective,
        "unlabelled": inspection.unlabelled,
        "images_with_problems": len(inspection.problems),
        "images_with_masks": inspection.masked,
        "good_class": inspection.good_class,
        "defect_types": {str(kinds): count for kinds, count in enumerate(inspection.types)},
        "classes": [
            {"name": name, "images": images, "pixels": pixels} for name, images, pixels in per_class
        ],
        "together": [list(row) for row in inspection.together],
        "annotated_pixels": inspection.annotated_pixels,
        "background_pixels": inspection.background_pixels,
        "shared_pixels": inspection.shared_pixels,
        "images_with_shared_pixels": list(inspection.shared),
        "empty_masks": [{"image": image, "class": name} for image, name in inspection.empty],
        "sizes": [
            {"height": height, "width": width, "images": count}
            for (height, width), count in inspection.sizes.items()
        ],
        "duplicates": [list(group) for group in inspection.duplicates],
        "problems": [{"image": image, "problem": text} for image, text in inspection.problems],
    }


def write(inspection: Inspection, dataset: Dataset, output: Path | str) -> list[Path]:
    """Write ``inspection.json`` and the plots; files of an earlier run are replaced.

    Args:
        inspection: What was found.
        dataset: The data set that it was found in, for the examples.
        output: Folder to write into.

    Returns:
        The files written.

    Raises:
        ResultsError: If the folder cannot be written.
        SteelDefectError: If an example can no longer be read.
    """
    output = Path(output)
    table = output / "inspection.json"
    files.write_text(table, json.dumps(as_json(inspection), indent=2) + "\n")
    plots = {"distribution.png": figures.bars(_bars(inspection))}
    maps = _maps(inspection)
    if maps:
        plots["positions.png"] = figures.heat_maps(maps, aspect=_aspect(inspection))
    examples = _examples(inspection, dataset)
    if examples:
        plots["examples.png"] = figures.sheet(examples)
    for name, figure in plots.items():
        figures.write(output / name, figure)
    return [table, *(output / name for name in plots)]


def _summary(inspection: Inspection) -> Iterator[str]:
    yield (
        f"images: {inspection.images:,} ({inspection.defective:,} defective, "
        f"{inspection.clean:,} clean), classes: {len(inspection.classes)}"
    )
    if inspection.unlabelled:
        yield f"images with neither labels nor masks: {inspection.unlabelled:,}"
    if inspection.problems:
        yield f"images with problems, not counted below: {len(inspection.problems):,}"


def _types(inspection: Inspection) -> list[str]:
    rows = [(str(kinds), f"{count:,}") for kinds, count in enumerate(inspection.types)]
    return _table(("defect types on an image", "images"), rows) if rows else []


def _classes(inspection: Inspection) -> list[str]:
    names = [plain(name) for name in inspection.classes]
    counts = [f"{count:,}" for count in inspection.class_images]
    if not inspection.masked:
        return _table(("class", "images"), list(zip(names, counts, strict=True)))
    pixels = (*inspection.pixels, inspection.background_pixels)
    area = max(1, inspection.annotated_pixels)
    rows = [
        (name, images, f"{count:,}", f"{count / area:.3%}")
        for name, images, count in zip([*names, "(background)"], [*counts, ""], pixels, strict=True)
    ]
    table = _table(("class", "images", "pixels", "share"), rows)
    return [*table, f"pixels of the {inspection.masked:,} images with masks"]


def _together(inspection: Inspection) -> list[str]:
    names = [plain(name) for name in inspection.classes]
    pairs = [
        (f"{names[j]} + {names[i]}", inspection.together[i][j])
        for i in range(len(names))
        for j in range(i)
        if inspection.together[i][j]
    ]
    rows = [(name, f"{count:,}") for name, count in sorted(pairs, key=lambda pair: -pair[1])]
    return _table(("classes on the same image", "images"), rows, most=_MOST_ROWS) if rows else []


def _sizes(inspection: Inspection) -> list[str]:
    rows = [
        (f"{width} x {height}", f"{count:,}") for (height, width), count in inspection.sizes.items()
    ]
    return _table(("width x height", "images"), rows, most=_MOST_ROWS) if rows else []


def _duplicates(inspection: Inspection) -> list[str]:
    rows = [(f"{len(group)}", _some(group)) for group in inspection.duplicates]
    return _table(("equal pixel by pixel", ""), rows, most=_MOST_ROWS) if rows else []


def _remarks(inspection: Inspection) -> Iterator[str]:
    if inspection.empty:
        rows = [f"{image} ({name})" for image, name in inspection.empty]
        yield f"empty masks of images that claim a class: {len(rows):,}: {_some(rows)}"
    if inspection.shared:
        yield (
            f"pixels of more than one class: {inspection.shared_pixels:,}, "
            f"images: {len(inspection.shared):,}: {_some(inspection.shared)}"
        )


def _some(names: Sequence[str]) -> str:
    left = len(names) - _MOST_ROWS
    return ", ".join(map(plain, names[:_MOST_ROWS])) + (f" and {left:,} more" if left > 0 else "")


def plain(text: str) -> str:
    """Make a name safe to print: not long, no line breaks and nothing that steers a terminal."""
    short = text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
    return "".join(sign if sign.isprintable() else "?" for sign in short)


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, most: int = _MOST_CLASSES
) -> list[str]:
    """Lay out columns, the first to the left and numbers to the right."""
    shown = [header, *rows[:most]]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in shown
    ]
    left = len(rows) - most
    return [*lines, f"... and {left:,} more"] if left > 0 else lines


def _bars(inspection: Inspection) -> list[figures.Bars]:
    kinds = {str(number): count for number, count in enumerate(inspection.types)}
    classes = dict(zip(inspection.classes, inspection.class_images, strict=True))
    verdicts = {"clean": inspection.clean, "defective": inspection.defective}
    return [
        figures.Bars("images by verdict", verdicts),
        figures.Bars("images by number of defect types", kinds),
        figures.Bars("images per class", classes),
    ]


def _maps(inspection: Inspection) -> dict[str, NDArray[np.float64]]:
    """Maps of the classes that have any pixel."""
    named = zip(inspection.classes, inspection.positions, inspection.pixels, strict=True)
    return {
        f"{name}: 0 to {places.max():.2%} of images": places
        for name, places, pixels in named
        if pixels
    }


def _aspect(inspection: Inspection) -> float:
    height, width = next(iter(inspection.sizes), (1, 1))
    return height / width


def _examples(inspection: Inspection, dataset: Dataset) -> dict[str, NDArray[np.uint8]]:
    """Draw the example of each class that has one."""
    numbers = zip(inspection.classes, inspection.examples, strict=True)
    return {name: _outlined(dataset[i]) for name, i in numbers if i is not None}


def _outlined(sample: Sample) -> NDArray[np.uint8]:
    if sample.masks is None:
        label_map = np.zeros(sample.shape, dtype=np.uint8)
    else:
        # Where classes overlap, the first is drawn.
        label_map = masks.to_label_map(sample.masks, sample.masks.astype(np.float32))
    return drawing.overlay(sample.image, label_map, sample.classes)
