"""Diagram: what a network consists of, stage by stage, as a list and as a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from steel_defect_detection import figures
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models.config import GraphConfig

# How deep below the library's network stages are shown: encoder.layer1, decoder.blocks.
_DEPTH = 2


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of a network.

    Args:
        name: Its place in the network, for example ``encoder.layer1``.
        kind: Its type.
        shape: Shape of what it returns, without the batch; None if it returns
            no single tensor.
        parameters: Numbers that it learns.
    """

    name: str
    kind: str
    shape: tuple[int, ...] | None
    parameters: int


def stages(config: GraphConfig, shape: tuple[int, int] = (256, 1600)) -> list[Stage]:
    """List the stages of a network in the order in which an image passes them.

    Args:
        config: The network.
        shape: Height and width of the image, in pixels.
    """
    graph = graphs.build(config.model_copy(update={"part": "all"})).eval()
    network = graph.network.network
    seen: list[Stage] = []
    for name, layer in network.named_modules():
        if name and name.count(".") < _DEPTH and not isinstance(layer, nn.ModuleList):
            layer.register_forward_hook(_Recorder(name, seen))
    with torch.inference_mode():
        graph(torch.zeros(1, *shape, 1, dtype=torch.uint8))
    # A stage that holds others is told by them.
    names = [stage.name for stage in seen]
    return [
        stage for stage in seen if not any(other.startswith(f"{stage.name}.") for other in names)
    ]


def write(path: Path | str, networks: Mapping[str, GraphConfig]) -> None:
    """Draw networks side by side into a PNG file.

    Args:
        path: File to write.
        networks: Networks by name.

    Raises:
        ResultsError: If the file cannot be written there.
    """
    columns = {
        f"{name}: {config.network.encoder}": [_caption(stage) for stage in stages(config)]
        for name, config in networks.items()
    }
    figures.write(path, figures.blocks(columns))


class _Recorder:
    """Notes what a layer returns.

    Args:
        name: Name of the layer.
        seen: Gets a stage each time the layer runs.
    """

    def __init__(self, name: str, seen: list[Stage]) -> None:
        self._name = name
        self._seen = seen

    def __call__(self, layer: nn.Module, _: object, output: object) -> None:
        shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else None
        parameters = sum(weight.numel() for weight in layer.parameters())
        kind = type(layer).__name__
        self._seen.append(Stage(name=self._name, kind=kind, shape=shape, parameters=parameters))


def _caption(stage: Stage) -> str:
    shape = "" if stage.shape is None else " x ".join(str(side) for side in stage.shape)
    return f"{stage.name}  {stage.kind}  {shape}  {stage.parameters:,}"
