"""Find, read and write images safely.

An image is ``(height, width, 3)`` uint8 in the order red, green, blue, however
its file holds it: grey becomes three equal channels, transparency is dropped,
and the orientation that a camera noted is applied. For a network that sees
brightness only, it is read as one channel, which is quicker. Sixteen bits become eight by
one constant factor, full scale to full scale. Stretching each image to its own
brightest pixel would look better, and make the images of one coil
incomparable.

Files come from anywhere. Their size is read from the header before anything is
decoded, and a file that is damaged or cut short is refused, never half read.
"""

from steel_defect_detection.images.checking import check
from steel_defect_detection.images.decoding import (
    MAX_PIXELS,
    MIN_SIDE,
    decode,
    read,
    read_values,
    size,
    size_of,
    to_grey,
)
from steel_defect_detection.images.finding import EXTENSIONS, RESULT_FOLDERS, find, samples
from steel_defect_detection.images.looking import FEW_VALUES, Looked, look, sizes
from steel_defect_detection.images.writing import encode, write

__all__ = [
    "EXTENSIONS",
    "FEW_VALUES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "RESULT_FOLDERS",
    "Looked",
    "check",
    "decode",
    "encode",
    "find",
    "look",
    "read",
    "read_values",
    "samples",
    "size",
    "size_of",
    "sizes",
    "to_grey",
    "write",
]
