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

import glob
import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin

from steel_defect_detection import files
from steel_defect_detection.errors import ImageError, NoImagesError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

# 300 MB once decoded: beyond any line-scan camera's frame, within any machine's memory.
MAX_PIXELS = 100_000_000

# The least that still has a middle and a border; anything smaller is a placeholder.
MIN_SIDE = 3

_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
_WRITTEN = (".png", ".jpg", ".jpeg")

_Number = np.integer[Any] | np.floating[Any]


def find(sources: Iterable[str | Path], *, skip: Iterable[str | Path] = ()) -> list[Path]:
    """List the images of files, folders and patterns.

    A folder gives the images in it and in the folders below it, sorted. Left
    out are hidden files and folders, the folders in ``skip``, and results of an
    earlier run (``run.json`` beside ``images.csv``); a source that is itself
    such a folder gives only the images directly in it. Links to folders are
    not followed.

    Args:
        sources: Files, which are taken whatever their ending; folders; and
            patterns such as ``"coil/**/*.png"``.
        skip: Folders not to look into.

    Returns:
        Each image once, in the order of the sources.

    Raises:
        NoImagesError: If a source does not exist or has no images.
    """
    skipped = frozenset(Path(folder).resolve() for folder in skip)
    found: dict[Path, Path] = {}
    for source in sources:
        for path in _images_of(source, skipped):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def samples() -> list[Path]:
    """List the built-in sample strips: 1600 x 256 pixels each, some with defects."""
    folder = resources.files("steel_defect_detection") / "samples" / "train_images"
    return find([str(folder)])


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
    with _open(BytesIO(data), name) as picture:
        _check_header(picture, name, max_pixels)
        try:
            pixels = _pixels(picture, data, grey=grey)
        except (cv2.error, OSError, SyntaxError, ValueError):
            pixels = None
    if pixels is None:
        msg = f"{name} cannot be decoded: the file is damaged, cut short or of an unusual kind"
        raise ImageError(msg)
    image = _to_eight_bits(pixels, name)
    return to_grey(image) if grey else image


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


def write(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write an image file, completely or not at all.

    Args:
        path: File to write; ``.png`` keeps each value, ``.jpg`` and ``.jpeg``
            do not.
        image: Pixels, uint8, shape ``(height, width, 3)`` in the order red,
            green, blue; or ``(height, width)`` or ``(height, width, 1)``.

    Raises:
        ImageError: If the ending is another, or the array no such image.
        ResultsError: If the file cannot be written there.
    """
    files.write_bytes(path, encode(image, path))


def encode(image: NDArray[np.uint8], path: str | Path) -> bytes:
    """Make the bytes of an image file.

    Args:
        image: Pixels, uint8, shape ``(height, width, 3)`` in the order red,
            green, blue; or ``(height, width)`` or ``(height, width, 1)``.
        path: File they are for; its ending decides the format.

    Raises:
        ImageError: If the ending is another than those of ``write``, or the
            array no such image.
    """
    ending = Path(path).suffix.lower()
    if ending not in _WRITTEN:
        msg = f"{path}: images are written as {', '.join(_WRITTEN)}, got {ending!r}"
        raise ImageError(msg)
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 3):
        msg = (
            f"{path}: expected a uint8 image with 1 or 3 channels, "
            f"got {image.dtype} of shape {image.shape}"
        )
        raise ImageError(msg)
    return _encode(image[..., ::-1] if channels == 3 else image, ending, path)


def _images_of(source: str | Path, skip: frozenset[Path]) -> list[Path]:
    path = Path(source)
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        msg = f"{path} cannot be reached: {error.strerror}"
        raise NoImagesError(msg) from error
    if exists and not is_folder:
        return [path]
    if not exists and not glob.has_magic(str(path)):
        msg = f"no such file or folder: {str(path)!r}"
        raise NoImagesError(msg)
    found = _images_below(path, skip) if is_folder else _matches(str(path), skip)
    if not found:
        where = "in" if is_folder else "match"
        msg = f"no images {where} {str(path)!r}: looked for {' '.join(EXTENSIONS)}"
        raise NoImagesError(msg)
    return found


def _images_below(folder: Path, skip: frozenset[Path]) -> list[Path]:
    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=_refuse_folder):
        here = Path(place)
        found += [here / name for name in names if _is_image(name)]
        # Only the first folder can be closed here, because those below are never entered.
        below = [] if _is_closed(here, skip) else folders
        folders[:] = [
            name for name in below if name[0] != "." and not _is_closed(here / name, skip)
        ]
    return sorted(found, key=Path.as_posix)


def _refuse_folder(error: OSError) -> NoReturn:
    msg = f"{error.filename} cannot be listed: {error.strerror}"
    raise NoImagesError(msg) from error


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(EXTENSIONS)


def _is_closed(folder: Path, skip: frozenset[Path]) -> bool:
    is_result = (folder / "run.json").is_file() and (folder / "images.csv").is_file()
    return is_result or folder.resolve() in skip


def _matches(pattern: str, skip: frozenset[Path]) -> list[Path]:
    fixed = Path(pattern)
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    found: list[Path] = []
    # Path.glob would take hidden files too, and refuse patterns that start at the root.
    for match in sorted(map(Path, glob.glob(pattern, recursive=True)), key=Path.as_posix):  # noqa: PTH207
        below_fixed = [match, *match.parents][: len(match.parts) - len(fixed.parts)]
        if any(_is_closed(folder, skip) for folder in below_fixed):
            continue
        if match.is_dir():
            found += _images_below(match, skip)
        elif _is_image(match.name):
            found.append(match)
    return found


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


def _open(file: BinaryIO, name: str) -> Image.Image:
    try:
        with _no_warnings():
            return Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        # Pillow keeps the size to itself here; its own line lies above our number.
        msg = f"{name} is too large: it has more than the most of {MAX_PIXELS:,} pixels"
        raise ImageError(msg) from error
    # A damaged header leads Pillow's readers to OSError, SyntaxError, ValueError and others.
    except Exception as error:
        msg = f"{name} is not an image: it has no JPEG, PNG, BMP, TIFF or WebP header"
        raise ImageError(msg) from error


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


def _upright_shape(picture: Image.Image) -> tuple[int, int]:
    width, height = picture.size
    try:
        with _no_warnings():
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
        with _no_warnings():
            return np.array(picture.convert("RGB"))
    # A JPEG holds brightness by itself; the other formats' readers make it in ways of their own.
    colours = cv2.IMREAD_GRAYSCALE if grey and picture.format == "JPEG" else cv2.IMREAD_COLOR_RGB
    with _SILENT_OPENCV:
        return cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_ANYDEPTH | colours)


def _to_eight_bits(pixels: NDArray[_Number], name: str) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint16:
        # 65535 / 257 is 255; the division never ends on a half, so this rounds exactly.
        return cv2.convertScaleAbs(pixels, alpha=1 / 257).astype(np.uint8, copy=False)
    if pixels.dtype != np.uint8:
        msg = f"{name} holds {pixels.dtype} values, expected 8 or 16 bits per channel"
        raise ImageError(msg)
    return pixels.astype(np.uint8, copy=False)


def _encode(image: NDArray[np.uint8], ending: str, path: str | Path) -> bytes:
    try:
        with _SILENT_OPENCV:
            done, data = cv2.imencode(ending, np.ascontiguousarray(image))
    except cv2.error:
        done = False
    if not done:
        msg = f"{path}: an image of shape {image.shape} cannot be written as {ending}"
        raise ImageError(msg)
    return data.tobytes()


@contextmanager
def _no_warnings() -> Iterator[None]:
    # The filters belong to the whole process: one thread at a time may change and restore them.
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


_WARNINGS = threading.Lock()


class _SilentOpenCV:
    """Keeps OpenCV from printing, while any thread is inside; it reports by its results."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._usual_level = 0
        # OpenCV 5 moved the function into a module that OpenCV 4 does not have.
        self._set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._usual_level = self._set_level(0)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._set_level(self._usual_level)


_SILENT_OPENCV = _SilentOpenCV()
