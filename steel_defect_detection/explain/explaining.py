"""Explain what a model says of an image."""

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steel_defect_detection import extras, images
from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.errors import ConfigError, ExplanationError
from steel_defect_detection.explain import networks
from steel_defect_detection.explain.attribution import attribute, check_size
from steel_defect_detection.explain.explanation import (
    COMPLETE,
    METHODS,
    Explanation,
    Method,
    Target,
)
from steel_defect_detection.explain.subject import Part, Subject, read
from steel_defect_detection.explain.targets import Aim, choose
from steel_defect_detection.models.graph import PlainGraph
from steel_defect_detection.runtimes.pytorch import find_device

MOST_GAP = 0.05
"""Largest gap of an explanation whose pixels should add up to the target."""

STEPS = 64
"""Images that integrated gradients look at unless told otherwise."""


def explain(  # noqa: PLR0913 -- one argument per option of sdd-explain
    model: Subject | Checkpoint | str | Path,
    image: NDArray[np.uint8] | Path | str,
    *,
    method: Method = "integrated-gradients",
    class_name: str | None = None,
    part: Part | None = None,
    device: str = "auto",
    steps: int = STEPS,
) -> Explanation:
    """Explain what a model says of one image. For many take an ``Explainer``.

    Args:
        model: Name of a built-in model, a checkpoint file, a run folder, or a
            network by itself.
        image: A file, or pixels: uint8, shape ``(height, width)`` or ``(height,
            width, 1 or 3)``.
        method: How.
        class_name: The class to explain; by default the one that the model
            names, or that has the largest area.
        part: Whether to explain outlines or the verdict about the whole image;
            by default outlines, where there are any.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        steps: Images that integrated gradients look at.

    Raises:
        CheckpointError: If the model is missing, damaged or an export.
        ConfigError: If it has no such class or part, or a setting is unknown.
        ExplanationError: If the method cannot explain it.
        ImageError: If the image cannot be read.
        MissingExtraError: If captum is not installed.

    Example:
        >>> from steel_defect_detection import images
        >>> found = explain("strip", images.samples()[0])  # doctest: +SKIP
        >>> found.target.class_name, found.attribution.shape  # doctest: +SKIP
        ('defect_3', (256, 1600))
    """
    subject = model if isinstance(model, Subject) else read(model, part)
    explainer = Explainer(subject, method=method, device=device, steps=steps)
    return explainer.explain(image, class_name)


class Explainer:
    """Explains what one network says, by one method.

    Args:
        subject: The network; it is not changed.
        method: How.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        steps: Images that integrated gradients look at.

    Raises:
        ConfigError: If a setting is unknown or impossible.
        DeviceError: If the device is not there.
        MissingExtraError: If captum is not installed.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        method: Method = "integrated-gradients",
        device: str = "auto",
        steps: int = STEPS,
    ) -> None:
        if method not in METHODS:
            msg = f"method must be one of {', '.join(METHODS)}, got {method!r}"
            raise ConfigError(msg)
        if steps < 1:
            msg = f"steps must be 1 or more, got {steps}"
            raise ConfigError(msg)
        extras.load("captum.attr", extra="explain")
        self.device = find_device(device)
        # A copy, since moving a network to another device would move the caller's.
        self.subject = replace(subject, graph=copy.deepcopy(subject.graph).to(self.device).eval())
        self.method, self.steps = method, steps
        # Made with the first image: how often a layer is called shows only when it is.
        self._prepared: PlainGraph | None = None

    def with_graph(self, graph: PlainGraph) -> Self:
        """Make one that explains another network of the same form by the same method."""
        subject = replace(self.subject, graph=graph)
        return type(self)(subject, method=self.method, device=str(self.device), steps=self.steps)

    def explain(
        self, image: NDArray[np.uint8] | Path | str, class_name: str | None = None
    ) -> Explanation:
        """Explain what the network says of an image.

        Args:
            image: A file, or pixels.
            class_name: The class to explain; by default the one that the model
                names, or that has the largest area.

        Raises:
            ConfigError: If there is no such class.
            ExplanationError: If the method cannot explain it, or its pixels do
                not add up to the target although they should.
            ImageError: If the image cannot be read.
        """
        source = "image" if isinstance(image, np.ndarray) else str(image)
        pixels = self.read(image)
        target = self.target(pixels, class_name)
        attribution, value, gap = self.attribute(pixels, target)
        self._check(attribution, gap)
        return Explanation(
            source=source,
            method=self.method,
            target=target,
            value=value,
            attribution=attribution,
            gap=gap,
        )

    def read(self, image: NDArray[np.uint8] | Path | str) -> NDArray[np.uint8]:
        """Read an image as the network wants it, uint8, shape ``(height, width, 1 or 3)``."""
        if not isinstance(image, np.ndarray):
            return images.read(image, grey=self.subject.grey)
        pixels = image[..., None] if image.ndim == 2 else image
        images.check(pixels, "image")
        return images.to_grey(pixels) if self.subject.grey else pixels

    def target(self, image: NDArray[np.uint8], class_name: str | None = None) -> Target:
        """Choose what is explained about an image.

        Args:
            image: uint8, shape ``(height, width, 1 or 3)``.
            class_name: The class to explain.

        Raises:
            ConfigError: If there is no such class.
            ExplanationError: If the image is too large.
        """
        pixels = self._tensor(image)
        check_size(self.subject.graph.preprocess, pixels)
        return choose(self.subject, pixels, class_name)

    def attribute(
        self, image: NDArray[np.uint8], target: Target
    ) -> tuple[NDArray[np.float32], float, float | None]:
        """Compute what each pixel does for a target, and how well that adds up.

        Args:
            image: uint8, shape ``(height, width, 1 or 3)``.
            target: What is explained.

        Returns:
            The attribution, float32, shape ``(height, width)``; the value of
            the target; and the gap of a method that has one.

        Raises:
            ExplanationError: If the method cannot explain this network.
        """
        pixels = self._tensor(image)
        baseline = torch.full_like(pixels, 255 * self.subject.graph.preprocess.config.mean)
        prepared = self._prepare(pixels)
        aim = Aim(self.subject, prepared, target)
        stage: nn.Module = aim
        if self.method == "grad-cam":
            stage = networks.last_stage(prepared, lambda graph: _everything(graph, pixels))
        found = attribute(self.method, aim, pixels, baseline, steps=self.steps, stage=stage)
        with torch.inference_mode():
            value, before = (float(aim(each)) for each in (pixels, baseline))
        attribution = found.cpu().numpy().astype(np.float32)
        if self.method not in COMPLETE:
            return attribution, value, None
        return attribution, value, _gap(float(found.double().sum()), value - before)

    def _prepare(self, pixels: Tensor) -> PlainGraph:
        """The network as the method wants it, made once."""
        if self._prepared is None:
            wanted = pixels.clone().requires_grad_()
            self._prepared = networks.prepared(
                self.subject.graph, self.method, lambda graph: _everything(graph, wanted)
            )
        return self._prepared

    def _tensor(self, image: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(image.astype(np.float32))[None].to(self.device)

    def _check(self, attribution: NDArray[np.float32], gap: float | None) -> None:
        if not np.isfinite(attribution).all():
            msg = f"{self.method} gave numbers that are not finite. Use another method"
            raise ExplanationError(msg)
        if gap is None or gap <= MOST_GAP:
            return
        advice = f"Raise --steps, now {self.steps}"
        if self.method == "deeplift":
            advice = "This network has parts without a rule. Use integrated-gradients"
        size = "without bound" if math.isinf(gap) else f"{gap:.1%}"
        msg = (
            f"the pixels of {self.method} miss the gain of the target over a grey image by {size} "
            f"of it, allowed are {MOST_GAP:.0%}. {advice}"
        )
        raise ExplanationError(msg)


def _everything(graph: PlainGraph, pixels: Tensor) -> Tensor:
    """One number that depends on all that a network says."""
    answer = graph.logits(pixels)
    answers = (answer,) if isinstance(answer, Tensor) else answer
    return torch.stack([each.sum() for each in answers]).sum()


def _gap(found: float, wanted: float) -> float:
    if wanted == 0:
        return 0.0 if found == 0 else math.inf
    return abs(found - wanted) / abs(wanted)
