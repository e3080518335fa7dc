"""Read and write the file of a checkpoint; nothing in it is executed."""

import logging
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.checkpoints import container
from steel_defect_detection.checkpoints.container import Tensors
from steel_defect_detection.checkpoints.header import FORMAT_VERSION, Header
from steel_defect_detection.errors import CheckpointError

_LOG = logging.getLogger(__name__)

_KEY = "steel_defect_detection"

PREFIXES = {
    ("cascade", "classifier"): (("gate.",), "gate."),
    ("cascade", "segmenter"): (("segmenter.",), "segmenter."),
    ("shared_backbone", "encoder_gate"): (
        ("encoder.", "classification_head.", "familiarity."),
        "",
    ),
    ("shared_backbone", "decoder"): (("decoder.", "segmentation_head."), ""),
}
"""How the tensors begin that belong to one graph of several, and what of that is cut off."""

# Part of the names of tensors that float16 would spoil.
_FINE = "familiarity."


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A model as read from a file.

    Args:
        header: Everything but the numbers.
        tensors: The numbers, float32 (counters int64), by name.
        source: The file it came from.
        sha256: Hash of that file.
    """

    header: Header
    tensors: Tensors
    source: str
    sha256: str

    def weights(self, graph: str) -> Tensors:
        """Tensors of one graph, without the cascade's prefix.

        Args:
            graph: Name of the graph, as in the header.
        """
        beginnings, cut = PREFIXES.get((self.header.architecture, graph), (("",), ""))
        return {
            name.removeprefix(cut): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(beginnings)
        }


def built_in() -> tuple[str, ...]:
    """Names of the models that come with the package, sorted."""
    folder = resources.files("steel_defect_detection") / "weights"
    suffix = ".safetensors"
    names = (file.name for file in folder.iterdir() if file.name.endswith(suffix))
    return tuple(sorted(name.removesuffix(suffix) for name in names))


def find(name_or_file: str | Path) -> Path:
    """Find a model by the name of a built-in one, or by its path.

    The name of a built-in model means that one, whatever lies beside it; a run folder
    of the same name is remarked upon.

    Raises:
        CheckpointError: If there is neither.
    """
    if str(name_or_file) in built_in():
        beside = Path(name_or_file).absolute()
        if (beside / "model.safetensors").is_file():
            _LOG.warning("%s is the built-in model; for the run write %s", name_or_file, beside)
        folder = resources.files("steel_defect_detection") / "weights"
        return Path(str(folder / f"{name_or_file}.safetensors"))
    if not str(name_or_file):
        msg = f"the model's name is empty; the built-in models are {', '.join(built_in())}"
        raise CheckpointError(msg)
    path = Path(name_or_file)
    if path.is_dir() and (path / "model.safetensors").is_file():
        return path / "model.safetensors"
    if not path.is_file():
        found = "a folder without model.safetensors" if path.is_dir() else "no file"
        msg = (
            f"no model {str(name_or_file)!r}: it is {found}, and the built-in models are "
            f"{', '.join(built_in()) or 'none'}"
        )
        raise CheckpointError(msg)
    return path


def load(name_or_file: str | Path) -> Checkpoint:
    """Read a model.

    Args:
        name_or_file: Name of a built-in model, a checkpoint file, or a run
            folder that holds ``model.safetensors``.

    Raises:
        CheckpointError: If there is no such model, or the file is damaged, of
            another format or of a newer version.
    """
    path = find(name_or_file)
    foreign = "was not written by steel-defect-detection"
    content = container.read(path, _KEY, Header, newest=FORMAT_VERSION, foreign=foreign)
    return Checkpoint(
        header=content.header,
        tensors={name: _float32(tensor) for name, tensor in content.tensors.items()},
        source=str(path),
        sha256=content.sha256,
    )


def save(path: Path, header: Header, tensors: Tensors, *, half: bool = False) -> None:
    """Write a model, completely or not at all.

    Args:
        path: The file to write.
        header: Everything but the numbers.
        tensors: The numbers by name, prefixed in a cascade.
        half: Store floats as float16, in half the space, but for the small
            numbers by which familiarity is judged.
    """
    stored = {
        name: _half(tensor) if half and _FINE not in name else tensor
        for name, tensor in tensors.items()
    }
    container.write(path, _KEY, header, stored)


def _floats(tensor: NDArray[np.generic]) -> bool:
    return bool(np.issubdtype(tensor.dtype, np.floating))


def _float32(tensor: NDArray[np.generic]) -> NDArray[np.generic]:
    return tensor.astype(np.float32) if _floats(tensor) else tensor


def _half(tensor: NDArray[np.generic]) -> NDArray[np.generic]:
    return tensor.astype(np.float16) if _floats(tensor) else tensor
