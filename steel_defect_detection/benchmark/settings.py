"""Settings of a benchmark."""

from dataclasses import dataclass
from pathlib import Path

from steel_defect_detection.benchmark.mixes import SHARES
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.config import Flips


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to measure.

    Args:
        model: Built-in name, checkpoint file or run folder.
        images: Folder of the strips that files are made from; by default the
            built-in samples.
        count: Files of each mix; the operating point sees each of them once.
        mixes: Names of ``SHARES``.
        size: Height and width of the files, in pixels.
        each: Files of each mix that the other configurations see.
        repeats: Timed answers of each network.
        reference: Whether to run the reference way beside it.
        reference_images: Least files of each mix that the reference way sees.
        runtimes: Engines to measure, the operating point's first; by default
            all that there are, and the operating point is ``auto``.
        precisions: Their arithmetic, in the same way.
        flips: Mirrored copies of each image to look at, too; by default as the
            model does.
        threads: Threads per network; 0 for as many as there are cores.
        device: ``cpu`` or ``cuda``.
        judge: Labelled folders on which the quick way must miss nothing,
            each with the model for it; None stands for ``model``.
        careful: Model whose decisions in PyTorch and float32 are the yardstick
            for ``model``; by default itself.
        configurations: Whether to measure each topology on each engine too.
        starts: Timed starts of ``sdd-predict``.
        side: Rows and columns of the matrices that the peak is measured with.
        seed: Number that the files depend on.

    Raises:
        ConfigError: If a setting is impossible.
    """

    model: str = "strip"
    images: Path | None = None
    count: int = 32
    mixes: tuple[str, ...] = ("clean", "half")
    size: tuple[int, int] = (256, 1600)
    each: int = 8
    repeats: int = 10
    reference: bool = True
    reference_images: int = 8
    runtimes: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    flips: Flips | None = None
    threads: int = 0
    device: str = "cpu"
    judge: tuple[tuple[str | None, Path], ...] = ()
    careful: str | None = None
    configurations: bool = True
    starts: int = 5
    side: int = 2048
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        unknown = [name for name in self.mixes if name not in SHARES]
        if unknown or not self.mixes:
            got = repr(unknown[0]) if unknown else "none"
            msg = f"mixes must be among {', '.join(SHARES)}, got {got}"
            raise ConfigError(msg)
        least = {"count": 2, "each": 2, "repeats": 1, "reference_images": 2, "starts": 0, "side": 1}
        for name, value in least.items():
            if getattr(self, name) < value:
                msg = f"{name} must be at least {value}, got {getattr(self, name)}"
                raise ConfigError(msg)
        if self.reference and any(side % 32 for side in self.size):
            msg = f"the reference way takes sizes that 32 divides, got {self.size}"
            raise ConfigError(msg)
