"""Networks alone: what they have to compute, and how long one answer takes.

FLOP are counted by PyTorch, convolutions and matrix products only, a
multiplication and an addition as two. A runtime hands its answer over as arrays
in main memory, so a device has finished its work when the clock is read.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from steel_defect_detection import images
from steel_defect_detection.benchmark import times
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.runtimes.flips import looks
from steel_defect_detection.runtimes.runtime import Runtime

BATCH = 8
"""Images at once, where throughput is measured."""

WARM_UP = 3
_BATCHES = 3


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a network has to do for one image.

    Args:
        parameters: Numbers that it has learned.
        flop: Multiplications and additions of convolutions and products.
    """

    parameters: int
    flop: int


def count(config: GraphConfig, shape: tuple[int, int]) -> Work:
    """Count what a graph has to do, without doing it.

    Args:
        config: The graph.
        shape: Height and width of the image, in pixels.
    """
    graph = graphs.build(config).eval().to("meta")
    image = torch.zeros(1, *shape, 3, dtype=torch.uint8, device="meta")
    with torch.inference_mode():
        inputs = (image, *_features(config, image))
        with FlopCounterMode(display=False) as counter:
            graph(*inputs)
    parameters = sum(weight.numel() for weight in graph.parameters())
    return Work(parameters=parameters, flop=int(counter.get_total_flops()))


def measure(
    predictor: Predictor,
    pictures: Sequence[NDArray[np.uint8]],
    work: Sequence[Work],
    *,
    repeats: int,
) -> dict[str, dict[str, Any]]:
    """Measure each network of a predictor.

    Args:
        predictor: Whose networks to measure.
        pictures: Images of one size to measure with, uint8, ``(height, width, 3)``.
        work: What each network has to do for one look at an image, in their order.
        repeats: Answers that are timed.

    Returns:
        Measures of each network by its name.
    """
    found = {}
    features: dict[str, NDArray[np.float32]] = {}
    for (name, network), task in zip(predictor.networks.items(), work, strict=True):
        # As files are read for it.
        is_grey = network.preprocessing.channels == 1
        seen = [images.to_grey(picture) if is_grey else picture for picture in pictures]
        answers = network.run(seen[0][None], **features)
        alone, together = _measure(network, seen, features, repeats)
        found[name] = {
            "runtime": network.name,
            "parameters": task.parameters,
            **times.report_network(alone, task.flop * looks(predictor.flips)),
            "images_per_second": 1000 * BATCH / float(np.mean(together)),
        }
        features = {key: value for key, value in answers.items() if key.startswith("feature_")}
    return found


def _measure(
    network: Runtime,
    pictures: Sequence[NDArray[np.uint8]],
    features: dict[str, NDArray[np.float32]],
    repeats: int,
) -> tuple[list[float], list[float]]:
    """Milliseconds of single images, and of several at the same time or in a batch."""
    alone = times.repeat(
        lambda number: network.run(pictures[number % len(pictures)][None], **features),
        count=repeats,
        warm_up=WARM_UP,
    )
    batch = np.stack([pictures[number % len(pictures)] for number in range(BATCH)])
    if network.parallel == 1:
        several = {name: np.repeat(values, BATCH, axis=0) for name, values in features.items()}
        return alone, times.repeat(
            lambda _: network.run(batch, **several), count=_BATCHES, warm_up=1
        )
    with ThreadPoolExecutor(network.parallel) as pool:
        together = times.repeat(
            lambda _: list(pool.map(lambda one: network.run(one[None], **features), batch)),
            count=_BATCHES,
            warm_up=1,
        )
    return alone, together


def _features(config: GraphConfig, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What the decoder of a shared backbone takes beside the image."""
    if config.part != "decoder":
        return ()
    gate = graphs.build(config.model_copy(update={"part": "gate"})).eval().to("meta")
    found = dict(zip(gate.outputs, gate(image), strict=True))
    return tuple(value for name, value in found.items() if name.startswith("feature_"))
