"""Subject: the network that is explained, with what its answers mean."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from steel_defect_detection.checkpoints import Checkpoint, Thresholds
from steel_defect_detection.errors import CheckpointError, ConfigError
from steel_defect_detection.models import weights
from steel_defect_detection.models.graph import PlainGraph
from steel_defect_detection.predictors.load import read_model

Part = Literal["segmenter", "classifier"]

# Where each part of an architecture is found: its graph, the architecture's default first.
_PARTS: dict[str, dict[Part, str]] = {
    "classifier": {"classifier": "classifier"},
    "segmenter": {"segmenter": "segmenter"},
    "cascade": {"segmenter": "segmenter", "classifier": "classifier"},
    "two_head": {"segmenter": "two_head", "classifier": "two_head"},
    "shared_backbone": {"segmenter": "decoder", "classifier": "encoder_gate"},
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """The network that is explained, with what its answers mean.

    Args:
        graph: The network with its preprocessing, in evaluation mode.
        part: Whether its answers for pixels are explained, or those for the
            whole image.
        classes: Names of the classes.
        thresholds: From which probability on a pixel belongs to a class, and
            the least area of a defect; only a segmenter's are looked at.
        source: Where the model came from.
        sha256: Hash of its file.
    """

    graph: PlainGraph
    part: Part
    classes: tuple[str, ...]
    thresholds: Thresholds
    source: str = ""
    sha256: str = ""

    def logits(self, graph: PlainGraph, pixels: Tensor) -> Tensor:
        """Ask this network, or a copy of it.

        Args:
            graph: The network.
            pixels: float or uint8, shape ``(batch, height, width, 1 or 3)``, 0
                to 255.

        Returns:
            float, shape ``(batch, classes or more)``, or ``(batch, classes,
            height, width)`` of a segmenter.
        """
        answer = graph.logits(pixels)
        if isinstance(answer, Tensor):
            return answer
        return answer[0] if self.part == "segmenter" else answer[1]

    @property
    def grey(self) -> bool:
        """Whether brightness is all that the network looks at."""
        return self.graph.preprocess.config.channels == 1

    def class_number(self, name: str) -> int:
        """Number of a class, from 0.

        Raises:
            ConfigError: If there is no such class.
        """
        if name not in self.classes:
            msg = f"the model has no class {name!r}; it has {', '.join(self.classes)}"
            raise ConfigError(msg)
        return self.classes.index(name)


def read(model: str | Path | Checkpoint, part: Part | None = None) -> Subject:
    """Read the network of a model that is to be explained.

    Args:
        model: Name of a built-in model, a checkpoint file or a run folder.
        part: Which of two answers; by default the outlines, where there are any.

    Raises:
        CheckpointError: If the model is missing, damaged or an export.
        ConfigError: If it has no such part.
    """
    checkpoint = read_model(model)
    if not isinstance(checkpoint, Checkpoint):
        msg = (
            f"{checkpoint.source} is an export, whose network gives no gradients. "
            "Name the checkpoint or run folder that it was made of"
        )
        raise CheckpointError(msg)
    header = checkpoint.header
    parts = _PARTS[header.architecture]
    chosen = part or next(iter(parts))
    if chosen not in parts:
        msg = f"{checkpoint.source} is a {header.architecture} and has no {chosen}"
        raise ConfigError(msg)
    return Subject(
        graph=_graph(checkpoint, parts[chosen]),
        part=chosen,
        classes=header.classes,
        thresholds=header.thresholds,
        source=checkpoint.source,
        sha256=checkpoint.sha256,
    )


def _graph(checkpoint: Checkpoint, name: str) -> PlainGraph:
    config = checkpoint.header.graphs[name]
    if checkpoint.header.architecture != "shared_backbone":
        return weights.restored_plain(config, checkpoint.weights(name))
    # Its two halves are one network, which is explained as a whole.
    return weights.restored_plain(config.model_copy(update={"part": "all"}), checkpoint.tensors)
