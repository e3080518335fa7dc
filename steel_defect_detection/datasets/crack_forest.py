"""CrackForest: 118 photographs of road surface, 480 x 320, one class with masks.

A folder holds ``image/*.jpg`` and ``groundTruth/*.mat`` of the same stem. In a
``.mat`` file ``groundTruth.Segmentation`` is a label map of 1 (road), 2 (crack)
and, in a few files, 3 and 4: road that cracks enclose. Only 2 is crack.

Source: Shi et al., "Automatic road crack detection using random structured
forests", IEEE Transactions on Intelligent Transportation Systems 2016,
https://github.com/cuilimeng/CrackForest-dataset
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets import image_files
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.problems import refuse
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

CLASSES = ("crack",)
CRACK = 2


@dataclass(frozen=True)
class MatFile:
    """Masks of one image, in a file of MATLAB."""

    path: Path

    def read(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Read the mask, bool, shape ``(1, height, width)``.

        Args:
            shape: Height and width of the image, in pixels.

        Raises:
            AnnotationError: If the file is malformed or of another size.
        """
        # Imported late: it takes time and is needed for this alone.
        from scipy.io import loadmat

        try:
            values = loadmat(str(self.path))["groundTruth"]["Segmentation"][0, 0]
        except Exception as error:
            # scipy raises almost anything on a damaged file.
            msg = f"{self.path} holds no groundTruth.Segmentation: {error}"
            raise AnnotationError(msg) from error
        if values.shape != shape:
            msg = f"{self.path} has the shape {values.shape}, its image {shape}"
            raise AnnotationError(msg)
        return np.asarray(values == CRACK)[None]


def read(folder: Path | str) -> Dataset:
    """Read a folder of CrackForest.

    Args:
        folder: Folder with ``image/`` and ``groundTruth/``.

    Returns:
        All images, sorted by name, without image-level labels (they are read
        from the masks).

    Raises:
        DatasetNotFoundError: If there are no such images.
        AnnotationError: If images lack a mask or masks an image, or two images
            have one stem; up to ten problems at once.
    """
    folder = Path(folder)
    if not is_layout(folder):
        msg = f"no CrackForest data in {str(folder)!r}: image/ or groundTruth/*.mat is missing"
        raise DatasetNotFoundError(msg)
    problems: list[str] = []
    paths = image_files.required(folder / "image", "CrackForest")
    found = image_files.by_stem(paths, folder / "image", problems)
    truth = {path.stem: path for path in sorted((folder / "groundTruth").glob("*.mat"))}
    problems += image_files.unpaired(found, truth)
    refuse(problems)
    entries = (
        Entry(name=path.name, path=path, masks=MatFile(truth[name])) for name, path in found.items()
    )
    return Dataset(classes=CLASSES, entries=tuple(entries))


def is_layout(folder: Path) -> bool:
    """Tell whether a folder looks like CrackForest."""
    return (folder / "image").is_dir() and any((folder / "groundTruth").glob("*.mat"))
