"""Loading a predictor from a checkpoint."""

import ctypes
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Checkpoint, Header, Tensors, Thresholds
from steel_defect_detection.errors import CheckpointError, ConfigError, DeviceError
from steel_defect_detection.export.reading import Export, is_export
from steel_defect_detection.export.reading import read as read_export
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.predictors.cascade import CascadePredictor
from steel_defect_detection.predictors.classifier import ClassifierPredictor
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.predictors.segmenter import SegmenterPredictor
from steel_defect_detection.predictors.shared_backbone import SharedBackbonePredictor
from steel_defect_detection.predictors.two_head import TwoHeadPredictor
from steel_defect_detection.runtimes.batching import BatchingRuntime
from steel_defect_detection.runtimes.runtime import Precision, Runtime

_DECIDING = ("classifier", "two_head", "encoder_gate")
"""Graphs that say whether there is any defect."""

Engine = Literal["auto", "pytorch", "openvino", "onnx"]
"""What runs a network."""

PerClass = float | Mapping[str, float]
"""One number for all classes, or a number by class name."""


def load_predictor(  # noqa: PLR0913 -- one argument per option of sdd-predict
    model: str | Path | Checkpoint | Export = "strip",
    *,
    gate: str | Path | Checkpoint | None = None,
    threshold: PerClass | None = None,
    gate_threshold: float | None = None,
    min_area: PerClass | None = None,
    fill_holes: bool = False,
    keep_probabilities: bool = False,
    runtime: Engine = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    threads: int = 0,
) -> Predictor:
    """Load a model, ready to look at images.

    Args:
        model: Name of a built-in model, a checkpoint file, a run folder, or an
            export: its folder or a file of it.
        gate: A classifier to ask before ``model``, which is then a segmenter.
        threshold: Probability from which a pixel is part of a defect (for a
            classifier: from which an image shows a class), 0 to 1; by default
            what the checkpoint says.
        gate_threshold: Probability of any defect from which the gate lets an
            image through to the segmenter, 0 to 1; by default what the
            checkpoint says.
        min_area: Least pixels of a connected defect; smaller ones are dropped.
        fill_holes: Whether holes inside a defect belong to it.
        keep_probabilities: Whether predictions carry the probability of each
            class at each pixel along.
        runtime: ``pytorch``, or ``openvino`` or ``onnx``, which convert a
            network for each new size of images, once, and then start without
            PyTorch; ``auto`` is PyTorch on CUDA, and on the processor OpenVINO
            where that works and pays.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        precision: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        threads: Processor threads in all, not for PyTorch; 0 for as many as
            there are cores.

    Raises:
        CheckpointError: If a model is missing or damaged, or the two do not fit.
        ConfigError: If a threshold or area is out of range, or names a class
            that the model does not know.
        DeviceError: If the device is not there.

    Example:
        >>> predictor = load_predictor()  # doctest: +SKIP
        >>> predictor.predict("strip.jpg").verdict  # doctest: +SKIP
        'defect'
    """
    loaded = read_model(model, gate)
    thresholds = _thresholds(loaded, threshold, gate_threshold, min_area)
    networks: dict[str, Runtime]
    if isinstance(loaded, Export):
        _check_engine(loaded, runtime, device, precision)
        networks = dict(loaded.networks(threads=threads))
    else:
        networks = {
            name: _network(graph, loaded.weights(name), runtime, device, precision, threads)
            for name, graph in loaded.header.graphs.items()
        }
        # Which one decides; the same network in float32 is asked where its answer is close.
        decides = next((name for name in _DECIDING if name in networks), None)
        if decides and runtime == precision == "auto" and _is_rough(networks[decides]):
            graph, weights = loaded.header.graphs[decides], loaded.weights(decides)
            networks["careful"] = _network(graph, weights, runtime, device, "float32", threads)
    options = {"fill_holes": fill_holes, "keep_probabilities": keep_probabilities}
    return _assemble(loaded.header, thresholds, networks, options)


def read_model(
    model: str | Path | Checkpoint | Export, gate: str | Path | Checkpoint | None = None
) -> Checkpoint | Export:
    """Read a model without loading its networks.

    Args:
        model: Name of a built-in model, a checkpoint file, a run folder, or an
            export: its folder or a file of it.
        gate: A classifier to ask before ``model``, which is then a segmenter.

    Raises:
        CheckpointError: If a model is missing or damaged, or the two do not fit.
    """
    found = _read(model)
    if gate is None:
        return found
    first = _read(gate)
    if isinstance(found, Export) or isinstance(first, Export):
        msg = "a gate goes before a checkpoint, not an export. Export the two as one cascade"
        raise CheckpointError(msg)
    return checkpoints.join(first, found)


def _read(model: str | Path | Checkpoint | Export) -> Checkpoint | Export:
    if not isinstance(model, str | Path):
        return model
    is_built_in = str(model) in checkpoints.built_in()
    return read_export(model) if not is_built_in and is_export(model) else checkpoints.load(model)


def _check_engine(export: Export, runtime: str, device: str, precision: str) -> None:
    """Refuse what an export was not made for."""
    about = export.description
    if runtime not in {"auto", about.format}:
        msg = f"{export.source} was exported for {about.format}, got runtime {runtime!r}"
        raise ConfigError(msg)
    if device not in {"auto", "cpu"}:
        msg = f"an export runs on the processor here, got device {device!r}"
        raise DeviceError(msg)
    if precision not in {"auto", about.precision}:
        msg = f"{export.source} was exported in {about.precision}, got precision {precision!r}"
        raise DeviceError(msg)


def _network(
    graph: GraphConfig,
    tensors: Tensors,
    runtime: Engine,
    device: str,
    precision: Precision,
    threads: int,
) -> Runtime:
    # Imported where needed: either engine is large, and neither needs the other.
    if runtime == "auto" and _on_processor(device, precision):
        from steel_defect_detection.runtimes.automatic import AutomaticRuntime

        return AutomaticRuntime(graph, tensors, precision=precision, threads=threads)
    if runtime == "openvino":
        if device not in {"auto", "cpu"}:
            msg = f"OpenVINO runs on the processor here, got device {device!r}"
            raise DeviceError(msg)
        from steel_defect_detection.runtimes.openvino import OpenVINORuntime

        return OpenVINORuntime(graph, tensors, precision=precision, threads=threads)
    if runtime == "onnx":
        if device not in {"auto", "cpu"}:
            msg = f"ONNX Runtime runs on the processor here, got device {device!r}"
            raise DeviceError(msg)
        from steel_defect_detection.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(graph, tensors, precision=precision, threads=threads)
    if runtime not in {"auto", "pytorch"}:
        msg = f"runtime must be auto, pytorch, openvino or onnx, got {runtime!r}"
        raise ConfigError(msg)
    if threads:
        msg = (
            f"threads is not for PyTorch, got {threads}: set the environment variable "
            "OMP_NUM_THREADS instead, or take runtime 'openvino'"
        )
        raise ConfigError(msg)
    from steel_defect_detection.runtimes.pytorch import PyTorchRuntime

    network = PyTorchRuntime(graph, tensors, device=device, precision=precision)
    return BatchingRuntime(network) if network.on_cuda else network


def _is_rough(network: Runtime) -> bool:
    return not network.name.endswith("float32")


def _on_processor(device: str, precision: Precision) -> bool:
    """Whether a network runs on the processor by itself, without importing torch to know."""
    if precision == "float16":
        return False
    return device == "cpu" or (device == "auto" and not _has_cuda())


def _has_cuda() -> bool:
    """Whether the driver of CUDA, which PyTorch asks too, sees a device."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    except (OSError, AttributeError):
        return False
    return not failed and count.value > 0


def _assemble(
    header: Header,
    thresholds: Thresholds,
    networks: Mapping[str, Runtime],
    options: dict[str, bool],
) -> Predictor:
    """Choose the way of looking that an architecture stands for."""
    classes = header.classes
    if header.architecture == "two_head":
        network, careful = networks["two_head"], networks.get("careful")
        return TwoHeadPredictor(classes, thresholds, two_head=network, careful=careful, **options)
    if header.architecture == "shared_backbone":
        gate, decoder = networks["encoder_gate"], networks["decoder"]
        return SharedBackbonePredictor(
            classes,
            thresholds,
            encoder_gate=gate,
            decoder=decoder,
            careful=networks.get("careful"),
            **options,
        )
    if header.architecture == "segmenter":
        return SegmenterPredictor(classes, thresholds, segmenter=networks["segmenter"], **options)
    classifier = ClassifierPredictor(
        classes,
        thresholds,
        classifier=networks["classifier"],
        careful=networks.get("careful"),
        is_gate=header.architecture == "cascade",
        exclusive=_is_exclusive(header),
        good_class=header.background,
    )
    if header.architecture == "classifier":
        return classifier
    segmenter = SegmenterPredictor(classes, thresholds, segmenter=networks["segmenter"], **options)
    return CascadePredictor(classifier, segmenter)


def _is_exclusive(header: Header) -> bool:
    network = header.graphs["classifier"].network
    return network.kind == "classifier" and network.exclusive


def _thresholds(
    model: Checkpoint | Export,
    threshold: PerClass | None,
    gate_threshold: float | None,
    min_area: PerClass | None,
) -> Thresholds:
    """Change the thresholds of a model where the caller says so."""
    header = model.header
    changes: dict[str, Any] = {}
    if gate_threshold is not None:
        if header.architecture in {"classifier", "segmenter"}:
            msg = (
                f"the model is a {header.architecture} without a gate, so it has no gate threshold"
            )
            raise ConfigError(msg)
        changes["gate"] = gate_threshold
    if threshold is not None:
        field = "classes" if header.architecture == "classifier" else "pixels"
        changes[field] = _per_class(threshold, header.classes, getattr(header.thresholds, field))
    if min_area is not None:
        changes["min_areas"] = _min_areas(min_area, header)
    try:
        return Thresholds.model_validate(header.thresholds.model_dump() | changes)
    except ValidationError as error:
        msg = error.errors()[0]["msg"].removeprefix("Value error, ")
        got = ", ".join(f"{name} {value}" for name, value in changes.items())
        msg = f"{msg} ({got})"
        raise ConfigError(msg) from error


def _min_areas(values: PerClass, header: Header) -> tuple[int, ...]:
    if header.architecture == "classifier":
        msg = "the model is a classifier, which outlines nothing, so it has no least area"
        raise ConfigError(msg)
    least = _per_class(values, header.classes, header.thresholds.min_areas)
    if not all(float(area).is_integer() for area in least):
        msg = f"least areas must be whole numbers of pixels, got {least}"
        raise ConfigError(msg)
    return tuple(int(area) for area in least)


def _per_class(
    values: PerClass, classes: tuple[str, ...], stored: tuple[float, ...]
) -> tuple[float, ...]:
    if not isinstance(values, Mapping):
        return (values,) * len(classes)
    unknown = sorted(set(values) - set(classes))
    if unknown:
        msg = f"the model has no class {unknown[0]!r}; its classes are {', '.join(classes)}"
        raise ConfigError(msg)
    named = zip(classes, stored, strict=True)
    return tuple(values.get(name, default) for name, default in named)
