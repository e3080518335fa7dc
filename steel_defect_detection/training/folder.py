"""The run folder: which run it belongs to, and whether that run is finished.

A folder belongs to the run whose settings stand in ``config.json`` and whose
inputs (images, labels, split, weights to start from) have the hash in
``inputs.sha256``. Only that run goes on in it; any other is refused.
"""

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from steel_defect_detection import files
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training.config import TrainConfig

_LOG = logging.getLogger(__name__)

MODEL = "model.safetensors"
LAST = "last.ckpt"
CONFIG = "config.json"
_MOST_NAMED = 3
INPUTS = "inputs.sha256"
METRICS = "metrics.json"
SPLIT = "split.csv"

PLACE = frozenset({"device", "devices", "nodes", "strategy", "workers"})
"""Settings that say where a run is computed, and may change when it goes on."""


def fingerprint(parts: Iterable[Dataset], starts: Iterable[str]) -> str:
    """Hash of what a run starts from, but for its settings.

    It covers name, file size and labels of each image, the content of its
    masks, in order, and the weights to start from. Where the files lie makes no
    difference, and neither does an image that is edited without changing size:
    reading all images takes minutes.

    Args:
        parts: Training and validation images.
        starts: Hashes of the weights to start from.
    """
    digest = hashlib.sha256()
    content = cache(_sha256)
    for part in parts:
        for entry in part.entries:
            size = _size(entry.path) if entry.path else entry.shape
            pixels, masks = _stable(entry.pixels, _size), _stable(entry.masks, content)
            line = (entry.name, size, entry.labels, pixels, masks)
            digest.update(repr(line).encode("utf-8", "backslashreplace"))
        digest.update(b"end of part")
    digest.update(" ".join(starts).encode())
    return digest.hexdigest()


def _stable(source: object, of_file: Callable[[Path], object]) -> object:
    """What a source of pixels or masks holds; of its files the name and what is said of them."""
    if isinstance(source, Path):
        return source.name, of_file(source)
    if isinstance(source, tuple):
        return tuple(_stable(part, of_file) for part in source)
    if is_dataclass(source):
        values = (_stable(getattr(source, field.name), of_file) for field in fields(source))
        return type(source).__name__, *values
    return source


def _size(path: Path) -> int:
    return path.stat().st_size


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_resume(folder: Path, *, overwrite: bool) -> None:
    """Refuse to go on where there is nothing to go on with.

    Args:
        folder: The run folder.
        overwrite: Whether a run that is there is to be forgotten, too.

    Raises:
        ConfigError: If there is no run, or it is to be forgotten.
    """
    if overwrite:
        msg = "resume goes on with a run and overwrite begins anew: leave one of them out"
        raise ConfigError(msg)
    if not (folder / CONFIG).exists():
        msg = f"resume: there is no run in {folder}. Leave --resume out to begin one"
        raise ConfigError(msg)


def check_place(folder: Path, data: object) -> None:
    """Refuse to write a run among the images that it learns from.

    Args:
        folder: The run folder.
        data: Folder of the data set, or a data set, which has none.

    Raises:
        ConfigError: If both are the same folder.
    """
    if isinstance(data, str | Path) and Path(data).resolve() == folder.resolve():
        msg = f"{folder} is the data set itself: name another --output for the run"
        raise ConfigError(msg)


def check_processes(folder: Path, config: TrainConfig) -> None:
    """Say what changes where a run goes on with more or fewer processes than before.

    Args:
        folder: The run folder.
        config: Settings of the run as it goes on.

    Raises:
        ConfigError: If its schedule counts steps, of which an epoch then has
            another number.
    """
    text = _content(folder / CONFIG)
    if not (folder / LAST).exists() or text is None or not _means(text, config):
        return
    known = TrainConfig.model_validate_json(text)
    before, now = (settings.devices * settings.nodes for settings in (known, config))
    if before == now:
        return
    if config.scheduler == "one-cycle":
        msg = (
            f"the run in {folder} has counted the steps of {before} processes for its scheduler "
            f"'one-cycle', so {now} cannot go on with it. Set --devices and --nodes as they were"
        )
        raise ConfigError(msg)
    _LOG.info(
        "going on with %d processes in place of %d: a step now takes %d images in place of %d",
        now,
        before,
        now * config.batch_size * config.accumulate,
        before * config.batch_size * config.accumulate,
    )


def claim(folder: Path, config: BaseModel, inputs: str, *, overwrite: bool) -> None:
    """Take a folder for a run, or find that it is that run's already.

    Args:
        folder: The run folder.
        config: Settings of the run.
        inputs: What ``fingerprint`` says of its inputs.
        overwrite: Forget a run that is there.

    Raises:
        ConfigError: If the folder belongs to another run, or files of others.
    """
    settings = config.model_dump_json(indent=2) + "\n"
    if overwrite:
        for name in (LAST, METRICS):
            (folder / name).unlink(missing_ok=True)
    elif foreign := _foreign(folder):
        msg = (
            f"{folder} holds {foreign}, and no {CONFIG} says that a run has left it there. "
            "Choose another --output"
        )
        raise ConfigError(msg)
    elif not _means(_content(folder / CONFIG), config):
        changes = _changes(_content(folder / CONFIG), config)
        raise ConfigError(_refusal(folder, f"other settings ({CONFIG}{changes})"))
    elif _content(folder / INPUTS) not in {None, inputs + "\n"}:
        raise ConfigError(_refusal(folder, "other images, another split or another start"))
    files.write_text(folder / CONFIG, settings)
    files.write_text(folder / INPUTS, inputs + "\n")


def release(homes: Iterable[Path], *, with_split: bool) -> None:
    """Give folders back whose run failed before its first epoch, for one with other settings.

    Args:
        homes: The run folder, and those of a cascade's two runs in it; if an
            epoch of one is over, nothing happens.
        with_split: Whether the run has written its ``split.csv``, which then
            goes, too.
    """
    homes = tuple(homes)
    if any((home / name).exists() for home in homes for name in (LAST, METRICS, MODEL)):
        return
    for home in homes:
        for name in (CONFIG, INPUTS, *([SPLIT] if with_split else [])):
            (home / name).unlink(missing_ok=True)


def finish(folder: Path, metrics: Mapping[str, object]) -> None:
    """Write ``metrics.json``, which says that the run is over.

    Args:
        folder: The run folder.
        metrics: Measures by name; what is not a number is written as null.
    """
    files.write_text(folder / METRICS, json.dumps(_without_nan(metrics), indent=2) + "\n")


def is_finished(folder: Path) -> bool:
    """Tell whether the run of a folder is over."""
    return (folder / METRICS).exists()


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _foreign(folder: Path) -> str | None:
    """Name of a file that a run would replace although no run has written it."""
    if (folder / CONFIG).exists():
        return None
    own = (MODEL, LAST, METRICS, SPLIT)
    return next((name for name in own if (folder / name).exists()), None)


def _means(text: str | None, config: BaseModel) -> bool:
    """Whether a text stands for these settings, wherever the run is computed.

    It may lack settings that came later.
    """
    if text is None:
        return True
    try:
        known = type(config).model_validate_json(text)
    except ValidationError:
        return False
    return without_place(known.model_dump()) == without_place(config.model_dump())


def _changes(text: str | None, config: BaseModel) -> str:
    """Which settings differ from those of a text that can be read, in words."""
    try:
        known = type(config).model_validate_json(text or "")
    except ValidationError:
        return ""
    before, now = (without_place(one.model_dump(mode="json")) for one in (known, config))
    changed = list(differences(before, now))
    return f": {first_of(changed)}" if changed else ""


def differences(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Say what differs between two values that JSON can hold, place by place.

    Args:
        before: What was there.
        now: What is there now.
        place: Where both stand.

    Yields:
        Lines such as ``base.epochs was 20 and is 2``.
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*before, *now)):
            where = f"{place}.{name}" if place else str(name)
            if name not in now:
                yield f"{where} was {_short(before[name])} and is gone"
            elif name not in before:
                yield f"{where} is new: {_short(now[name])}"
            else:
                yield from differences(before[name], now[name], where)
    elif before != now:
        yield f"{place} was {_short(before)} and is {_short(now)}"


def first_of(found: Sequence[str]) -> str:
    """Join the first few of what ``differences`` yields, and say how many more there are.

    Args:
        found: At least one line.
    """
    more = len(found) - _MOST_NAMED
    return "; ".join(found[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def without_place(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings, and settings within them, but for where the run is computed.

    Args:
        settings: Settings of a run or of the two of a cascade.
    """
    return {
        name: without_place(value) if isinstance(value, Mapping) else value
        for name, value in settings.items()
        if name not in PLACE
    }


def _refusal(folder: Path, what: str) -> str:
    return (
        f"{folder} holds a run with {what}. "
        "Choose another --output, or add --overwrite to begin anew"
    )


def _without_nan(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _without_nan(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
