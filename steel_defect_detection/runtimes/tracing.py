"""Write a graph down as ``torch.export`` does, for the converters to read."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from steel_defect_detection.models.graph import Graph


def write_down(graph: Graph, inputs: Mapping[str, NDArray[Any]]) -> ExportedProgram:
    """Write a graph down for images of one size and batches of any length.

    Args:
        graph: The graph, in evaluation mode; a layer that only saves memory in
            training is exchanged for its plain form.
        inputs: What it takes, by name and in its order.
    """
    for layer in graph.modules():
        # The swish of efficientnet-pytorch that saves memory cannot be written down.
        if hasattr(layer, "set_swish"):
            swish: Any = layer
            swish.set_swish(memory_efficient=False)
    # A batch of one would be taken for the only length there is.
    examples = [torch.from_numpy(np.repeat(array[:1], 2, axis=0)) for array in inputs.values()]
    batch = {0: torch.export.Dim("batch", min=1, max=4096)}
    shapes: Any = (batch,) if len(examples) == 1 else (batch, (batch,) * (len(examples) - 1))
    return torch.export.export(graph, tuple(examples), dynamic_shapes=shapes)


@contextmanager
def without_remarks() -> Iterator[None]:
    """Keep OpenVINO from printing tracebacks about rules that a newer PyTorch no longer has.

    It says so with ``logging.warning`` for each rule that it wants to leave out
    and that is not there to be left out, which changes nothing.
    """

    def is_worth_saying(record: logging.LogRecord) -> bool:
        return "not found in decomp table" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(is_worth_saying)
    try:
        yield
    finally:
        root.removeFilter(is_worth_saying)
