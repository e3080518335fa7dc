"""Checkpoints: weights and everything needed to use them, in one file.

A checkpoint is a ``.safetensors`` file whose header holds, as JSON, the
networks, the classes, the preprocessing, the thresholds and the model card.
Reading one executes nothing and needs no torch. The tensors of a single
network keep their names; those of a cascade are prefixed ``gate.`` and
``segmenter.``. Numbers are stored as float16 or float32.

Format: https://github.com/huggingface/safetensors
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator
from safetensors import SafetensorError

from steel_defect_detection import files
from steel_defect_detection.errors import CheckpointError
from steel_defect_detection.models.config import Frozen, GraphConfig

FORMAT_VERSION = 1

_KEY = "steel_defect_detection"
# Graphs of each architecture, by name: the kind of network and the part of it that they run.
_GRAPHS = {
    "classifier": {"classifier": ("classifier", "all")},
    "segmenter": {"segmenter": ("segmenter", "all")},
    "cascade": {"classifier": ("classifier", "all"), "segmenter": ("segmenter", "all")},
    "two_head": {"two_head": ("two_head", "all")},
    "shared_backbone": {"encoder_gate": ("two_head", "gate"), "decoder": ("two_head", "decoder")},
}
# How the tensors begin that belong to one graph of several, and what of that is cut off.
_PREFIXES = {
    ("cascade", "classifier"): (("gate.",), "gate."),
    ("cascade", "segmenter"): (("segmenter.",), "segmenter."),
    ("shared_backbone", "encoder_gate"): (("encoder.", "classification_head."), ""),
    ("shared_backbone", "decoder"): (("decoder.", "segmentation_head."), ""),
}


class Thresholds(Frozen):
    """From which values on something counts as a defect.

    Args:
        gate: Probability of any defect from which the gate fires.
        classes: Probability per class from which a classifier names it.
        pixels: Probability per class from which a pixel belongs to it.
        min_areas: Pixels per class that a connected defect has at least.
    """

    gate: float = Field(default=0.5, ge=0, le=1)
    classes: tuple[float, ...]
    pixels: tuple[float, ...]
    min_areas: tuple[int, ...]

    @classmethod
    def default(cls, class_count: int) -> Self:
        """Thresholds of 1/2 and no least area."""
        return cls(
            classes=(0.5,) * class_count,
            pixels=(0.5,) * class_count,
            min_areas=(0,) * class_count,
        )

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if not all(0 <= value <= 1 for value in (*self.classes, *self.pixels)):
            msg = f"thresholds must lie between 0 and 1, got {self.classes} and {self.pixels}"
            raise ValueError(msg)
        if any(area < 0 for area in self.min_areas):
            msg = f"least areas must not be negative, got {self.min_areas}"
            raise ValueError(msg)
        return self


class DataSource(Frozen):
    """Images a model was trained on."""

    name: str
    images: int = Field(ge=0)
    licence: str
    use: str = ""


class Card(Frozen):
    """What a reader should know before trusting a model.

    Args:
        name: Short name.
        description: What the model does and for whom.
        limits: What it is not good for.
        data: What it was trained on, with licences.
        metrics: Measured values by name, with their baselines.
        measured: How the metrics were measured.
        created: Date, ``YYYY-MM-DD``.
        versions: Versions of the libraries it was made with.
    """

    name: str = ""
    description: str = ""
    limits: str = ""
    data: tuple[DataSource, ...] = ()
    metrics: dict[str, Any] = Field(default_factory=dict)
    measured: str = ""
    created: str = ""
    versions: dict[str, str] = Field(default_factory=dict)


class Header(Frozen):
    """Everything about a model but its numbers.

    Args:
        format_version: Version of this format.
        architecture: How the graphs work together.
        graphs: Networks with their preprocessing, by name.
        classes: Names of the defect classes, class 1 first.
        background: Class that means "free of defects", if there is one.
        thresholds: Where defects begin.
        card: The model card.
    """

    format_version: Literal[1] = 1
    architecture: Literal["classifier", "segmenter", "cascade", "two_head", "shared_backbone"]
    graphs: dict[str, GraphConfig]
    classes: tuple[str, ...]
    background: str | None = None
    thresholds: Thresholds
    card: Card = Card()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        expected = _GRAPHS[self.architecture]
        found = {name: (graph.network.kind, graph.part) for name, graph in self.graphs.items()}
        if found != expected:
            msg = f"a {self.architecture} has the graphs {expected}, not {found}"
            raise ValueError(msg)
        if any(graph.network.classes != self.classes for graph in self.graphs.values()):
            msg = f"the graphs know other classes than the header's {self.classes}"
            raise ValueError(msg)
        lengths = {len(self.thresholds.classes), len(self.thresholds.pixels)}
        if {*lengths, len(self.thresholds.min_areas)} != {len(self.classes)}:
            msg = f"expected one threshold per class, {len(self.classes)} in all"
            raise ValueError(msg)
        return self


Tensors = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A model as read from a file.

    Args:
        header: Everything but the numbers.
        tensors: The numbers, float32, by name.
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
        beginnings, cut = _PREFIXES.get((self.header.architecture, graph), (("",), ""))
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

    Raises:
        CheckpointError: If there is neither.
    """
    if str(name_or_file) in built_in():
        folder = resources.files("steel_defect_detection") / "weights"
        return Path(str(folder / f"{name_or_file}.safetensors"))
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
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise CheckpointError(msg) from error
    try:
        tensors = safetensors.numpy.load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        msg = f"{path} is no intact .safetensors file: {error}"
        raise CheckpointError(msg) from error
    return Checkpoint(
        header=_header(_metadata(data, path), path),
        tensors={name: _float32(tensor) for name, tensor in tensors.items()},
        source=str(path),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def save(path: Path, header: Header, tensors: Tensors, *, half: bool = False) -> None:
    """Write a model, completely or not at all.

    Args:
        path: The file to write.
        header: Everything but the numbers.
        tensors: The numbers by name, prefixed in a cascade.
        half: Store floats as float16, in half the space.
    """
    stored = {
        name: np.asarray(_half(tensor) if half else tensor, order="C")
        for name, tensor in tensors.items()
    }
    metadata = {_KEY: header.model_dump_json()}
    files.write_bytes(path, safetensors.numpy.save(stored, metadata=metadata))


def describe(checkpoint: Checkpoint) -> str:
    """Say in lines of text what a model is, what it learned from and how it was measured."""
    header, card = checkpoint.header, checkpoint.header.card
    parameters = sum(tensor.size for tensor in checkpoint.tensors.values())
    lines = [
        f"{card.name or checkpoint.source} ({header.architecture}, {parameters:,} numbers)",
        *(f"  {text}" for text in (card.description, card.limits) if text),
        f"classes: {', '.join(header.classes)}"
        + (f" ({header.background} means free of defects)" if header.background else ""),
    ]
    for name, graph in header.graphs.items():
        seen = graph.preprocessing
        size = f"{seen.size[0]} x {seen.size[1]}" if seen.size else f"{seen.scale:g} of the size"
        lines.append(f"{name}: {graph.network.encoder}, {seen.channels} channels, sees {size}")
    limits = header.thresholds
    lines.append(f"thresholds: gate {limits.gate:g}, classes {limits.classes}, ")
    lines[-1] += f"pixels {limits.pixels}, least areas {limits.min_areas}"
    lines += [
        f"learned from {data.images:,} images: {data.name} ({data.licence})" for data in card.data
    ]
    lines += [f"{name}: {value}" for name, value in card.metrics.items()]
    lines += [f"measured: {card.measured}"] if card.measured else []
    return "\n".join([*lines, f"sha256 {checkpoint.sha256}"])


def join(gate: Checkpoint, segmenter: Checkpoint, card: Card | None = None) -> Checkpoint:
    """Make a cascade of a classifier and a segmenter.

    Args:
        gate: Checkpoint of a classifier.
        segmenter: Checkpoint of a segmenter with the same classes.
        card: Card of the cascade; by default the segmenter's.

    Raises:
        CheckpointError: If they are something else or their classes differ.
    """
    for checkpoint, kind in ((gate, "classifier"), (segmenter, "segmenter")):
        if checkpoint.header.architecture != kind:
            found = checkpoint.header.architecture
            already = ", which has its gate already" if found == "cascade" else ""
            msg = f"a cascade needs a {kind} here, but {checkpoint.source} is a {found}{already}"
            raise CheckpointError(msg)
    if gate.header.classes != segmenter.header.classes:
        msg = (
            f"{gate.source} knows the classes {', '.join(gate.header.classes)}, but "
            f"{segmenter.source} {', '.join(segmenter.header.classes)}"
        )
        raise CheckpointError(msg)
    gate_limits, limits = gate.header.thresholds, segmenter.header.thresholds
    header = Header(
        architecture="cascade",
        graphs={**gate.header.graphs, **segmenter.header.graphs},
        classes=gate.header.classes,
        background=gate.header.background,
        thresholds=limits.model_copy(
            update={"gate": gate_limits.gate, "classes": gate_limits.classes}
        ),
        card=card or segmenter.header.card,
    )
    tensors = {
        _PREFIXES["cascade", graph][1] + name: tensor
        for graph, part in (("classifier", gate), ("segmenter", segmenter))
        for name, tensor in part.tensors.items()
    }
    both = f"{gate.source} + {segmenter.source}"
    digest = hashlib.sha256((gate.sha256 + segmenter.sha256).encode()).hexdigest()
    return Checkpoint(header=header, tensors=tensors, source=both, sha256=digest)


def share(two_head: Checkpoint) -> Checkpoint:
    """Let the decoder of a two-headed model run only where its gate fires.

    Args:
        two_head: Checkpoint of a two-headed network.

    Raises:
        CheckpointError: If it is something else.
    """
    if two_head.header.architecture != "two_head":
        msg = f"{two_head.source} is a {two_head.header.architecture}, expected a two_head"
        raise CheckpointError(msg)
    graph = two_head.header.graphs["two_head"]
    graphs = {
        name: graph.model_copy(update={"part": part})
        for name, (_, part) in _GRAPHS["shared_backbone"].items()
    }
    changes = {"architecture": "shared_backbone", "graphs": graphs}
    return replace(two_head, header=two_head.header.model_copy(update=changes))


def _metadata(data: bytes, path: Path) -> str:
    """Cut our entry out of the header, which the library has found to be sound."""
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length]).get("__metadata__") or {}
    if _KEY not in metadata:
        msg = f"{path} was not written by steel-defect-detection: its header has no {_KEY!r}"
        raise CheckpointError(msg)
    return str(metadata[_KEY])


def _header(text: str, path: Path) -> Header:
    try:
        content = json.loads(text)
        version = content.get("format_version")
        if isinstance(version, int) and version > FORMAT_VERSION:
            msg = (
                f"{path} has format {version}, this version reads format {FORMAT_VERSION}. "
                "Upgrade steel-defect-detection"
            )
            raise CheckpointError(msg)
        return Header.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        msg = f"{path} has a header that cannot be used: {place} {first['msg']}"
        raise CheckpointError(msg) from error
    except (ValueError, AttributeError) as error:
        if isinstance(error, CheckpointError):
            raise
        msg = f"{path} has a header that is no JSON object: {error}"
        raise CheckpointError(msg) from error


def _floats(tensor: NDArray[np.generic]) -> bool:
    return bool(np.issubdtype(tensor.dtype, np.floating))


def _float32(tensor: NDArray[np.generic]) -> NDArray[np.generic]:
    return tensor.astype(np.float32) if _floats(tensor) else tensor


def _half(tensor: NDArray[np.generic]) -> NDArray[np.generic]:
    return tensor.astype(np.float16) if _floats(tensor) else tensor
