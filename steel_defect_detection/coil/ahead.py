"""What can be told of a coil before its images are judged, which takes long."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from steel_defect_detection import files, images, results
from steel_defect_detection.coil import order
from steel_defect_detection.coil.pieces import Axis
from steel_defect_detection.errors import ConfigError, ImageError

# Opening many small files waits for the disk, not for the processor.
_READERS = 4


def refuse_unfit(
    paths: Sequence[Path],
    *,
    length_axis: Axis = "x",
    order_file: str | Path | None = None,
    mm_per_pixel: float | None = None,
) -> None:
    """Refuse images that ``coil.read`` would refuse once they are judged.

    Only headers are read. A file without one is no reason: it is judged to be no
    image, and takes its place.

    Args:
        paths: The images in their order.
        length_axis: Axis of the images that runs along the coil.
        order_file: Table (csv) with the order of the images; None for that of
            ``paths``.
        mm_per_pixel: Size of a pixel; None if unknown.

    Raises:
        ConfigError: If images differ in size across the coil, or the order does
            not fit them.
    """
    if order_file is not None:
        paths = _ordered(paths, order_file, mm_per_pixel)
    across = 0 if length_axis == "x" else 1
    with ThreadPoolExecutor(_READERS, thread_name_prefix="read-sizes") as pool:
        sizes = zip(paths, pool.map(_size, paths), strict=True)
        widths = [(path, size[across]) for path, size in sizes if size is not None]
    for path, width in widths:
        first, expected = widths[0]
        if width != expected:
            msg = (
                f"{path} is {width} pixels across and {first} is {expected}: all images of a coil "
                f"must be equally wide. Does {length_axis} run along the coil? "
                "A camera's note may have turned an image; --order leaves images out"
            )
            raise ConfigError(msg)


def _ordered(
    paths: Sequence[Path], order_file: str | Path, mm_per_pixel: float | None
) -> Sequence[Path]:
    asked = order.read(order_file)
    if asked.in_mm and mm_per_pixel is None:
        msg = "the order gives starts in millimetres: say how large a pixel is, or give 'start'"
        raise ConfigError(msg)
    names = [
        [files.as_text(one) for one in (str(path), called.image_id, path.name)]
        for path, called in zip(paths, results.name_all(paths), strict=True)
    ]
    return [paths[number] for number in order.resolve(asked, names)]


def _size(path: Path) -> tuple[int, int] | None:
    """Height and width; None of what cannot be judged for its size, or is no image."""
    try:
        height, width = images.size(path)
    except ImageError:
        return None
    is_usual = min(height, width) >= images.MIN_SIDE and height * width <= images.MAX_PIXELS
    return (height, width) if is_usual else None
