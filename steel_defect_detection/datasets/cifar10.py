"""CIFAR-10 as its authors publish it for Python: 60,000 images of 32 x 32.

A folder holds ``data_batch_1`` to ``data_batch_5``, ``test_batch`` and
``batches.meta``, all pickles. A pickle can run any code when it is read, so
they are read by a reader that knows arrays, text and numbers only and refuses
everything else. As pictures in folders CIFAR-10 is read by ``class_folders``.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
2009, https://www.cs.toronto.edu/~kriz/cifar.html
"""

import io
import pickle
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets.class_names import one_hot
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

_TRAINING = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST = "test_batch"
_SHAPE = (3, 32, 32)
# All that an array in a pickle may ask for; older releases of NumPy say `numpy.core`.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}


@dataclass(frozen=True)
class BatchRow:
    """One image of a batch."""

    path: Path
    index: int

    def read(self) -> NDArray[np.uint8]:
        """Read the image, uint8, shape ``(32, 32, 3)``."""
        pixels = _images(self.path)[self.index]
        return np.ascontiguousarray(pixels.reshape(_SHAPE).transpose(1, 2, 0))


def read(folder: Path | str) -> Dataset:
    """Read a folder of CIFAR-10.

    Args:
        folder: Folder with ``data_batch_1`` and its siblings, also
            ``cifar-10-batches-py`` itself.

    Returns:
        All images, ``data_batch_1/0`` first, with their published part; each
        has exactly one label.

    Raises:
        DatasetNotFoundError: If there are no batches.
        AnnotationError: If one is malformed or holds anything but data.
    """
    folder = Path(folder)
    paths = [folder / name for name in (*_TRAINING, _TEST) if (folder / name).is_file()]
    if not paths:
        msg = f"no CIFAR-10 data in {str(folder)!r}: data_batch_1 is missing"
        raise DatasetNotFoundError(msg)
    return Dataset(
        classes=CLASSES, entries=tuple(entry for path in paths for entry in _entries(path))
    )


def is_layout(folder: Path) -> bool:
    """Tell whether a folder holds batches of CIFAR-10."""
    return (folder / _TRAINING[0]).is_file() or (folder / _TEST).is_file()


def _entries(path: Path) -> list[Entry]:
    images, labels = _load(path)
    if len(images) != len(labels):
        msg = f"{path} holds {len(images)} images and {len(labels)} labels"
        raise AnnotationError(msg)
    return [
        Entry(
            name=f"{path.name}/{number}",
            path=path,
            pixels=BatchRow(path, number),
            shape=_SHAPE[1:],
            labels=one_hot(label, range(len(CLASSES))),
            part="test" if path.name == _TEST else "train",
        )
        for number, label in enumerate(labels)
    ]


# All six batches fit: 184 MB.
@lru_cache(maxsize=6)
def _images(path: Path) -> NDArray[np.uint8]:
    return _load(path)[0]


def _load(path: Path) -> tuple[NDArray[np.uint8], list[int]]:
    try:
        batch = _DataOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        images, labels = np.asarray(batch[b"data"]), [int(label) for label in batch[b"labels"]]
    except Exception as error:
        # Reading a damaged pickle raises almost anything.
        msg = f"{path} is no batch of CIFAR-10: {error}"
        raise AnnotationError(msg) from error
    if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != np.prod(_SHAPE):
        msg = f"{path}: expected uint8 of shape (images, 3072), got {images.dtype} {images.shape}"
        raise AnnotationError(msg)
    if not all(0 <= label < len(CLASSES) for label in labels):
        msg = f"{path} has labels outside 0 to {len(CLASSES) - 1}"
        raise AnnotationError(msg)
    return images, labels


class _DataOnly(pickle.Unpickler):
    """Reads pickles of plain data and arrays."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Refuse whatever is not needed for an array."""
        if (module_name, global_name) not in _ALLOWED:
            msg = f"it asks for {module_name}.{global_name}, which plain data does not"
            raise pickle.UnpicklingError(msg)
        return super().find_class(module_name, global_name)
