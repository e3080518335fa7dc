"""Loading a predictor from a checkpoint."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import get_args

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Checkpoint, Header, Thresholds
from steel_defect_detection.errors import CheckpointError, ConfigError, DeviceError
from steel_defect_detection.export.reading import Export, is_export
from steel_defect_detection.export.reading import read as read_export
from steel_defect_detection.models.config import ClassifierConfig, Flips
from steel_defect_detection.predictors import limits
from steel_defect_detection.predictors.cascade import CascadePredictor
from steel_defect_detection.predictors.classifier import ClassifierPredictor
from steel_defect_detection.predictors.limits import PerClass
from steel_defect_detection.predictors.origin import Asked, Model, Options, Origin
from steel_defect_detection.predictors.predictor import OnUnfamiliar, Predictor
from steel_defect_detection.predictors.segmenter import SegmenterPredictor
from steel_defect_detection.predictors.shared_backbone import SharedBackbonePredictor
from steel_defect_detection.predictors.two_head import TwoHeadPredictor
from steel_defect_detection.runtimes.choose import choose
from steel_defect_detection.runtimes.flips import flipping, refuse_unknown
from steel_defect_detection.runtimes.runtime import Engine, Precision, Runtime

_LOG = logging.getLogger(__name__)

_DECIDING = ("classifier", "two_head", "encoder_gate")
"""Graphs that say whether there is any defect."""


def load_predictor(  # noqa: PLR0913 -- one argument per option of sdd-predict
    model: str | Path | Checkpoint | Export = "strip",
    *,
    gate: str | Path | Checkpoint | None = None,
    threshold: PerClass | None = None,
    gate_threshold: float | None = None,
    min_area: PerClass | None = None,
    least_familiarity: float | None = None,
    only_named: bool | None = None,
    on_unfamiliar: OnUnfamiliar = "unfamiliar",
    fill_holes: bool = False,
    keep_probabilities: bool = False,
    flips: Flips | None = None,
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
            classifier: from which an image shows a class; of exclusive classes
            it shows the likeliest), 0 to 1; by default what the checkpoint says.
        gate_threshold: Probability of any defect from which the gate lets an
            image through to the segmenter (for a classifier of exclusive
            classes, one of which is good: from which an image is not good), 0 to
            1; by default what the checkpoint says.
        min_area: Least pixels of a connected defect; smaller ones are dropped.
        least_familiarity: Familiarity below which an image is unfamiliar, 0 to
            1; by default what the checkpoint says, and 0 for never.
        only_named: Whether only classes that the gate names are outlined; the
            probabilities of all others are then 0. By default as the checkpoint
            says.
        on_unfamiliar: What such an image is called: ``unfamiliar``, ``defect``
            (with what was outlined on it), ``clean`` (without) or ``error``.
        fill_holes: Whether holes inside a defect belong to it.
        keep_probabilities: Whether predictions carry the probability of each
            class at each pixel along.
        flips: Mirrored copies of each image that the networks are asked about,
            too: ``none``, ``horizontal``, ``vertical`` or ``both``, once, twice
            or four times the work. Probabilities are averaged. By default what
            the thresholds of the checkpoint were chosen with.
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
            that the model does not know, there are no such flips, or no gate
            to name classes.
        DeviceError: If the device or the precision is not there.
        MissingExtraError: If the engine is not installed.

    Example:
        >>> predictor = load_predictor()  # doctest: +SKIP
        >>> predictor.predict("strip.jpg").verdict  # doctest: +SKIP
        'defect'
    """
    loaded = read_model(model, gate)
    thresholds = limits.change(
        loaded.header,
        threshold=threshold,
        gate_threshold=gate_threshold,
        min_area=min_area,
        least_familiarity=least_familiarity,
        only_named=only_named,
    )
    _check_unfamiliar(loaded.header, on_unfamiliar)
    flips = _chosen_flips(loaded.header, flips)
    networks: dict[str, Runtime]
    careful = None
    if isinstance(loaded, Export):
        _check_engine(loaded, runtime, device, precision)
        networks = dict(loaded.networks(threads=threads))
    else:
        make = partial(_make, loaded, engine=runtime, device=device, threads=threads)
        networks = {name: make(name, precision=precision) for name in loaded.header.graphs}
        decides = next((name for name in _DECIDING if name in networks), None)
        if decides and runtime == precision == "auto":
            careful = flipping(make(decides, precision="float32"), flips)
    networks = {name: flipping(network, flips) for name, network in networks.items()}
    options = {"fill_holes": fill_holes, "keep_probabilities": keep_probabilities}
    predictor = _assemble(loaded.header, thresholds, networks, careful, options)
    predictor.origin = Origin(
        model=Model(
            name=_name(model),
            gate=None if gate is None else _name(gate),
            sha256=loaded.sha256,
            architecture=loaded.header.architecture,
        ),
        asked=Asked(runtime=runtime, precision=precision, device=device),
        options=Options(
            fill_holes=fill_holes,
            probabilities=keep_probabilities,
            on_unfamiliar=on_unfamiliar,
            flips=flips,
        ),
    )
    predictor.flips = flips
    predictor.is_calibrated = loaded.header.calibration is not None
    predictor.image_size = loaded.header.card.image_size
    predictor.on_unfamiliar = on_unfamiliar
    return predictor


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


def _read(model: object) -> Checkpoint | Export:
    if isinstance(model, Checkpoint | Export):
        return model
    if not isinstance(model, str | Path):
        msg = f"expected a model's name, path or checkpoint, got {type(model).__name__}"
        raise CheckpointError(msg)
    return read_export(model) if is_export(model) else checkpoints.load(model)


def _name(model: str | Path | Checkpoint | Export) -> str:
    return str(model) if isinstance(model, str | Path) else model.source


def _make(
    checkpoint: Checkpoint,
    graph: str,
    *,
    engine: Engine,
    device: str,
    precision: Precision,
    threads: int,
) -> Runtime:
    return choose(
        checkpoint.header.graphs[graph],
        checkpoint.weights(graph),
        engine=engine,
        device=device,
        precision=precision,
        threads=threads,
    )


def _check_engine(export: Export, runtime: str, device: str, precision: str) -> None:
    """Refuse what an export was not made for."""
    about = export.description
    if runtime not in {"auto", about.format}:
        msg = (
            f"{export.source} was exported for {about.format}, got runtime {runtime!r}. Use "
            "runtime 'auto'"
        )
        raise ConfigError(msg)
    if device not in {"auto", "cpu"}:
        msg = f"an export runs on the processor here, got device {device!r}"
        raise DeviceError(msg)
    if precision not in {"auto", about.precision}:
        msg = f"{export.source} was exported in {about.precision}, got precision {precision!r}"
        raise DeviceError(msg)


def _assemble(
    header: Header,
    thresholds: Thresholds,
    networks: Mapping[str, Runtime],
    careful: Runtime | None,
    options: dict[str, bool],
) -> Predictor:
    """Choose the way of looking that an architecture stands for."""
    classes = header.classes
    if header.architecture == "two_head":
        network = networks["two_head"]
        return TwoHeadPredictor(classes, thresholds, two_head=network, careful=careful, **options)
    if header.architecture == "shared_backbone":
        gate, decoder = networks["encoder_gate"], networks["decoder"]
        return SharedBackbonePredictor(
            classes,
            thresholds,
            encoder_gate=gate,
            decoder=decoder,
            careful=careful,
            **options,
        )
    if header.architecture == "segmenter":
        return SegmenterPredictor(classes, thresholds, segmenter=networks["segmenter"], **options)
    classifier = ClassifierPredictor(
        classes,
        thresholds,
        classifier=networks["classifier"],
        careful=careful,
        is_gate=header.architecture == "cascade",
        exclusive=_is_exclusive(header),
        kernels=_has_kernels(header),
        good_class=header.background,
    )
    if header.architecture == "classifier":
        return classifier
    segmenter = SegmenterPredictor(classes, thresholds, segmenter=networks["segmenter"], **options)
    return CascadePredictor(classifier, segmenter)


def _is_exclusive(header: Header) -> bool:
    network = header.graphs["classifier"].network
    return network.kind == "classifier" and network.exclusive


def _check_unfamiliar(header: Header, on_unfamiliar: str) -> None:
    """Refuse to promise what becomes of unfamiliar images, where the model cannot tell them."""
    if on_unfamiliar not in get_args(OnUnfamiliar):
        *names, last = get_args(OnUnfamiliar)
        msg = f"on_unfamiliar must be {', '.join(names)} or {last}, got {on_unfamiliar!r}"
        raise ConfigError(msg)
    if (
        on_unfamiliar == "unfamiliar"
        or _has_kernels(header)
        or any(graph.familiarity for graph in header.graphs.values())
    ):
        return
    msg = (
        "the model does not know what is familiar, so no image would be called unfamiliar. "
        "Calibrate it with sdd-calibrate, and without --no-familiarity"
    )
    raise ConfigError(msg)


def _chosen_flips(header: Header, flips: Flips | None) -> Flips:
    """The flips asked for, or else those that the thresholds were chosen with."""
    if flips is None:
        return header.flips
    refuse_unknown(flips)
    was_chosen = header.calibration is not None or header.flips != "none"
    if was_chosen and flips != header.flips:
        _LOG.warning(
            "the model was calibrated for flips %r and is used with %r. "
            "sdd-calibrate --flips %s does that anew",
            header.flips,
            flips,
            flips,
        )
    return flips


def _has_kernels(header: Header) -> bool:
    graph = header.graphs.get("classifier")
    network = None if graph is None else graph.network
    return isinstance(network, ClassifierConfig) and network.head == "duq"
