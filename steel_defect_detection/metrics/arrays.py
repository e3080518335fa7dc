"""What all measures ask of the arrays that they are given."""

import numpy as np

from steel_defect_detection.errors import SteelDefectError


def refuse_others(kind: type[SteelDefectError], **values: object) -> None:
    """Raise unless all values are numpy arrays.

    Args:
        kind: The error to raise.
        **values: The values by the names that they have as arguments.

    Raises:
        SteelDefectError: Of that kind, naming the first that is something else.
    """
    for name, value in values.items():
        if not isinstance(value, np.ndarray):
            msg = f"expected a numpy array as {name}, got {type(value).__name__}"
            raise kind(msg)
