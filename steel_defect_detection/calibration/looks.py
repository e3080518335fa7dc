"""What a network says and sees on images whose truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, softmax
from torch import Tensor

from steel_defect_detection import masks
from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ImageError, NoImagesError
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import Flips, GraphConfig
from steel_defect_detection.models.graph import PlainGraph, SegmenterGraph, TwoHeadGraph
from steel_defect_detection.models.stages import Watch, statistics
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.runtimes import tiling
from steel_defect_detection.runtimes.flips import copies
from steel_defect_detection.runtimes.pytorch import find_device

GRID = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Thresholds that are tried out for pixels, and stand in the table of all decisions."""

LOOKS_FIRST = ("classifier", "two_head", "encoder_gate", "segmenter")
"""Graphs that may be the one of a model that looks at each image first, by name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What a network says of an image, and what it sees on it.

    Args:
        name: Name of the image.
        logits: Of the classes, and of any defect where it has a logit of its
            own, shape ``(copies, outputs)``, those of the image itself first; None
            from a network that only outlines.
        numbers: Statistics of its stages for the image itself, shape ``(tiles,
            numbers)``.
        labels: Which classes the image shows, bool, shape ``(classes,)``.
        group: Images of one group show the same thing.
    """

    name: str
    logits: NDArray[np.float32] | None
    numbers: NDArray[np.float32]
    labels: NDArray[np.bool_]
    group: int


class Observer:
    """The network of a model that looks at each image first.

    Args:
        checkpoint: The model.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Attributes:
        graph: Name of the graph.
        channels: Channels of each stage, known after the first image.
    """

    def __init__(self, checkpoint: Checkpoint, *, device: str = "auto") -> None:
        """Build the network as it was trained."""
        graphs = checkpoint.header.graphs
        self.graph = next(name for name in LOOKS_FIRST if name in graphs)
        self.channels: tuple[int, ...] = ()
        self._config = as_trained(graphs[self.graph])
        self._device = find_device(device)
        network = weights.restored_plain(self._config, checkpoint.weights(self.graph))
        self._network: PlainGraph = network.to(self._device)
        self._watch = Watch(network.network)

    def look(
        self, image: NDArray[np.uint8], flips: Flips = "none"
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.float32]]:
        """Look at an image.

        Args:
            image: uint8, shape ``(height, width, 1 or 3)``.
            flips: Mirrored copies to look at, too.

        Returns:
            Its logits and numbers, as ``Seen`` has them.
        """
        windows = tiling.cover(image, self._config.preprocessing)
        tiles = [[self._look(copy) for copy in copies(image[window], flips)] for window in windows]
        numbers = np.concatenate([shown[0][1] for shown in tiles])
        if tiles[0][0][0] is None:
            return None, numbers
        return self._of_image(np.array([[logits for logits, _ in tile] for tile in tiles])), numbers

    def _look(
        self, tile: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.float32]]:
        pixels = torch.from_numpy(np.ascontiguousarray(tile)[None]).to(self._device)
        with torch.inference_mode(), self._watch() as seen:
            logits = self._logits(pixels)
            numbers = statistics(seen).cpu().numpy()
        self.channels = tuple(stage.shape[1] for stage in seen)
        return (None if logits is None else logits[0].float().cpu().numpy()), numbers

    def _logits(self, pixels: Tensor) -> Tensor | None:
        graph = self._network
        if isinstance(graph, TwoHeadGraph):
            # The gate alone: outlines are not asked for, and a shared backbone has them elsewhere.
            return graph.network.judge(graph.network.encode(graph.preprocess(pixels)))
        answer = graph.logits(pixels)
        return None if isinstance(graph, SegmenterGraph) else answer

    def _of_image(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of an image's copies from those of its tiles, as predictors choose."""
        network = self._config.network
        if network.kind != "classifier" or not network.exclusive:
            highest = expit(logits.astype(np.float64)).mean(axis=1).argmax(axis=0)
            return np.stack([logits[tile, :, place] for place, tile in enumerate(highest)], axis=1)
        # Between tiles probabilities count, as rounded as predictors see them.
        said = (softmax(logits, axis=2) if network.adds_up else expit(logits)).mean(axis=1)
        surest = said.max(axis=1)
        good = network.good_class
        defect = surest if good is None else 1 - said[:, network.classes.index(good)]
        return np.asarray(logits[np.lexsort((surest, defect))[-1]])


def as_trained(config: GraphConfig) -> GraphConfig:
    """Take away what calibration has added to a graph.

    Args:
        config: The graph.
    """
    return config.model_copy(update={"familiarity": None, "temperature": 1.0})


def labelled(dataset: Dataset, problems: dict[str, str]) -> Dataset:
    """Fill in the labels from the masks, and leave out images whose size nobody can read.

    Args:
        dataset: Images with labels or masks.
        problems: Takes up what is wrong with those that are left out, by name.

    Raises:
        NoImagesError: If there are no images.
        ImageError: If none of them can be read.
        AnnotationError: If a mask cannot be used.
    """
    entries, unreadable = [], {}
    for entry in dataset.entries:
        try:
            entries.append(entry.labelled())
        except ImageError as error:
            unreadable[entry.name] = str(error)
    if not entries:
        refuse_none(unreadable)
    problems |= unreadable
    return replace(dataset, entries=tuple(entries))


def observe(
    observer: Observer,
    dataset: Dataset,
    *,
    problems: dict[str, str],
    flips: Flips = "none",
    progress: bool = False,
) -> list[Seen]:
    """Look at all images of a data set.

    Args:
        observer: The network.
        dataset: Images with labels.
        problems: Takes up what is wrong with images that cannot be read, by name.
        flips: Mirrored copies to look at, too.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Raises:
        NoImagesError: If there are no images.
        ImageError: If none of them can be read.
        AnnotationError: If an image has no labels.
    """
    labels = dataset.labels()
    groups = {name: place for place, name in enumerate(_groups(dataset))}
    found, unreadable = [], {}
    rows = list(zip(dataset.entries, labels, _groups(dataset), strict=True))
    for entry, shown, group in progress_bar(rows, unit="image", shown=progress):
        try:
            logits, numbers = observer.look(entry.read_image(), flips)
        except ImageError as error:
            unreadable[entry.name] = str(error)
            continue
        found.append(
            Seen(name=entry.name, logits=logits, numbers=numbers, labels=shown, group=groups[group])
        )
    if not found:
        refuse_none(unreadable)
    problems |= unreadable
    return found


def refuse_none(problems: Mapping[str, str]) -> None:
    """Raise because no image is left.

    Args:
        problems: What is wrong with those that there were, by name.

    Raises:
        ImageError: If there were some.
        NoImagesError: If there were none.
    """
    for name, problem in problems.items():
        msg = f"none of {len(problems)} images can be read, first {name}: {problem}"
        raise ImageError(msg)
    msg = "there are no images to calibrate on"
    raise NoImagesError(msg)


def outline_scores(
    checkpoint: Checkpoint,
    dataset: Dataset,
    *,
    flips: Flips | None = None,
    device: str = "auto",
    progress: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Up to which threshold of the pixels each class is still found on each image.

    Args:
        checkpoint: A model that outlines defects; its gate is not asked, and
            its least areas hold.
        dataset: Images, of which those with masks count.
        flips: Mirrored copies to look at, too; by default as the model does.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Returns:
        Scores, one of ``GRID`` or 0, shape ``(images, classes)``, and whether
        each class is there in truth, bool, same shape. Without masks there are
        no images.
    """
    gate = None if checkpoint.header.architecture == "segmenter" else 0.0
    predictor = load_predictor(
        checkpoint,
        gate_threshold=gate,
        least_familiarity=0,
        only_named=False,
        keep_probabilities=True,
        flips=flips,
        runtime="pytorch",
        device=device,
    )
    areas = checkpoint.header.thresholds.min_areas
    scores, truth = [], []
    outlined = dataset.subset(
        place for place, entry in enumerate(dataset.entries) if entry.masks is not None
    )
    for place in progress_bar(range(len(outlined)), unit="image", shown=progress):
        try:
            sample = outlined[place]
        except ImageError:
            continue  # named already, by those who looked at all images
        prediction = predictor.predict(sample.image)
        if prediction.probabilities is None or sample.masks is None:
            continue
        scores.append(_highest(prediction.probabilities, areas))
        truth.append(sample.masks.any(axis=(1, 2)))
    shape = (-1, len(checkpoint.header.classes))
    return np.reshape(scores, shape).astype(np.float64), np.reshape(truth, shape).astype(np.bool_)


def _highest(probabilities: NDArray[np.float32], min_areas: Sequence[int]) -> NDArray[np.float64]:
    """Highest threshold of the grid at which each class still has an outline."""
    count = len(probabilities)
    found = np.zeros(count)
    for threshold in GRID:
        if probabilities.max(initial=0.0) < threshold:
            break
        label_map = masks.clean(
            probabilities, thresholds=(threshold,) * count, min_areas=tuple(min_areas)
        )
        found[masks.areas(label_map, count) > 0] = threshold
    return found


def _groups(dataset: Dataset) -> list[str]:
    """Group of each image; one that stands alone is its own."""
    return [
        f"group {entry.group}" if entry.group is not None else f"image {place}"
        for place, entry in enumerate(dataset.entries)
    ]
