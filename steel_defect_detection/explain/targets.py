"""What is explained: one number that a network gives for an image."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steel_defect_detection import masks
from steel_defect_detection.explain.explanation import Target
from steel_defect_detection.explain.subject import Subject
from steel_defect_detection.models.graph import ClassifierGraph, PlainGraph

LIKELIEST = 0.01
"""Share of the pixels that stand in where a segmenter outlines nothing."""


class Aim(nn.Module):
    """A network with the target as its only answer.

    Args:
        subject: What is explained.
        graph: Its network, or a copy of that.
        target: The number wanted.

    Shape:
        pixels: float, ``(batch, height, width, 1 or 3)``, 0 to 255.
        output: ``(batch,)``.
    """

    def __init__(self, subject: Subject, graph: PlainGraph, target: Target) -> None:
        """Keep the network and the pixels whose logits are added up."""
        super().__init__()
        self.graph = graph
        self._subject = subject
        self._number = target.number
        self._pixels = None
        if target.pixels is not None:
            device = next(graph.parameters()).device
            self._pixels = torch.from_numpy(target.pixels).to(device)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the target for each image."""
        logits = self._subject.logits(self.graph, pixels)[:, self._number]
        return logits if self._pixels is None else (logits * self._pixels).sum(dim=(1, 2))


def choose(subject: Subject, image: Tensor, class_name: str | None = None) -> Target:
    """Choose what is explained about an image.

    A classifier's target is the logit of a class: of the one named, or of the
    likeliest. A segmenter's is the sum of the logits of a class over the pixels
    that it outlines as that class: of the class named, or of the one with the
    largest area. Where it outlines none, the 1 % of the pixels stand in that are
    likeliest to be of that class, or of the likeliest class.

    Args:
        subject: What is explained.
        image: float, shape ``(1, height, width, 1 or 3)``, 0 to 255.
        class_name: The class to explain.

    Raises:
        ConfigError: If the model has no such class.
    """
    number = None if class_name is None else subject.class_number(class_name)
    with torch.inference_mode():
        logits = subject.logits(subject.graph, image).float()
        probabilities = _probabilities(subject, logits)[0, : len(subject.classes)].cpu().numpy()
    if subject.part == "segmenter":
        return _outlined(subject, probabilities, number)
    if number is None:
        number = int(probabilities.argmax())
    name = subject.classes[number]
    return Target(
        number=number,
        class_name=name,
        text=f"logit of {name}",
        probability=float(probabilities[number]),
    )


def _probabilities(subject: Subject, logits: Tensor) -> Tensor:
    if isinstance(subject.graph, ClassifierGraph):
        return subject.graph.probabilities(logits)
    return logits.sigmoid()


def _outlined(subject: Subject, probabilities: NDArray[np.float32], number: int | None) -> Target:
    limits = subject.thresholds
    label_map = masks.clean(probabilities, thresholds=limits.pixels, min_areas=limits.min_areas)
    areas = masks.areas(label_map, len(subject.classes))
    if number is None:
        highest = probabilities.max(axis=(1, 2))
        number = int(areas.argmax() if areas.any() else highest.argmax())
    name, pixels = subject.classes[number], label_map == number + 1
    text = f"logits of {name} over the {areas[number]:,} pixels outlined"
    if not areas[number]:
        pixels = _likeliest(probabilities[number])
        text = f"logits of {name} over its {pixels.sum():,} likeliest pixels, for none is outlined"
    return Target(
        number=number,
        class_name=name,
        text=text,
        probability=float(probabilities[number].max()),
        pixels=pixels,
        label_map=label_map,
    )


def _likeliest(probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The likeliest pixels, exactly as many as wanted also where many are equal."""
    count = max(1, round(LIKELIEST * probabilities.size))
    chosen = np.zeros(probabilities.size, dtype=np.bool_)
    chosen[np.argsort(-probabilities, axis=None, kind="stable")[:count]] = True
    return chosen.reshape(probabilities.shape)
