"""The formats, by name and by the ending of their files."""

from pathlib import Path
from typing import Any, Protocol

from steel_defect_detection.export import onnx, openvino, torchscript
from steel_defect_detection.export.description import FormatName, StoredPrecision
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes.runtime import Arrays, Run

Network = Any
"""A network as the libraries of a format hold it."""


class Format(Protocol):
    """What the file of a format offers."""

    SUFFIX: str
    """Ending of its files."""
    PRECISIONS: tuple[StoredPrecision, ...]
    LIBRARIES: tuple[str, ...]
    """Distributions whose versions matter."""

    def convert(self, config: GraphConfig, tensors: Arrays, inputs: Arrays) -> Network:
        """Convert a graph for inputs of these shapes and batches of any length."""

    def runner(self, network: Network) -> Run:
        """Make ready to run a network that was not written yet."""

    def save(self, network: Network, path: Path, *, half: bool) -> None:
        """Write a network, with an empty description; ``half`` stores weights as float16."""

    def describe(self, path: Path, text: str) -> None:
        """Put the description into a file."""

    def inspect(self, path: Path) -> tuple[str | None, str]:
        """Read the description, if there is one, and the hash of all the rest."""

    def load(self, path: Path, threads: int) -> Run:
        """Load a network so that several threads may run it at the same time."""


FORMATS: dict[FormatName, Format] = {
    "onnx": onnx,
    "openvino": openvino,
    "torchscript": torchscript,
}


def of_file(path: Path) -> FormatName | None:
    """Name of the format that a file's ending stands for, if there is one."""
    # The second file of an OpenVINO network stands for the first.
    suffix = ".xml" if path.suffix == ".bin" else path.suffix
    return next((name for name, form in FORMATS.items() if suffix == form.SUFFIX), None)
