"""All that is wrong with a data set at once, instead of one fault per attempt."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from steel_defect_detection.errors import AnnotationError, SteelDefectError

MOST_SHOWN = 10

Found = TypeVar("Found")


class Problem(NamedTuple):
    """An image that cannot be read or whose annotations do not fit it."""

    image: str
    problem: str


def refuse(problems: Iterable[str]) -> None:
    """Raise if there are problems.

    Args:
        problems: One text per problem, each with its place, value and rule.

    Raises:
        AnnotationError: Naming the first ten problems and how many more there
            are.
    """
    found = list(problems)
    if found:
        left = len(found) - MOST_SHOWN
        more = f"; and {left} more problems" if left > 0 else ""
        raise AnnotationError("; ".join(found[:MOST_SHOWN]) + more)


def readable(
    images: Iterable[str], read: Callable[[int], Found], problems: list[Problem] | None
) -> Iterator[tuple[int, Found]]:
    """Read one image after the other and pass over those that cannot be read.

    Args:
        images: Names of the images.
        read: Reads the image of a number, counted from 0.
        problems: Gets the images that cannot be read; without it, the first
            of them is an error.

    Yields:
        Number of an image, and what was read of it.

    Raises:
        SteelDefectError: If an image cannot be read and there is no
            ``problems``.
    """
    for number, image in enumerate(images):
        try:
            found = read(number)
        except SteelDefectError as error:
            if problems is None:
                raise
            problems.append(Problem(image, str(error)))
        else:
            yield number, found
