"""KolektorSDD and KolektorSDD2: surfaces of machined parts, defects with masks.

Two forms are read::

    kos01/Part0.jpg  kos01/Part0_label.bmp                  KolektorSDD, 399 images
    train/10000.png  train/10000_GT.png, and test/          KolektorSDD2, 3,335 images

A mask is bright where the surface is defective. In KolektorSDD one folder holds
the sides of one part, which are one group.

Sources: Tabernik et al., "Segmentation-based deep-learning approach for
surface-defect detection", Journal of Intelligent Manufacturing 2020, and Božič
et al., "Mixed supervision for surface-defect detection", Computers in Industry
2021; https://www.vicos.si/resources/kolektorsdd/
"""

from pathlib import Path

from steel_defect_detection.datasets import image_files
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.label_maps import ThresholdedFile
from steel_defect_detection.datasets.problems import refuse
from steel_defect_detection.errors import DatasetNotFoundError

CLASSES = ("defect",)

_PARTS = ("train", "test")
# Pattern of the masks, and what their stems have more than those of the images.
_FIRST = ("kos*/*_label.bmp", "_label")
_SECOND = tuple((f"{part}/*_GT.png", "_GT") for part in _PARTS)


def read(folder: Path | str) -> Dataset:
    """Read a folder of one of the two sets.

    Args:
        folder: Folder with ``kos01/`` and its siblings, or with ``train/`` and
            ``test/``.

    Returns:
        All images, sorted by name, without image-level labels (they are read
        from the masks).

    Raises:
        DatasetNotFoundError: If there are no such images.
        AnnotationError: If images lack a mask or masks an image; up to ten
            problems at once.
    """
    folder = Path(folder)
    masks = {
        image_files.stem(path, folder).removesuffix(ending): path
        for pattern, ending in (_FIRST, *_SECOND)
        for path in sorted(folder.glob(pattern))
    }
    if not masks:
        msg = (
            f"no Kolektor data in {str(folder)!r}: there is neither kos01/Part0_label.bmp nor "
            "train/10000_GT.png nor any of their siblings"
        )
        raise DatasetNotFoundError(msg)
    homes = sorted({path.parent for path in masks.values()})
    problems: list[str] = []
    others = [path for home in homes for path in image_files.below(home, deep=False)]
    taken = set(masks.values())
    images = image_files.by_stem((path for path in others if path not in taken), folder, problems)
    problems += image_files.unpaired(images, masks)
    refuse(problems)
    entries = (_entry(name, images[name], masks[name]) for name in sorted(images))
    return Dataset(classes=CLASSES, entries=tuple(entries))


def is_layout(folder: Path) -> bool:
    """Tell whether a folder looks like one of the two sets."""
    return any(True for pattern, _ in (_FIRST, *_SECOND) for _ in folder.glob(pattern))


def _entry(name: str, path: Path, masks: Path) -> Entry:
    home = path.parent.name
    # Whatever a mask uses for white: 0 alone is sound surface.
    return Entry(
        name=name,
        path=path,
        masks=ThresholdedFile(path=masks, class_number=1, class_count=1, threshold=0),
        group=None if home in _PARTS else home,
        part=home if home in _PARTS else None,
    )
