"""The outputs folder: what predictions leave on disk.

::

    outputs/
    ├── masks/<stem>.png       label map of the input's size, 0 = no defect, k = class k
    ├── overlays/<stem>.png    the image with outlined, labelled defects; without
    │                          outlines the class and its probability below it
    ├── probabilities/<stem>.npz   on request: ``probabilities``, (classes, height, width)
    ├── predictions.csv        ImageId,ClassId,EncodedPixels: one row per image and class found
    ├── images.csv             one row per input, in input order
    └── run.json               versions, model, thresholds, times, counts

Nothing is ever deleted. Files of an earlier run are replaced one by one, each
completely or not at all. Inputs that share a stem get a suffix: ``roll.png``,
``roll-2.png``.
"""

from steel_defect_detection.results.naming import Names, name_all
from steel_defect_detection.results.reading import (
    masks_by_image,
    path_of,
    read_images,
    read_predictions,
)
from steel_defect_detection.results.writer import ResultsWriter

__all__ = [
    "Names",
    "ResultsWriter",
    "masks_by_image",
    "name_all",
    "path_of",
    "read_images",
    "read_predictions",
]
