"""Mixes: files to time with, no two alike, and for each whether the gate fires on it.

They are made from a few real strips, each file by a flip, a crop that is padded
back to full size, and another brightness and contrast. The same seed gives the
same files.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import files, images
from steel_defect_detection.errors import ConfigError

SHARES = {"clean": 0.0, "half": 0.5}
"""Share of files on which the gate fires, by name of the mix."""

JPEG_QUALITY = 90

# Of a gate that never says what is wanted, so many files are tried for each that is needed.
_TRIES = 20


def make(
    sources: Sequence[Path],
    folder: Path,
    counts: Mapping[bool, int],
    fires: Callable[[NDArray[np.uint8]], bool],
    *,
    shape: tuple[int, int],
    seed: int,
) -> dict[bool, list[Path]]:
    """Make distinct JPEG files.

    Args:
        sources: Images to make them from.
        folder: Where to write them.
        counts: How many to make on which the gate fires (True) or does not.
        fires: Whether the gate fires on an image.
        shape: Height and width of the files, in pixels.
        seed: Number that they depend on.

    Returns:
        Files by whether the gate fires on them.

    Raises:
        ConfigError: If the gate never says what is wanted.
    """
    said = {path: fires(_resized(images.read(path), shape)) for path in sources}
    taken: set[str] = set()
    made: dict[bool, list[Path]] = {}
    for wanted, count in counts.items():
        # What is made of a strip is mostly judged as the strip itself.
        pool = [path for path in sources if said[path] == wanted] or sources
        random = np.random.default_rng([seed, wanted])
        made[wanted] = []
        for source, data in _candidates(pool, shape, random, _TRIES * count + 100):
            if len(made[wanted]) == count:
                break
            digest = hashlib.sha256(data).hexdigest()
            if digest in taken or fires(images.decode(data, source.name)) != wanted:
                continue
            taken.add(digest)
            kind = "fires" if wanted else "clean"
            path = folder / f"{kind}-{len(made[wanted]):05d}-{source.stem}.jpg"
            files.write_bytes(path, data)
            made[wanted].append(path)
        if len(made[wanted]) < count:
            says = "fires on" if wanted else "passes"
            msg = (
                f"the gate {says} {len(made[wanted])} of {_TRIES * count + 100} files that were "
                f"made of {len(sources)} images, and {count} are needed: name other --images"
            )
            raise ConfigError(msg)
    return made


def mix(made: Mapping[bool, Sequence[Path]], count: int, share: float) -> list[Path]:
    """Put files on which the gate fires between the others, evenly.

    Args:
        made: Files by whether the gate fires on them.
        count: How many to take.
        share: Share of them on which it fires.

    Example:
        >>> mix({False: ["a", "b"], True: ["c", "d"]}, 4, 0.5)
        ['a', 'c', 'b', 'd']
    """
    left = {kind: iter(paths) for kind, paths in made.items()}
    fires = [int((number + 1) * share) > int(number * share) for number in range(count)]
    return [next(left[kind]) for kind in fires]


def vary(
    image: NDArray[np.uint8], shape: tuple[int, int], random: np.random.Generator
) -> NDArray[np.uint8]:
    """Make another image of a strip.

    Args:
        image: uint8, shape ``(height, width, 3)``.
        shape: Height and width of the result, in pixels.
        random: Source of chance.

    Returns:
        uint8, shape ``(*shape, 3)``; grey where the strip is grey.
    """
    whole = _resized(image, shape)
    flips = tuple(axis for axis in (0, 1) if random.random() < 0.5)
    whole = np.flip(whole, flips)
    height, width = (round(side * random.uniform(0.85, 1)) for side in shape)
    top, left = (
        int(random.integers(0, side - part + 1))
        for side, part in zip(shape, (height, width), strict=True)
    )
    above, before = (
        int(random.integers(0, side - part + 1))
        for side, part in zip(shape, (height, width), strict=True)
    )
    padded = cv2.copyMakeBorder(
        np.ascontiguousarray(whole[top : top + height, left : left + width]),
        above,
        shape[0] - height - above,
        before,
        shape[1] - width - before,
        cv2.BORDER_REFLECT_101,
    )
    gain, offset = random.uniform(0.85, 1.15), random.uniform(-10, 10)
    changed: NDArray[np.uint8] = np.clip(padded * gain + offset, 0, 255).astype(np.uint8)
    return changed


def _candidates(
    pool: Sequence[Path], shape: tuple[int, int], random: np.random.Generator, most: int
) -> Iterator[tuple[Path, bytes]]:
    for _, source in zip(range(most + 1), cycle(pool), strict=False):
        image = vary(images.read(source), shape, random)
        settings = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        _, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), settings)
        yield source, data.tobytes()


def _resized(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    if image.shape[:2] == shape:
        return image
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
