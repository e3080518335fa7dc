"""Read images: the size from the header, then the pixels, in eight bits and upright."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin

from steel_defect_detection.errors import ImageError
from steel_defect_detection.images.quiet import SILENT_OPENCV, no_warnings

# 300 MB once decoded: beyond any line-scan camera's frame, within any machine's memory.
MAX_PIXELS = 100_000_000

# The least that still has a middle and a border; anything smaller is a placeholder.
MIN_SIDE = 3

_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"II*\0", b"MM\0*")

_Number = np.integer[Any] | np.floating[Any]


def read(
    path: str | Path, *, grey: bool = False, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Read an image file.

    Args:
        path: JPEG, PNG, BMP, TIFF or WebP file; of several pages the first.
        grey: Whether to read brightness only, which is faster for JPEGs.
        max_pixels: Most pixels to decode.

    Returns:
        Red, green, blue, uint8, shape ``(height, width, 3)``; if ``grey``,
        shape ``(height, width, 1)``.

    Raises:
        ImageError: If the file cannot be read, is no such image, is damaged,
            too large or too small.
    """
    with _readable(path) as file:
        data = file.read()
    return decode(data, str(path), grey=grey, max_pixels=max_pixels)


def read_values(path: str | Path) -> NDArray[np.uint8]:
    """Read a picture whose grey values are numbers, such as a mask.

    As ``read``, but 16 bits that hold no value above 255 are those numbers: a label map that was
    saved in 16 bits would else be black. Of a PNG with a palette of colours, as VOC and many
    drawing programs save label maps, the numbers in the palette are the values.

    Args:
        path: JPEG, PNG, BMP, TIFF or WebP file.

    Returns:
        Red, green, blue, uint8, shape ``(height, width, 3)``.

    Raises:
        ImageError: If the file cannot be read, is no such image, is damaged,
            too large or too small.
    """
    with _readable(path) as file:
        data = file.read()
    numbers = _palette_numbers(data, str(path))
    if numbers is not None:
        return numbers
    pixels = _decode(data, str(path), grey=False, max_pixels=MAX_PIXELS)
    if pixels.dtype == np.uint16 and pixels.max() <= np.iinfo(np.uint8).max:
        return pixels.astype(np.uint8)
    return _to_eight_bits(pixels, str(path))


def read_unscaled(path: str | Path) -> NDArray[_Number]:
    """Read an image in as many bits as its file has.

    Args:
        path: JPEG, PNG, BMP, TIFF or WebP file.

    Returns:
        Red, green, blue, of the type that the file has, mostly uint8 or uint16,
        shape ``(height, width, 3)``.

    Raises:
        ImageError: If the file cannot be read, is no such image, is damaged,
            too large or too small.
    """
    with _readable(path) as file:
        return _decode(file.read(), str(path), grey=False, max_pixels=MAX_PIXELS)


def decode(
    data: bytes, name: str, *, grey: bool = False, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Read an image from the bytes of its file.

    Args:
        data: Content of a JPEG, PNG, BMP, TIFF or WebP file.
        name: What the image is called in messages.
        grey: Whether to read brightness only.
        max_pixels: Most pixels to decode.

    Returns:
        Red, green, blue, uint8, shape ``(height, width, 3)``; if ``grey``,
        shape ``(height, width, 1)``.

    Raises:
        ImageError: If the bytes are no such image, are damaged, too large or
            too small.
    """
    image = _to_eight_bits(_decode(data, name, grey=grey, max_pixels=max_pixels), name)
    return to_grey(image) if grey else image


def _decode(data: bytes, name: str, *, grey: bool, max_pixels: int) -> NDArray[_Number]:
    """Read an image in as many bits as its file has."""
    with _open(BytesIO(data), name, max_pixels) as picture:
        _check_header(picture, name, max_pixels)
        try:
            pixels = _pixels(picture, data, grey=grey)
        except (cv2.error, OSError, SyntaxError, ValueError):
            pixels = None
    if pixels is None and picture.mode == "I":
        msg = f"{name} holds 32-bit integers, expected 8 or 16 bits per channel"
        raise ImageError(msg)
    if pixels is None:
        msg = f"{name} cannot be decoded: the file is damaged, cut short or of an unusual kind"
        raise ImageError(msg)
    return pixels


def to_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Keep the brightness of an image: 0.299 red + 0.587 green + 0.114 blue.

    Args:
        image: uint8, shape ``(height, width)`` or ``(height, width, 1 or 3)``.

    Returns:
        uint8, shape ``(height, width, 1)``.
    """
    if image.ndim == 3 and image.shape[2] == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    return image.reshape(*image.shape[:2], 1)


def size(path: str | Path) -> tuple[int, int]:
    """Read the size of an image from its header, without decoding it.

    Args:
        path: JPEG, PNG, BMP, TIFF or WebP file.

    Returns:
        Height and width in pixels, as ``read`` would return them.

    Raises:
        ImageError: If the file cannot be read or is no such image.
    """
    with _readable(path) as file, _open(file, str(path)) as picture:
        return _upright_shape(picture)


def size_of(data: bytes, name: str) -> tuple[int, int]:
    """Read the size of an image from the bytes of its file, without decoding them.

    Args:
        data: Content of a JPEG, PNG, BMP, TIFF or WebP file.
        name: What the image is called in messages.

    Returns:
        Height and width in pixels, as ``decode`` would return them.

    Raises:
        ImageError: If the bytes are no such image.
    """
    with _open(BytesIO(data), name) as picture:
        return _upright_shape(picture)


@contextmanager
def _readable(path: str | Path) -> Iterator[BinaryIO]:
    _check_path(path)
    try:
        with Path(path).open("rb") as file:
            yield file
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise ImageError(msg) from error


def _check_path(path: object) -> None:
    if not isinstance(path, str | os.PathLike):
        msg = f"expected the path of an image, got {type(path).__name__}"
        raise ImageError(msg)
    if "\0" in str(path):
        msg = f"{str(path)!r} is no file's name: it has a null character"
        raise ImageError(msg)
    # Opening a pipe would wait for somebody to write into it.
    if Path(path).is_fifo() or Path(path).is_socket():
        msg = f"{path} cannot be read: it is no regular file"
        raise ImageError(msg)


def _open(file: BinaryIO, name: str, max_pixels: int = MAX_PIXELS) -> Image.Image:
    try:
        with no_warnings():
            return Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        # Pillow keeps the size to itself here; its own line lies above our number.
        msg = f"{name} is too large: it has more than the most of {max_pixels:,} pixels"
        raise ImageError(msg) from error
    # A damaged header leads Pillow's readers to OSError, SyntaxError, ValueError and others.
    except Exception as error:
        msg = f"{name} is not an image: it {_rather(file)}"
        raise ImageError(msg) from error


def _rather(file: BinaryIO) -> str:
    """What there is in place of an image."""
    file.seek(0)
    beginning = file.read(12)
    if not beginning:
        return "is empty"
    if beginning.startswith(_SIGNATURES) or beginning[:4] + beginning[8:] == b"RIFFWEBP":
        return "begins like one, and then its header is damaged or cut short"
    return "has no JPEG, PNG, BMP, TIFF or WebP header"


def _check_header(picture: Image.Image, name: str, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        msg = f"{name} is {width} x {height} pixels, more than the most of {max_pixels:,}"
        raise ImageError(msg)
    if min(width, height) < MIN_SIDE:
        least = f"{MIN_SIDE} x {MIN_SIDE}"
        msg = f"{name} is {width} x {height} pixels, smaller than the least of {least}"
        raise ImageError(msg)
    if picture.mode == "F":
        msg = f"{name} holds float values, expected 8 or 16 bits per channel"
        raise ImageError(msg)


def _palette_numbers(data: bytes, name: str) -> NDArray[np.uint8] | None:
    """Numbers of the colours of a PNG, shape ``(height, width, 3)``; None if it has no colours."""
    with _open(BytesIO(data), name) as picture:
        if picture.format != "PNG" or picture.mode != "P" or b"IEND" not in data:
            return None
        _check_header(picture, name, MAX_PIXELS)
        colours = np.reshape(picture.getpalette("RGB") or [], (-1, 3))
        if not np.ptp(colours, axis=1).any():
            return None
        try:
            numbers = np.array(picture)
        except (OSError, SyntaxError, ValueError):
            # The other reader says what is wrong.
            return None
    return np.repeat(numbers[..., None], 3, axis=2)


def _upright_shape(picture: Image.Image) -> tuple[int, int]:
    width, height = picture.size
    try:
        with no_warnings():
            if isinstance(picture, TiffImagePlugin.TiffImageFile):
                # From the tags: whether `size` is turned already depends on Pillow's version.
                tags = picture.tag_v2
                width, height = tags[ExifTags.Base.ImageWidth], tags[ExifTags.Base.ImageLength]
                orientation = tags.get(ExifTags.Base.Orientation)
            else:
                # Not `getexif`: it decodes all of a PNG, and believes XMP where OpenCV does not.
                exif = Image.Exif()
                exif.load(picture.info.get("exif", b""))
                orientation = exif.get(ExifTags.Base.Orientation)
    # A camera's notes can be damaged in as many ways as a header, and the image be whole.
    except Exception:
        orientation = None
    # Orientations 5 to 8 lie on their side.
    return (width, height) if orientation in {5, 6, 7, 8} else (height, width)


def _pixels(picture: Image.Image, data: bytes, *, grey: bool) -> NDArray[_Number] | None:
    if picture.format == "PNG" and b"IEND" not in data:
        # libpng would say so itself, past us, on standard error.
        return None
    if picture.format == "TIFF" and picture.mode == "RGBA":
        # OpenCV multiplies the colours of a TIFF by its alpha: invisible would become black.
        with no_warnings():
            return np.array(picture.convert("RGB"))
    # A JPEG holds brightness by itself; the other formats' readers make it in ways of their own.
    colours = cv2.IMREAD_GRAYSCALE if grey and picture.format == "JPEG" else cv2.IMREAD_COLOR
    with SILENT_OPENCV:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_ANYDEPTH | colours)
    # Not IMREAD_COLOR_RGB: OpenCV 5 leaves the memory of a TIFF of 16 bits as it found it.
    if pixels is None or pixels.ndim < 3 or pixels.dtype not in (np.uint8, np.uint16):
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _to_eight_bits(pixels: NDArray[_Number], name: str) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint16:
        # 65535 / 257 is 255; the division never ends on a half, so this rounds exactly.
        return cv2.convertScaleAbs(pixels, alpha=1 / 257).astype(np.uint8, copy=False)
    if pixels.dtype != np.uint8:
        msg = f"{name} holds {pixels.dtype} values, expected 8 or 16 bits per channel"
        raise ImageError(msg)
    return pixels.astype(np.uint8, copy=False)
