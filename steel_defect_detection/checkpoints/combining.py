"""Make one model of others: a cascade of two, or a shared backbone of two heads."""

import hashlib
from dataclasses import replace

from steel_defect_detection.checkpoints.file import PREFIXES, Checkpoint
from steel_defect_detection.checkpoints.header import GRAPHS, Card, Header
from steel_defect_detection.errors import CheckpointError


def join(gate: Checkpoint, segmenter: Checkpoint, card: Card | None = None) -> Checkpoint:
    """Make a cascade of a classifier and a segmenter.

    Args:
        gate: Checkpoint of a classifier.
        segmenter: Checkpoint of a segmenter with the same classes.
        card: Card of the cascade; by default the segmenter's.

    Raises:
        CheckpointError: If they are something else, or their classes or flips
            differ.
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
    if gate.header.flips != segmenter.header.flips:
        msg = (
            f"the thresholds of {gate.source} were chosen with flips {gate.header.flips!r}, those "
            f"of {segmenter.source} with {segmenter.header.flips!r}. Calibrate both with the same"
        )
        raise CheckpointError(msg)
    gate_limits, limits = gate.header.thresholds, segmenter.header.thresholds
    header = Header(
        architecture="cascade",
        graphs={**gate.header.graphs, **segmenter.header.graphs},
        classes=gate.header.classes,
        background=gate.header.background,
        thresholds=limits.model_copy(
            update={
                "gate": gate_limits.gate,
                "classes": gate_limits.classes,
                "familiarity": gate_limits.familiarity,
            }
        ),
        calibration=gate.header.calibration,
        flips=gate.header.flips,
        card=card or segmenter.header.card,
    )
    tensors = {
        PREFIXES["cascade", graph][1] + name: tensor
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
        name: graph.model_copy(
            update={"part": part, "familiarity": None if part == "decoder" else graph.familiarity}
        )
        for name, (_, part) in GRAPHS["shared_backbone"].items()
    }
    changes = {"architecture": "shared_backbone", "graphs": graphs}
    return replace(two_head, header=two_head.header.model_copy(update=changes))
