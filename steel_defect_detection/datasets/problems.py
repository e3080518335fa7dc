"""All that is wrong with a data set at once, instead of one fault per attempt."""

from collections.abc import Iterable

from steel_defect_detection.errors import AnnotationError

MOST_SHOWN = 10


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
