"""Topologies: the same question asked of two networks, of two heads, of a shared backbone.

The model that is measured is one of them. The others stand on the encoder of its
segmenter, look at images in the same way and have random weights, which changes
no time.
"""

from dataclasses import replace

import torch

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Checkpoint, Header, Thresholds
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import GraphConfig, TwoHeadConfig


def of(model: Checkpoint) -> dict[str, Checkpoint]:
    """The model and, if it is a cascade, its counterparts with one encoder.

    Args:
        model: The model that is measured.

    Returns:
        Checkpoints by the name of their architecture; the model comes first.
    """
    found: dict[str, Checkpoint] = {model.header.architecture: model}
    if model.header.architecture != "cascade":
        return found
    segmenter = model.header.graphs["segmenter"]
    network = segmenter.network
    if network.kind != "segmenter":
        return found
    torch.manual_seed(0)
    config = GraphConfig(
        network=TwoHeadConfig(
            architecture=network.architecture, encoder=network.encoder, classes=network.classes
        ),
        preprocessing=segmenter.preprocessing,
    )
    count = len(network.classes)
    header = Header(
        architecture="two_head",
        graphs={"two_head": config},
        classes=network.classes,
        # Random weights find specks everywhere, and cleaning those would take longer than defects.
        thresholds=Thresholds.default(count).model_copy(update={"pixels": (1.0,) * count}),
    )
    two_head = replace(
        model,
        header=header,
        tensors=weights.arrays(graphs.build(config)),
        source="random weights",
        sha256="",
    )
    return {**found, "two_head": two_head, "shared_backbone": checkpoints.share(two_head)}
