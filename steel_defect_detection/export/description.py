"""What every exported file says about itself.

One line of JSON lies in the metadata of each file: the header of the checkpoint
with its classes, thresholds and least areas, which of its graphs this is, the
hashes of all networks of the export, and how they compared with PyTorch.
"""

from pathlib import PurePosixPath, PureWindowsPath
from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from steel_defect_detection.checkpoints import Header
from steel_defect_detection.models.config import Frozen

KEY = "steel_defect_detection"
"""Name of the entry in a file's metadata."""

FormatName = Literal["onnx", "openvino", "torchscript"]
StoredPrecision = Literal["float32", "float16", "int8"]


class NetworkFile(Frozen):
    """One network of an export.

    Args:
        file: Name of its file, in the folder of the export.
        sha256: Hash of all that the file holds but the description.
    """

    file: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _is_a_name(self) -> Self:
        names = {PurePosixPath(self.file).name, PureWindowsPath(self.file).name}
        if names != {self.file} or self.file in {"", ".", ".."}:
            msg = f"a network lies beside the others, not at {self.file!r}"
            raise ValueError(msg)
        return self


class Comparison(Frozen):
    """How one exported network compares with PyTorch in float32.

    Args:
        images: Images that both looked at.
        probability_difference: Largest difference of any probability; None if
            one was not a number or an answer had another shape.
        same_decisions: Share of images whose decisions (does the gate fire;
            without a gate: which classes are shown) are the same; None without
            such decisions.
        same_masks: Share of images whose cleaned masks are identical; None for
            networks without masks.
        dice: Mean Dice of the cleaned masks, over the pairs of image and class
            where either outlines something; None without such pairs.
        outlines: Number of those pairs.
    """

    images: PositiveInt
    probability_difference: float | None
    same_decisions: float | None = None
    same_masks: float | None = None
    dice: float | None = None
    outlines: int = 0


class Description(Frozen):
    """What an exported file says about itself.

    Args:
        export_version: Version of this description.
        header: Header of the checkpoint.
        sha256: Hash of the checkpoint.
        graph: The graph that this file holds.
        networks: All networks of the export, by graph.
        format: The engine's format.
        precision: How the weights are stored; int8 also computes with whole
            numbers.
        image_shape: Height, width and channels of the images it takes.
        compared_on: Where the images of the comparison came from.
        comparison: How each network compares with PyTorch, by graph.
        versions: Versions of the libraries that made the files.
    """

    export_version: Literal[1] = 1
    header: Header
    sha256: str
    graph: str
    networks: dict[str, NetworkFile]
    format: FormatName
    precision: StoredPrecision
    image_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    compared_on: str
    comparison: dict[str, Comparison]
    versions: dict[str, str]

    @model_validator(mode="after")
    def _graphs_fit(self) -> Self:
        graphs = set(self.header.graphs)
        if set(self.networks) != graphs or self.graph not in graphs:
            msg = f"expected the graphs {', '.join(graphs)}, got {', '.join(self.networks)}"
            raise ValueError(msg)
        return self
