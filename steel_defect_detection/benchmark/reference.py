"""The reference way: two networks in eager PyTorch, one full frame at a time.

The strip system this package is measured against decodes an image in colour,
normalises it outside the network, asks an EfficientNet-B2 whether there is a
defect, and if so a LinkNet on an EfficientNet-B2 where: float32, contiguous
memory, two threads. Each image gets its mask as PNG. The weights here are
random, which changes no time; which images are outlined is therefore said from
outside.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
from efficientnet_pytorch import EfficientNet
from numpy.typing import NDArray
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from steel_defect_detection.benchmark.times import Chunk
from steel_defect_detection.errors import ImageError

THREADS = 2
_CLASSES = 4
# What the reference normalises with: ImageNet's colours.
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)


class ReferenceSystem:
    """Gate and segmenter of the reference way, with random weights.

    Args:
        encoder: Network that both stand on.
    """

    def __init__(self, encoder: str = "efficientnet-b2") -> None:
        torch.manual_seed(0)
        self.networks: dict[str, nn.Module] = {
            "gate": EfficientNet.from_name(encoder, num_classes=_CLASSES).eval(),
            "segmenter": smp.Linknet(encoder, encoder_weights=None, classes=_CLASSES).eval(),
        }
        self.name = f"pytorch cpu float32, {THREADS} threads"

    def run_files(self, paths: Sequence[Path], defective: Sequence[bool], output: Path) -> Chunk:
        """Judge files one after the other and write their masks.

        Args:
            paths: Image files; sides divisible by 32.
            defective: For each whether it is to be outlined.
            output: Folder for the masks.
        """
        chunk = Chunk(fired=sum(defective))
        output.mkdir(parents=True, exist_ok=True)
        with threads(THREADS), torch.inference_mode():
            started = perf_counter()
            for path, outlined in zip(paths, defective, strict=True):
                chunk.note(**self._one(path, output, outlined=outlined))
            chunk.seconds = perf_counter() - started
        return chunk

    def _one(self, path: Path, output: Path, *, outlined: bool) -> dict[str, float | None]:
        clock = [perf_counter()]
        image = _read(path)
        clock.append(perf_counter())
        self.networks["gate"](image).sigmoid().numpy()
        clock.append(perf_counter())
        label_map = np.zeros(image.shape[-2:], dtype=np.uint8)
        if outlined:
            probabilities = self.networks["segmenter"](image).sigmoid()[0].numpy()
            found = probabilities.max(axis=0) > 0.5
            label_map[found] = probabilities.argmax(axis=0)[found] + 1
        clock.append(perf_counter())
        _, data = cv2.imencode(".png", label_map)
        (output / f"{path.stem}.png").write_bytes(data.tobytes())
        clock.append(perf_counter())
        decode, gate, segment, write = np.diff(clock) * 1000
        return {
            "decode": float(decode),
            "gate": float(gate),
            "segment": float(segment) if outlined else None,
            "write": float(write),
        }

    def parameters(self, network: str) -> int:
        """Numbers that a network has learned.

        Args:
            network: ``gate`` or ``segmenter``.
        """
        return sum(weight.numel() for weight in self.networks[network].parameters())

    def flop(self, network: str, shape: tuple[int, int]) -> int:
        """Multiplications and additions of a network for one image.

        Args:
            network: ``gate`` or ``segmenter``.
            shape: Height and width of the image, in pixels.
        """
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            self.networks[network](torch.zeros(1, 3, *shape))
        return int(counter.get_total_flops())


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let PyTorch use so many threads for a while.

    Args:
        count: Threads, at least 1.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _read(path: Path) -> torch.Tensor:
    pixels = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        msg = f"{path} cannot be decoded"
        raise ImageError(msg)
    colours: NDArray[np.float32] = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.float32)
    normal = (colours / 255 - _MEAN) / _STD
    return torch.from_numpy(np.ascontiguousarray(normal.transpose(2, 0, 1)))[None]
