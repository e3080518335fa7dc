"""The whole benchmark, one measurement after the other."""

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from steel_defect_detection import checkpoints, images
from steel_defect_detection.benchmark import (
    end_to_end,
    judging,
    layers,
    machine,
    mixes,
    networks,
    start,
    times,
    topologies,
)
from steel_defect_detection.benchmark.machine import Peaks
from steel_defect_detection.benchmark.reference import ReferenceSystem, threads
from steel_defect_detection.benchmark.settings import Settings
from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.datasets import layouts
from steel_defect_detection.errors import (
    ConfigError,
    DeviceError,
    InferenceError,
    MissingExtraError,
)
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.runtimes.convert_openvino import convert
from steel_defect_detection.runtimes.openvino_network import HINTS
from steel_defect_detection.runtimes.pytorch import find_device
from steel_defect_detection.runtimes.runtime import Engine, Precision

# Files that are judged before any is timed.
_WARM_UP = 2

# Average number of programs that want a core; a machine that only measures has almost none.
_BUSY = 0.5

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class _Files:
    """Files to judge, all different.

    Args:
        mixes: Files of each mix, by its name.
        fires: For each file whether the gate fired on it when it was made.
        warm_up: Files that are in no mix.
    """

    mixes: dict[str, list[Path]]
    fires: dict[Path, bool]
    warm_up: list[Path]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ground:
    """What all measurements stand on.

    Args:
        settings: What to measure.
        files: Files to judge.
        pictures: Pixels of those that are in no mix.
        cores: Threads per network.
        place: Folder for results that nobody keeps.
        say: Is told what is being done.
    """

    settings: Settings
    files: _Files
    pictures: list[NDArray[np.uint8]]
    cores: int
    place: Path
    say: Say


def run(settings: Settings, *, say: Say = lambda _: None) -> dict[str, Any]:
    """Measure everything.

    Args:
        settings: What to measure.
        say: Is told what is being done.

    Returns:
        All measures, ready for JSON.

    Raises:
        ConfigError: If nothing can be measured with these settings.
    """
    # Looked at before anything is measured: a long run must not end at a word that was mistyped.
    pairs, sources = _pairs(settings), _sources(settings)
    for _, folder in settings.judge:
        layouts.recognise(folder)
    cores = settings.threads or torch.get_num_threads()
    with threads(cores), tempfile.TemporaryDirectory(prefix="sdd-benchmark-") as place:
        model = checkpoints.load(settings.model)
        predictor = _load(settings, model, *_operating_point(settings))
        say("measuring the machine")
        about = machine.describe(cores)
        load = about["load_before"] or 0
        if load > _BUSY:
            say(f"the machine is busy (load {load:.1f}): times come out too long")
        device = find_device(settings.device)
        before = machine.measure(device, side=settings.side)
        say(f"making {settings.count} files for each mix")
        files = _make(settings, predictor, sources, Path(place) / "files")
        ground = _Ground(
            settings=settings,
            files=files,
            pictures=[images.read(path) for path in files.warm_up],
            cores=cores,
            place=Path(place),
            say=say,
        )
        found = {**_race(ground, predictor), **_configurations(ground, model, pairs)}
        say("measuring the machine again")
        peaks = machine.better(before, machine.measure(device, side=settings.side))
        for row in [*found["reference"], *found["networks"]]:
            row["share_of_peak"] = times.share(row, peaks.operations.get(row["precision"]))
        return {
            "version": version("steel-defect-detection"),
            "settings": _plain(asdict(settings)),
            "machine": about | machine.report(peaks),
            "operating_point": {
                "model": settings.model,
                "flips": predictor.flips,
                "runtimes": predictor.runtimes,
            },
            **found,
            "layers": _layers(ground, model, peaks),
            "judged": _judge(ground, predictor),
            "start": _start(ground),
        }


def _pairs(settings: Settings) -> list[tuple[str, str]]:
    """Engines and precisions to try, those that were asked for or all that have a name."""
    known = {
        "runtime": [name for name in get_args(Engine) if name != "auto"],
        "precision": [name for name in get_args(Precision) if name != "auto"],
    }
    asked = {"runtime": settings.runtimes, "precision": settings.precisions}
    for kind, names in asked.items():
        for name in names:
            if name not in known[kind]:
                msg = f"{kind} must be one of {', '.join(known[kind])}, got {name!r}"
                raise ConfigError(msg)
    return list(product(*(asked[kind] or known[kind] for kind in known)))


def _operating_point(settings: Settings) -> tuple[str, str]:
    return (*settings.runtimes, "auto")[0], (*settings.precisions, "auto")[0]


def _load(
    settings: Settings, model: Checkpoint | str, runtime: Any, precision: Any, **options: Any
) -> Predictor:
    # PyTorch's threads are those of the process, which are set already.
    by_pytorch = runtime == "pytorch" or (runtime == "auto" and settings.device != "cpu")
    count = 0 if by_pytorch else settings.threads
    return load_predictor(
        model,
        runtime=runtime,
        precision=precision,
        flips=settings.flips,
        threads=count,
        device=settings.device,
        **options,
    )


def _sources(settings: Settings) -> list[Path]:
    return images.find([settings.images]) if settings.images else images.samples()


def _make(settings: Settings, predictor: Predictor, sources: list[Path], folder: Path) -> _Files:
    needed = {False: _WARM_UP, True: _WARM_UP}
    for name in settings.mixes:
        defective = int(settings.count * mixes.SHARES[name])
        needed[True] += defective
        needed[False] += settings.count - defective
    if not any(mixes.SHARES[name] for name in settings.mixes):
        needed.pop(True)
    with progress_bar(what="files", unit="image") as progress:

        def fires(image: NDArray[np.uint8]) -> bool:
            progress.update()
            return end_to_end.fires(predictor, predictor.predict(image))

        made = mixes.make(sources, folder, needed, fires, shape=settings.size, seed=settings.seed)
    judged = {path: kind for kind, paths in made.items() for path in paths}
    warm_up = [paths.pop() for paths in made.values() for _ in range(_WARM_UP)]
    chosen = {}
    for name in settings.mixes:
        chosen[name] = mixes.mix(made, settings.count, mixes.SHARES[name])
        taken = set(chosen[name])
        for paths in made.values():
            paths[:] = [path for path in paths if path not in taken]
    return _Files(mixes=chosen, fires=judged, warm_up=warm_up)


def _race(ground: _Ground, predictor: Predictor) -> dict[str, Any]:
    """The operating point over all files, in turns with the reference way."""
    settings, files = ground.settings, ground.files
    reference = ReferenceSystem() if settings.reference else None
    end_to_end.run_files(predictor, files.warm_up, ground.place / "warm-up")
    if reference is not None:
        marks = [files.fires[path] for path in files.warm_up]
        reference.run_files(files.warm_up, marks, ground.place / "warm-up" / "reference")
    found: dict[str, Any] = {}
    theirs: list[times.Chunk] = []
    for name, paths in files.mixes.items():
        ground.say(f"{len(paths)} files of the mix {name!r}, from disk to disk")
        ran = end_to_end.race(
            predictor,
            paths,
            ground.place / "race" / name,
            reference=reference,
            reference_count=settings.reference_images,
            defective=[files.fires[path] for path in paths],
        )
        found[name] = {"ours": times.report(times.join(ran.ours))}
        if ran.theirs:
            found[name]["reference"] = times.report(times.join(ran.theirs))
            found[name]["times_as_fast"] = times.ratios(ran.ours, ran.theirs)
        theirs += ran.theirs
    return {
        "race": found,
        "reference": [] if reference is None else _reference(ground, reference, theirs),
    }


def _reference(
    ground: _Ground, reference: ReferenceSystem, chunks: list[times.Chunk]
) -> list[dict[str, Any]]:
    """The networks of the reference way, with the times that they took in the race."""
    taken = times.join(chunks).milliseconds
    found = []
    for name, stage in (("gate", "gate"), ("segmenter", "segment")):
        if stage in taken:
            flop = reference.flop(name, ground.settings.size)
            measured = times.report_network(taken[stage], flop)
            about = {"topology": "reference way", "network": name, "runtime": reference.name}
            about["precision"] = "float32"
            found.append({**about, "parameters": reference.parameters(name), **measured})
    return found


def _configurations(
    ground: _Ground, model: Checkpoint, pairs: list[tuple[str, str]]
) -> dict[str, Any]:
    """Each topology on each engine in each precision: its networks alone, and end to end."""
    found: dict[str, Any] = {"networks": [], "end_to_end": [], "left_out": {}}
    if not ground.settings.configurations:
        return found
    for topology, checkpoint in topologies.of(model).items():
        graphs = checkpoint.header.graphs
        work = [networks.count(graph, ground.settings.size) for graph in graphs.values()]
        for runtime, precision in pairs:
            name = {"topology": topology, "runtime": runtime, "precision": precision}
            ground.say(" ".join(name.values()))
            try:
                predictor = _load(ground.settings, checkpoint, runtime, precision)
                measured = networks.measure(
                    predictor, ground.pictures, work, repeats=ground.settings.repeats
                )
            except (ConfigError, DeviceError, InferenceError, MissingExtraError) as error:
                found["left_out"][" ".join(name.values())] = str(error)
                continue
            found["networks"] += [
                {"topology": topology, "network": key, "precision": precision, **row}
                for key, row in measured.items()
            ]
            chosen = checkpoint is not model
            for mix, chunk in _few(ground, predictor, name, chosen=chosen).items():
                found["end_to_end"].append({**name, "mix": mix, **times.report(chunk)})
    if not found["networks"]:
        msg = f"nothing can be measured: {next(iter(found['left_out'].values()))}"
        raise ConfigError(msg)
    return found


def _few(
    ground: _Ground, predictor: Predictor, name: dict[str, str], *, chosen: bool
) -> dict[str, times.Chunk]:
    """Some files of each mix from disk to disk.

    A gate with random weights says the same of all files, so where one is
    asked (``chosen``), its threshold is 0 for the files that it is to let
    through, and else 1.
    """
    found = {}
    for mix, paths in ground.files.mixes.items():
        few = paths[: ground.settings.each]
        output = ground.place / "each" / "-".join([*name.values(), mix])
        end_to_end.run_files(predictor, ground.files.warm_up, output / "warm-up")
        if not chosen:
            found[mix] = end_to_end.run_files(predictor, few, output)
            continue
        before, chunks = predictor.thresholds, []
        for kind in (False, True):
            predictor.thresholds = before.model_copy(update={"gate": 0.0 if kind else 1.0})
            if part := [path for path in few if ground.files.fires[path] == kind]:
                chunks.append(end_to_end.run_files(predictor, part, output / str(kind)))
        predictor.thresholds = before
        found[mix] = times.join(chunks)
    return found


def _layers(ground: _Ground, model: Checkpoint, peaks: Peaks) -> dict[str, Any]:
    """Layers of the segmenter, by precision."""
    settings = ground.settings
    if "segmenter" not in model.header.graphs or not settings.configurations:
        return {}
    if settings.device != "cpu" or "openvino" not in (settings.runtimes or ("openvino",)):
        return {}
    wanted = [name for name in settings.precisions or HINTS if name in HINTS]
    if not wanted:
        return {}
    ground.say(f"layers of the segmenter in {' and '.join(wanted)}")
    image = ground.pictures[0][None]
    graph, tensors = model.header.graphs["segmenter"], model.weights("segmenter")
    entry = convert(graph, tensors, {"images": image})
    return {
        precision: layers.measure(
            entry,
            ground.pictures,
            peaks,
            precision=precision,
            threads=ground.cores,
            repeats=settings.repeats,
        )
        for precision in wanted
    }


def _judge(ground: _Ground, predictor: Predictor) -> list[dict[str, Any]]:
    settings, found = ground.settings, []
    for name, folder in settings.judge:
        ground.say(f"judging {folder} in the careful and the quick way")
        yardstick = name or settings.careful or settings.model
        careful = _load(settings, yardstick, "pytorch", "float32")
        quick = _load(settings, name, *_operating_point(settings)) if name else predictor
        found.append({"model": name or settings.model} | judging.compare(careful, quick, folder))
    return found


def _start(ground: _Ground) -> dict[str, Any]:
    settings = ground.settings
    if not settings.starts:
        return {}
    ground.say("starting sdd-predict on one image")
    runtime, precision = _operating_point(settings)
    words = ["--model", settings.model, "--device", settings.device]
    words += ["--runtime", runtime, "--precision", precision]
    words += ["--flips", settings.flips] if settings.flips else []
    return start.measure(ground.files.warm_up[0], words, repeats=settings.starts)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value
