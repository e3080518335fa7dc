"""Write a checkpoint's networks for another engine, if they say what PyTorch says."""

import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.errors import ConfigError, ExportError, SteelDefectError
from steel_defect_detection.export.comparison import Tally, margin, require
from steel_defect_detection.export.description import (
    Comparison,
    Description,
    FormatName,
    NetworkFile,
    StoredPrecision,
)
from steel_defect_detection.export.formats import FORMATS, Format, Network
from steel_defect_detection.export.pictures import Pictures
from steel_defect_detection.export.reading import Export, is_export, is_ours, read
from steel_defect_detection.runtimes import tiling
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime

STRIP = (256, 1600)
"""Height and width of the images of the Severstal competition."""

Inputs = dict[str, NDArray[Any]]


def export(  # noqa: PLR0913 -- one argument per option of sdd-export
    model: str | Path | Checkpoint = "strip",
    output: str | Path | None = None,
    *,
    file_format: FormatName = "onnx",
    precision: StoredPrecision = "float32",
    calibration: str | Path | None = None,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> Export:
    """Export a model: a folder with one network file per graph.

    The networks are compared with PyTorch on images first. Those that differ too
    much are refused, and nothing is written.

    Args:
        model: Name of a built-in model, a checkpoint file, or a run folder.
        output: Folder to write; by default
            ``exports/<model>-<format>[-<precision>]``.
        file_format: ``onnx``, ``openvino`` or ``torchscript``.
        precision: ``float32``; ``float16``, which stores the weights in half
            the space; or ``int8``, which also computes with whole numbers.
        calibration: Folder of images to compare on, and to adjust int8 to; by
            default the drawn samples of this package.
        size: Height and width of the images it is to take; by default what the
            model sees, if that is fixed, or else 256 x 1600.
        overwrite: Whether to replace an export that is there.

    Returns:
        The export, as it was read back.

    Raises:
        CheckpointError: If the model is missing or damaged.
        ConfigError: If the settings do not go together.
        ExportError: If a network cannot be converted, differs from PyTorch, or
            cannot be written.
        MissingExtraError: If a library of the format is not installed.
        NoImagesError: If there are no images to compare on.
    """
    checkpoint = model if isinstance(model, Checkpoint) else _load(model)
    _check_format(file_format, precision)
    shape = size or _own_size(checkpoint)
    _check_size(shape)
    target = Path(output or default_output(checkpoint.source, file_format, precision))
    _check_target(target, overwrite=overwrite)
    job = _Job(checkpoint, file_format, precision, Pictures(calibration, shape))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as place:
            # Inside, because a temporary folder is closed to everybody else.
            folder = Path(place) / "export"
            folder.mkdir()
            job.write(folder, shape)
            read(folder)
            _put_in_place(folder, target, Path(place) / "before")
    except OSError as error:
        if isinstance(error, SteelDefectError):
            raise
        msg = f"{target} cannot be written: {error.strerror or error}"
        raise ExportError(msg) from error
    return read(target)


def default_output(source: str, file_format: str, precision: str) -> Path:
    """Folder that a model is exported to.

    Args:
        source: File of the checkpoint.
        file_format: Name of the format.
        precision: How the weights are stored.

    Example:
        >>> default_output("runs/gate/model.safetensors", "onnx", "float32").as_posix()
        'exports/gate-onnx'
        >>> default_output("strip.safetensors", "openvino", "int8").as_posix()
        'exports/strip-openvino-int8'
    """
    path = Path(source)
    name = path.stem if path.stem != "model" else path.absolute().parent.name
    ending = "" if precision == "float32" else f"-{precision}"
    return Path("exports") / f"{name}-{file_format}{ending}"


def _load(model: str | Path) -> Checkpoint:
    if is_export(model):
        msg = f"{model} is an export already. Name the checkpoint that it was made of"
        raise ExportError(msg)
    return checkpoints.load(model)


class _Job:
    """Converts and compares the networks of a checkpoint, one after the other."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        file_format: FormatName,
        precision: StoredPrecision,
        pictures: Pictures,
    ) -> None:
        self._pictures = pictures
        self._checkpoint = checkpoint
        self._format: FormatName = file_format
        self._form = FORMATS[file_format]
        self._precision = precision
        self._originals = {
            name: PyTorchRuntime(graph, checkpoint.weights(name), device="cpu", precision="float32")
            for name, graph in checkpoint.header.graphs.items()
        }

    def write(self, folder: Path, shape: tuple[int, int]) -> None:
        """Write all networks, each compared as it lies on the disk, then what they are."""
        networks, compared, runs = {}, {}, {}
        for graph in self._originals:
            path = folder / f"{graph}{self._form.SUFFIX}"
            self._form.save(self._made(graph), path, half=self._precision == "float16")
            runs[graph] = self._form.load(path, 0)
            compared[graph] = self._compared(graph, runs)
            require(compared[graph], self._precision, f"the {graph} in {self._precision}")
            networks[graph] = NetworkFile(file=path.name, sha256=self._form.inspect(path)[1])
        for graph, network in networks.items():
            about = Description(
                header=self._checkpoint.header,
                sha256=self._checkpoint.sha256,
                graph=graph,
                networks=networks,
                format=self._format,
                precision=self._precision,
                image_shape=(*shape, 3),
                compared_on=self._pictures.source,
                comparison=compared,
                versions=_versions(self._form, self._precision),
            )
            self._form.describe(folder / network.file, about.model_dump_json())

    def _made(self, graph: str) -> Network:
        """Convert one network."""
        config = self._checkpoint.header.graphs[graph]
        tensors = self._checkpoint.weights(graph)
        try:
            network = self._form.convert(config, tensors, self._inputs(graph, 0))
            return self._in_int8(network, graph) if self._precision == "int8" else network
        except SteelDefectError:
            raise
        except Exception as error:  # the libraries raise many kinds, and none promises which
            what = " ".join(str(error).split())[:200]
            msg = f"the {graph} cannot be converted: {what}"
            raise ExportError(msg) from error

    def _in_int8(self, network: Network, graph: str) -> Network:
        from steel_defect_detection.export.int8 import quantise

        header = self._checkpoint.header

        # Asked for again and again while layers are taken back.
        @lru_cache(maxsize=32)
        def expected(number: int) -> dict[str, NDArray[np.float32]]:
            return self._original(graph, self._inputs(graph, number))

        def judge(candidate: Network, numbers: Sequence[int]) -> tuple[float, list[list[Any]]]:
            run, tally, answers = self._form.runner(candidate), Tally(header, graph), []
            for number in numbers:
                found = run(self._inputs(graph, number))
                tally.add(expected(number), found)
                answers.append(list(found.values()))
            return margin(tally.result()), answers

        count = len(self._pictures)
        return quantise(network, count, lambda number: self._inputs(graph, number), judge)

    def _compared(self, graph: str, runs: Mapping[str, Any]) -> Comparison:
        """Compare a network that was written with PyTorch, on all images."""
        tally = Tally(self._checkpoint.header, graph)
        for number in range(len(self._pictures)):
            inputs = self._inputs(graph, number)
            expected = self._original(graph, inputs)
            if "encoder_gate" in runs:
                # The second half goes on from what the first one of the export says.
                inputs |= _features(runs["encoder_gate"](inputs))
            tally.add(expected, runs[graph](inputs))
        return tally.result()

    def _inputs(self, graph: str, number: int) -> Inputs:
        """What a graph takes for one image."""
        inputs: Inputs = {"images": self._pictures[number]}
        if self._checkpoint.header.graphs[graph].part == "decoder":
            inputs |= _features(self._original("encoder_gate", inputs))
        return inputs

    def _original(self, graph: str, inputs: Inputs) -> dict[str, NDArray[np.float32]]:
        return self._originals[graph].run(**inputs)


def _features(outputs: Mapping[str, NDArray[Any]]) -> Inputs:
    return {name: array for name, array in outputs.items() if name.startswith("feature_")}


def _check_format(name: str, precision: str) -> None:
    found = next((form for key, form in FORMATS.items() if key == name), None)
    if found is None:
        msg = f"format must be one of {', '.join(FORMATS)}, got {name!r}"
        raise ConfigError(msg)
    if precision not in found.PRECISIONS:
        msg = f"{name} is written in {', '.join(found.PRECISIONS)}, got precision {precision!r}"
        raise ConfigError(msg)


def _own_size(checkpoint: Checkpoint) -> tuple[int, int]:
    """Size that the first network sees, if it is fixed, or else that of a strip."""
    sizes = [graph.preprocessing.size for graph in checkpoint.header.graphs.values()]
    return next((size for size in sizes if size is not None), STRIP)


def _check_size(shape: tuple[int, int]) -> None:
    if min(shape) < 1:
        msg = f"height and width must be positive, got {shape[0]} x {shape[1]}"
        raise ConfigError(msg)
    if shape[0] * shape[1] > tiling.MOST_PIXELS:
        rows, columns = next(tiling.windows(shape))
        msg = (
            f"{shape[0]} x {shape[1]} is above {tiling.MOST_PIXELS:,} pixels; such images are "
            f"judged in tiles of {rows.stop} x {columns.stop}, so export for that size"
        )
        raise ConfigError(msg)


def _check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds anything, but an old export that may be replaced."""
    if target.exists() and not target.is_dir():
        msg = f"{target} is a file, and an export is a folder"
        raise ExportError(msg)
    held = list(target.iterdir()) if target.is_dir() else []
    if held and not overwrite:
        msg = f"{target} is there already. Replace it with --overwrite, or name another --output"
        raise ExportError(msg)
    foreign = sorted(file.name for file in held if not is_ours(file))
    if foreign:
        msg = f"{target} holds {foreign[0]!r}, which is no part of an export, and is left alone"
        raise ExportError(msg)


def _put_in_place(folder: Path, target: Path, before: Path) -> None:
    """Exchange a folder for what was there, which goes to another place."""
    if target.exists():
        target.replace(before)
    try:
        folder.replace(target)
    except OSError:
        if before.exists():
            before.replace(target)
        raise


def _versions(form: Format, precision: str) -> dict[str, str]:
    names = ("steel-defect-detection", *form.LIBRARIES, *(("nncf",) if precision == "int8" else ()))
    return {name: version(name) for name in names}
