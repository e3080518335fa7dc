"""Import an optional package, or say which extra brings it."""

import importlib
from types import ModuleType

from steel_defect_detection.errors import MissingExtraError


def load(module: str, *, extra: str) -> ModuleType:
    """Import a package that only an extra installs.

    Args:
        module: Name of the module as it is imported; it may contain dots.
        extra: Extra of this package that installs it.

    Returns:
        The imported module.

    Raises:
        MissingExtraError: If the package is not installed. An installed
            package that fails while it is imported raises its own error.

    Example:
        >>> load("json", extra="onnx").loads("[1, 2]")
        [1, 2]
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # "a.b" is missing when "a" or "a.b" is; any other name is a package that it lacks itself.
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        package = module.partition(".")[0]
        msg = (
            f"{package} is not installed. "
            f'Install it with: pip install "steel-defect-detection[{extra}]"'
        )
        raise MissingExtraError(msg) from error
