"""Read an export back: check that its files belong together, then run them.

Reading looks at bytes only; no engine sees a file before its hash is right.
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Header
from steel_defect_detection.errors import CheckpointError, ImageError, SteelDefectError
from steel_defect_detection.export.description import Description
from steel_defect_detection.export.formats import FORMATS, of_file
from steel_defect_detection.models.config import Preprocessing
from steel_defect_detection.runtimes.processor import cores
from steel_defect_detection.runtimes.runtime import Run


@dataclass(frozen=True, kw_only=True, eq=False)
class Export:
    """An export whose files belong together.

    Args:
        description: What they say about themselves.
        folder: Where they lie.
    """

    description: Description
    folder: Path

    @property
    def header(self) -> Header:
        """Header of the checkpoint."""
        return self.description.header

    @property
    def sha256(self) -> str:
        """Hash of the checkpoint."""
        return self.description.sha256

    @property
    def source(self) -> str:
        """Where it came from, for people."""
        return str(self.folder)

    def networks(self, *, threads: int = 0) -> dict[str, "ExportedRuntime"]:
        """Load all networks, by graph.

        Args:
            threads: Processor threads in all; 0 for as many as there are cores.

        Raises:
            CheckpointError: If an engine cannot read its file.
            MissingExtraError: If the engine is not installed.
        """
        return {
            graph: self._network(graph, self.folder / network.file, threads)
            for graph, network in self.description.networks.items()
        }

    def _network(self, graph: str, path: Path, threads: int) -> "ExportedRuntime":
        about = self.description
        threads = threads or cores()
        try:
            run = FORMATS[about.format].load(path, threads)
        except SteelDefectError:
            raise
        except Exception as error:  # each engine raises kinds of its own
            what = " ".join(str(error).split())[:200]
            msg = f"{path} is no network that {about.format} can read: {what}"
            raise CheckpointError(msg) from error
        parallel = 1 if about.format == "torchscript" else threads
        return ExportedRuntime(run, about, about.header.graphs[graph].preprocessing, parallel)


class ExportedRuntime:
    """A runtime for images of the one size that it was exported for.

    Args:
        run: Runs the network.
        description: What its file says about itself.
        preprocessing: How images become what the network sees.
        parallel: Threads that should run it at the same time.
    """

    def __init__(
        self, run: Run, description: Description, preprocessing: Preprocessing, parallel: int
    ) -> None:
        self._run = run
        self._shape = description.image_shape
        self.name = f"{description.format} cpu {description.precision}"
        self.parallel = parallel
        self.precision = description.precision
        self.preprocessing = preprocessing

    def run(
        self, images: NDArray[np.uint8], **features: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float32]]:
        """Run the network.

        Args:
            images: uint8, shape ``(batch, height, width, 1 or 3)``.
            **features: What the network takes beside the images, by name.

        Raises:
            ImageError: If the images have another size.
        """
        height, width, channels = self._shape
        if images.shape[1:3] != (height, width):
            msg = (
                f"the model was exported for images of {width} x {height} pixels, this one has "
                f"{images.shape[2]} x {images.shape[1]}. Export it for that size, or use the "
                "checkpoint, which takes any"
            )
            raise ImageError(msg)
        if images.shape[3] != channels:
            images = np.repeat(images, channels, axis=3)
        return self._run({"images": images, **features})


def is_export(path: str | Path) -> bool:
    """Whether a word for a model is a file of an export, or a folder with such files.

    Args:
        path: File or folder; a run folder of training is none, and neither is
            the name of a built-in model, whatever lies beside it.
    """
    if str(path) in checkpoints.built_in():
        return False
    place = Path(path)
    if place.is_dir():
        return not (place / "model.safetensors").is_file() and bool(_networks_in(place))
    return place.is_file() and of_file(place) is not None


def is_ours(path: Path) -> bool:
    """Whether a file was written by an export, by what it says of itself.

    Args:
        path: The file.
    """
    if of_file(path) is None or not path.is_file():
        return False
    try:
        _inspect(path.with_suffix(".xml") if path.suffix == ".bin" else path)
    except CheckpointError:
        return False
    return True


def read(path: str | Path) -> Export:
    """Read what the files of an export say, and check that they belong together.

    Args:
        path: The folder, or any network file in it.

    Raises:
        CheckpointError: If a file is missing, damaged, or belongs to another
            export, or was not written by this package.
    """
    first = _first(Path(path))
    about, _ = _inspect(first)
    for graph, network in about.networks.items():
        sibling = first.with_name(network.file)
        if not sibling.is_file():
            msg = f"{sibling} is missing, and {first.name} needs it. Copy the whole folder"
            raise CheckpointError(msg)
        found, digest = _inspect(sibling)
        if found != about.model_copy(update={"graph": graph}):
            msg = f"{sibling} belongs to another export than {first.name}. Copy the whole folder"
            raise CheckpointError(msg)
        if digest != network.sha256:
            msg = f"{sibling} is not what was exported: its hash is {digest[:12]}…, not "
            msg += f"{network.sha256[:12]}…. Copy it again or export again"
            raise CheckpointError(msg)
    return Export(description=about, folder=first.parent)


def _networks_in(folder: Path) -> list[Path]:
    endings = {form.SUFFIX for form in FORMATS.values()}
    return sorted(file for file in folder.iterdir() if file.suffix in endings)


def _first(path: Path) -> Path:
    if path.is_dir():
        networks = _networks_in(path)
        if not networks:
            msg = f"no exported network in {str(path)!r}"
            raise CheckpointError(msg)
        if len({file.suffix for file in networks}) > 1:
            names = " and ".join(file.name for file in networks)
            msg = f"{path} holds exports for several engines, {names}. Name one of the files"
            raise CheckpointError(msg)
        return networks[0]
    return path.with_suffix(".xml") if path.suffix == ".bin" else path


def _inspect(path: Path) -> tuple[Description, str]:
    """Read the description of a file, and the hash of all the rest."""
    name = of_file(path)
    if name is None:
        msg = f"{path} is no exported network: its name ends with {path.suffix!r}"
        raise CheckpointError(msg)
    try:
        text, digest = FORMATS[name].inspect(path)
    except OSError as error:
        msg = f"cannot read {error.filename or path}: {error.strerror or error}"
        raise CheckpointError(msg) from error
    except (BadZipFile, ValueError, IndexError) as error:
        msg = f"{path} is damaged: {error}"
        raise CheckpointError(msg) from error
    if text is None:
        msg = f"{path} was not written by sdd-export: it does not say what it is"
        raise CheckpointError(msg)
    try:
        return Description.model_validate_json(text), digest
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        msg = f"{path} says of itself what cannot be used: {place} {first['msg']}"
        raise CheckpointError(msg) from error
