"""How far made images are from real ones, as a classifier of ours sees them.

Images are compared by what the classifier's last layer is given (its features),
all at once and not one by one: the distance is 0 on average where both sets are
drawn alike, whatever is on the single images. It is the kernel distance (KID) of
Binkowski et al., "Demystifying MMD GANs", ICLR 2018,
https://arxiv.org/abs/1801.01401: the unbiased squared maximum mean discrepancy
with the kernel (x.y / d + 1)^3, where d is the number of features. Theirs uses
features of the Inception network, so their numbers and these are worlds apart,
and numbers of two classifiers are too.

The usual Fréchet distance (FID) needs that network. It is given beside where the
package torch-fidelity is installed and its weights lie where it keeps them;
nothing is downloaded. It is too high for few images: thousands are usual.
"""

import pickle
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steel_defect_detection.calibration.looks import as_trained
from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.errors import ConfigError, NoImagesError
from steel_defect_detection.models import weights
from steel_defect_detection.models.classifier import Classifier
from steel_defect_detection.models.graph import PlainGraph, TwoHeadGraph
from steel_defect_detection.models.two_head import TwoHead
from steel_defect_detection.runtimes.pytorch import find_device

INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
"""File of torch-fidelity's weights, in the folder ``checkpoints`` of ``torch.hub``."""

LEAST_IMAGES = 4
"""Half of each set is compared too, and that takes two images."""

_DECIDING = ("classifier", "two_head", "encoder_gate", "segmenter")
_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How far made images are from real ones; all numbers are better when low.

    Args:
        kernel_distance: Kernel distance; it may be slightly negative.
        kernel_deviation: Its standard deviation, estimated from random halves.
        frechet_distance: FID, or None where its network is not at hand.
        remark: Why there is none, in a sentence; empty if there is one.
    """

    kernel_distance: float
    kernel_deviation: float
    frechet_distance: float | None
    remark: str


class Judge:
    """Features of images, from the network of a model that looks first.

    Args:
        checkpoint: A classifier; of a cascade or two heads the gate counts, and
            of a lone segmenter its encoder.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    """

    def __init__(self, checkpoint: Checkpoint, *, device: str = "auto") -> None:
        """Build the network as it was trained."""
        graphs = checkpoint.header.graphs
        name = next(name for name in _DECIDING if name in graphs)
        config = as_trained(graphs[name])
        self._device = find_device(device)
        network = weights.restored_plain(config, checkpoint.weights(name))
        self._graph: PlainGraph = network.to(self._device)

    def features(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Look at images of one size.

        Args:
            images: uint8, each of shape ``(height, width, 1 or 3)``.

        Returns:
            Shape ``(images, features)``.
        """
        found = []
        for start in range(0, len(images), _AT_ONCE):
            batch = torch.from_numpy(np.stack(images[start : start + _AT_ONCE]))
            with torch.inference_mode(), _watched(self._graph.network) as seen:
                self._look(batch.to(self._device))
            found.append(seen[0].double().cpu().numpy())
        return np.concatenate(found)

    def _look(self, pixels: Tensor) -> None:
        graph = self._graph
        if isinstance(graph, TwoHeadGraph):
            # The gate alone, for a shared backbone has its outlines elsewhere.
            graph.network.judge(graph.network.encode(graph.preprocess(pixels)))
        else:
            graph.logits(pixels)


def compare(
    real: Sequence[NDArray[np.uint8]],
    made: Sequence[NDArray[np.uint8]],
    checkpoint: Checkpoint,
    *,
    device: str = "auto",
) -> Likeness:
    """Compare made images with real ones.

    Args:
        real: uint8, each of shape ``(height, width, 1 or 3)``, all of one size.
        made: The same; give both as many and the same size.
        checkpoint: Whose features count, as ``Judge`` takes them.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        NoImagesError: If one of them has fewer than four images.
        DeviceError: If the device is not there.
    """
    for which, images in (("real", real), ("made", made)):
        _check_count(which, len(images))
    judge = Judge(checkpoint, device=device)
    distance, deviation = kernel_distance(judge.features(real), judge.features(made))
    lacking = _lacking()
    return Likeness(
        kernel_distance=distance,
        kernel_deviation=deviation,
        frechet_distance=None if lacking else _frechet_distance(real, made),
        remark=f"{lacking}, so the kernel distance is given alone" if lacking else "",
    )


def kernel_distance(
    real: NDArray[np.floating[Any]],
    made: NDArray[np.floating[Any]],
    *,
    halves: int = 100,
    seed: int = 0,
) -> tuple[float, float]:
    """Estimate the kernel distance of two sets of features, and how sure that is.

    Args:
        real: Shape ``(images, features)``, at least four images.
        made: The same, of as many features.
        halves: Random halves of both sets that are compared too.
        seed: Seed of what chooses them.

    Returns:
        The distance of all images, which has no bias, and the standard deviation
        of the distances of halves. That is about the deviation of the former,
        as a jackknife that leaves half of the data out has it.

    Raises:
        NoImagesError: If a set has fewer than four images.
        ConfigError: If they have not as many features.
    """
    _check_count("real", len(real))
    _check_count("made", len(made))
    if real.shape[1] != made.shape[1]:
        msg = f"expected as many features of both sets, got {real.shape[1]} and {made.shape[1]}"
        raise ConfigError(msg)
    both = np.concatenate([real, made]).astype(np.float64)
    kernel = (both @ both.T / both.shape[1] + 1) ** 3
    first, second = np.arange(len(real)), np.arange(len(real), len(both))
    random = np.random.default_rng(seed)
    distances = [
        _discrepancy(
            kernel,
            random.choice(first, len(first) // 2, replace=False),
            random.choice(second, len(second) // 2, replace=False),
        )
        for _ in range(halves)
    ]
    return _discrepancy(kernel, first, second), float(np.std(distances))


def _lacking() -> str:
    """What FID lacks here."""
    path = _inception()
    if find_spec("torch_fidelity") is None:
        return "FID needs the package torch-fidelity, which is not installed"
    if not path.is_file():
        return f"FID needs {path}, which is not there"
    try:
        # torch-fidelity would run whatever code stands in the file.
        torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError):
        return f"FID needs {path}, which is no file of weights alone"
    return ""


def _inception() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION


def _frechet_distance(
    real: Sequence[NDArray[np.uint8]], made: Sequence[NDArray[np.uint8]]
) -> float:
    # Late: it takes seconds where torch-fidelity is installed.
    from torchmetrics.image.fid import FrechetInceptionDistance

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*large memory footprint.*")
        measure = FrechetInceptionDistance(feature_extractor_weights_path=str(_inception()))
        measure.set_dtype(torch.float64)
    for images, is_real in ((real, True), (made, False)):
        for start in range(0, len(images), _AT_ONCE):
            batch = np.stack(images[start : start + _AT_ONCE])
            colours = np.repeat(batch, 3 // batch.shape[3], axis=3).transpose(0, 3, 1, 2)
            measure.update(torch.from_numpy(np.ascontiguousarray(colours)), real=is_real)
    return float(measure.compute())


def _check_count(which: str, count: int) -> None:
    if count < LEAST_IMAGES:
        msg = f"expected at least {LEAST_IMAGES} {which} images to compare, got {count}"
        raise NoImagesError(msg)


def _discrepancy(
    kernel: NDArray[np.float64], first: NDArray[np.intp], second: NDArray[np.intp]
) -> float:
    """Unbiased squared maximum mean discrepancy: an image is not compared with itself."""
    within = [_mean_of_others(kernel[np.ix_(part, part)]) for part in (first, second)]
    return float(sum(within) - 2 * kernel[np.ix_(first, second)].mean())


def _mean_of_others(kernel: NDArray[np.float64]) -> float:
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))


@contextmanager
def _watched(network: nn.Module) -> Iterator[list[Tensor]]:
    """Give a list that gets the features of a batch, shape ``(batch, features)``.

    A classifier's are what its head takes in; of the others, the mean over the
    image of what the encoder gives at last.
    """
    seen: list[Tensor] = []

    def note(found: Tensor) -> None:
        seen.append(found.float().mean(dim=(2, 3)) if found.ndim == 4 else found.float())

    if isinstance(network, Classifier):
        hook = _head(network).register_forward_pre_hook(lambda _, taken: note(taken[0]))
    elif isinstance(network, TwoHead):
        head = network.get_submodule("network.classification_head")
        hook = head.register_forward_pre_hook(lambda _, taken: note(taken[0]))
    else:
        encoder = network.get_submodule("network.encoder")
        hook = encoder.register_forward_hook(lambda _, __, given: note(given[-1]))
    try:
        yield seen
    finally:
        hook.remove()


def _head(network: Classifier) -> nn.Module:
    """The one part that does not belong to the encoder."""
    encoder = {id(part) for part in network.encoder_parts()}
    return next(part for part in network.network.children() if id(part) not in encoder)
