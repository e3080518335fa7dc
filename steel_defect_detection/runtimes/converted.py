"""What the engines share that do not run a graph as it is, but a network converted from it.

A network is converted for each size of images that it meets, once: what was
converted is kept in the user's cache folder, so that a second start needs
neither PyTorch nor the converter.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from importlib.metadata import version
from threading import Lock
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ConversionError
from steel_defect_detection.models.config import GraphConfig, Preprocessing
from steel_defect_detection.runtimes import cache
from steel_defect_detection.runtimes.processor import cores

MOST_SIZES = 8
"""Sizes of images whose networks are held ready; of more sizes, the latest ones are."""


class Network(Protocol):
    """A converted network in its engine; several threads may run it at the same time."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Run it on arrays by name; those that it does not take are passed over."""
        ...


Ready = TypeVar("Ready", bound=Network)


class ConvertedRuntime(ABC, Generic[Ready]):
    """A graph that is converted for each size of images.

    Each image is computed by one thread, and several images at the same time:
    that wastes no core.

    Args:
        config: The graph to convert.
        tensors: Its weights by name.
        threads: Processor threads in all; 0 for as many as there are cores.
    """

    FORM: ClassVar[str]
    """Name of the engine's networks and a number, raised whenever they are made in another way."""

    CONVERTERS: ClassVar[tuple[str, ...]]
    """Distributions whose versions change what is converted."""

    def __init__(
        self,
        config: GraphConfig,
        tensors: Mapping[str, NDArray[np.generic]],
        *,
        threads: int = 0,
    ) -> None:
        """Wait for the first images: their size decides what is converted."""
        self._config = config
        self._tensors = tensors
        versions = {name: version(name) for name in self.CONVERTERS}
        self._identity = [self.FORM, _hash(tensors), config.model_dump(mode="json"), versions]
        self._threads = threads or cores()
        self._lock = Lock()
        self._networks: OrderedDict[str, Ready | ConversionError] = OrderedDict()

    @property
    def parallel(self) -> int:
        """As many threads as compute."""
        return self._threads

    @property
    @abstractmethod
    def precision(self) -> str:
        """Arithmetic of the network that was opened last."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How images become what the network sees."""
        return self._config.preprocessing

    def knows(self, images: NDArray[np.uint8], **features: NDArray[np.float32]) -> bool:
        """Whether the network for images of this size is converted already.

        Args:
            images: As ``run`` takes them.
            **features: As ``run`` takes them.
        """
        key = self._key({"images": images, **features})
        return key in self._networks or cache.load(key) is not None

    def run(
        self, images: NDArray[np.uint8], **features: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float32]]:
        """Run the network.

        Args:
            images: uint8, shape ``(batch, height, width, 1 or 3)``, any size;
                the first of each size takes seconds, unless the size is known
                from an earlier start.
            **features: What the network takes beside the images, by name.

        Raises:
            CheckpointError: If the weights do not fit the graph.
            ConversionError: If the network cannot be converted, or does not say
                then what PyTorch says.
            MissingExtraError: If the converter is needed and not installed.
        """
        inputs: dict[str, NDArray[Any]] = {"images": images, **features}
        return self._network(inputs).run(inputs)

    @abstractmethod
    def _convert(self, inputs: Mapping[str, NDArray[Any]]) -> cache.Entry:
        """Convert the graph for inputs of these shapes."""

    @abstractmethod
    def _ready(self, entry: cache.Entry) -> Ready:
        """Make a converted network ready to run."""

    def _network(self, inputs: Mapping[str, NDArray[Any]]) -> Ready:
        """The network for inputs of these shapes; of many sizes the latest ones are kept."""
        key = self._key(inputs)
        with self._lock:
            if key not in self._networks:
                try:
                    self._networks[key] = self._open(key, inputs)
                except ConversionError as error:
                    # Remembered: the next image would wait as long for the same refusal.
                    self._networks[key] = error
            self._networks.move_to_end(key)
            while len(self._networks) > MOST_SIZES:
                self._networks.popitem(last=False)
            network = self._networks[key]
        if isinstance(network, ConversionError):
            raise network
        return network

    def _open(self, key: str, inputs: Mapping[str, NDArray[Any]]) -> Ready:
        entry = cache.load(key)
        if entry is None:
            entry = self._convert(inputs)
            cache.store(key, entry)
        return self._ready(entry)

    def _key(self, inputs: Mapping[str, NDArray[Any]]) -> str:
        """Hash of all that a converted network depends on."""
        shapes = {name: array.shape[1:] for name, array in inputs.items()}
        content = json.dumps([*self._identity, shapes], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def _hash(tensors: Mapping[str, NDArray[np.generic]]) -> str:
    digest = hashlib.blake2b()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape} ".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
