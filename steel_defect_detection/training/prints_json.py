"""Experiment files of the prints system, read without running anything in them.

That system keeps pieces of Python in its JSON files, for example
``optim.SGD(hyp_dict["model"].parameters(), lr = 0.01)``, and evaluates them.
Here they are only parsed (``ast``), compared with the few forms that such files
have, and put into this package's words; everything else is refused.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training import prints_expressions as expressions
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.prints_expressions import Call, Name
from steel_defect_detection.training.prints_settings import PrintsSettings

Reader: TypeAlias = Callable[[expressions.Value], dict[str, Any]]


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary of a JSON object, for ``json.loads(…, object_pairs_hook=once)``.

    Raises:
        ValueError: If a name occurs twice, so that one of its values would be lost.
    """
    counts = Counter(name for name, _ in pairs)
    for name, count in counts.items():
        if count > 1:
            msg = f"the name {name!r} occurs twice in one object"
            raise ValueError(msg)
    return dict(pairs)


def recognises(values: Mapping[str, Any]) -> bool:
    """Tell an experiment of the prints system from settings in the words of this package.

    Args:
        values: What the JSON file holds.

    Returns:
        True if a name stands there that only the prints system has, or nothing
        but names that it has, with values in the form of texts, as it has them.
    """
    keys = {name.lower() for name in values}
    known = set(_READERS)
    if keys & (known - set(TrainConfig.model_fields)):
        return True
    as_texts = all(isinstance(value, str) for value in values.values())
    return bool(keys) and keys <= known and as_texts


def read(file: str | Path, over: PrintsSettings | None = None) -> PrintsSettings:
    """Read an experiment file of the prints system.

    Args:
        file: The JSON file; it names only what differs.
        over: Settings that hold where the file says nothing, for example those
            of the system's own DEFAULT.json; by default the published ones.

    Raises:
        ConfigError: If the file cannot be read or holds anything that such
            files do not have. Nothing in it is run.
    """
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        msg = f"{file} cannot be read: {error}. Name a JSON file"
        raise ConfigError(msg) from error
    try:
        return parse_text(text, over)
    except ConfigError as error:
        msg = f"{file}: {error}"
        raise ConfigError(msg) from error


def parse_text(text: str, over: PrintsSettings | None = None) -> PrintsSettings:
    """Read the text of an experiment file.

    Args:
        text: A JSON object.
        over: Settings that hold where the text says nothing; by default the
            published ones.

    Raises:
        ConfigError: If it is no such text.

    Example:
        >>> parse_text('{"epochs": "20", "augmentation": "categorical"}').policy
        'phases'
    """
    try:
        values = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        msg = f"this is not JSON: {_short(error)}. Expected an object of settings"
        raise ConfigError(msg) from error
    if not isinstance(values, dict):
        msg = f"expected a JSON object of settings, got {_short(repr(values))}"
        raise ConfigError(msg)
    return parse(values, over)


def parse(values: Mapping[str, Any], over: PrintsSettings | None = None) -> PrintsSettings:
    """Put the settings of an experiment into the words of this package.

    Args:
        values: Settings by the prints system's names, usually each a string
            with a Python expression.
        over: Settings that hold where nothing is said; by default the
            published ones.

    Raises:
        ConfigError: If a setting is unknown, or its value is none that such
            files have.
    """
    changes: dict[str, Any] = {}
    for name, value in values.items():
        for setting, change in _reading(name, value).items():
            if changes.setdefault(setting, change) != change:
                msg = f"{name} contradicts another spelling of it: leave one of them out"
                raise ConfigError(msg)
    base = (over or PrintsSettings()).model_dump()
    try:
        return PrintsSettings.model_validate(base | changes)
    except ValidationError as error:
        raise ConfigError("; ".join(_problem(problem) for problem in error.errors())) from error


def _reading(name: str, value: Any) -> dict[str, Any]:
    key = name.lower()
    if key not in _READERS:
        msg = f"unknown setting {_short(repr(name))}. Settings: {', '.join(_READERS)}"
        raise ConfigError(msg)
    try:
        return _READERS[key](expressions.parse(value) if isinstance(value, str) else value)
    except ValueError as error:
        msg = f"{name} {_short(repr(value))} {error}. Nothing of it was run"
        raise ConfigError(msg) from error


def _model(value: expressions.Value) -> dict[str, Any]:
    call = _called(value, _MODELS, "torchvision.models.")
    name, kind = _MODELS[call.function.rsplit(".", 1)[-1]]
    weights = _arguments(call, ("weights",)).get("weights")
    spelling = weights.text if isinstance(weights, Name) else weights
    pretrained = {
        f"{prefix}{version}"
        for prefix in ("", f"{kind}.", f"models.{kind}.")
        for version in _VERSIONS[kind]
    }
    if spelling is not None and (not isinstance(spelling, str) or spelling not in pretrained):
        msg = f"names weights other than None or {kind}.DEFAULT"
        raise ValueError(msg)
    return {"model": {"name": name, "pretrained": spelling is not None}}


def _criterion(value: expressions.Value) -> dict[str, Any]:
    call = _called(value, _LOSSES, "torch.nn.")
    _arguments(call, ())
    return {"loss": _LOSSES[call.function.rsplit(".", 1)[-1]]}


def _optimizer(value: expressions.Value) -> dict[str, Any]:
    call = _called(value, _OPTIMIZERS, "torch.optim.")
    kind = call.function.rsplit(".", 1)[-1]
    places = ("params", "lr", "momentum") if kind == "SGD" else ("params", "lr")
    given = _arguments(call, places, "weight_decay")
    if given.pop("params", None) != Call('hyp_dict["model"].parameters'):
        msg = 'changes other weights than hyp_dict["model"].parameters()'
        raise ValueError(msg)
    name, decay = _OPTIMIZERS[kind]
    settings = {
        "learning_rate": given.get("lr", 0.001),
        "momentum": given.get("momentum", 0.0),
        "weight_decay": given.get("weight_decay", decay),
    }
    return {"optimizer": {"name": name} | {key: _number(item) for key, item in settings.items()}}


def _scheduler(value: expressions.Value) -> dict[str, Any]:
    if value is None:
        return {"scheduler": {"name": "constant", "step_epochs": ()}}
    call = _called(value, _SCHEDULERS, "torch.optim.lr_scheduler.")
    name, places = _SCHEDULERS[call.function.rsplit(".", 1)[-1]]
    given = _arguments(call, ("optimizer", places, "gamma"))
    if given.get("optimizer") != Name('hyp_dict["optimizer"]'):
        msg = 'schedules another optimizer than hyp_dict["optimizer"]'
        raise ValueError(msg)
    epochs = given.get(places)
    if name == "every":
        epochs = [epochs]
    if not isinstance(epochs, list) or not epochs:
        msg = f"does not say {places}"
        raise ValueError(msg)
    steps = sorted(_whole(epoch) for epoch in epochs)
    factor = _number(given.get("gamma", 0.1))
    return {"scheduler": {"name": name, "step_epochs": steps, "step_factor": factor}}


def _called(value: expressions.Value, known: Mapping[str, Any], module: str) -> Call:
    """The call of a function of a module, of whose name the front may be left out."""
    parts = module.split(".")
    allowed = {".".join(parts[start:]) + name for start in range(len(parts)) for name in known}
    if not isinstance(value, Call) or value.function not in allowed:
        what = f"calls {value.function}" if isinstance(value, Call) else "is no call"
        msg = f"{what}, expected a call of {' or '.join(known)}"
        raise ValueError(msg)
    return value


def _arguments(call: Call, places: tuple[str, ...], *names: str) -> dict[str, Any]:
    """Arguments by name, whether they were given by place or by name."""
    given = dict(zip(places, call.arguments, strict=False))
    known = (*places, *names)
    excess = len(call.arguments) > len(places)
    if excess or given.keys() & call.settings or call.settings.keys() - set(known):
        msg = f"gives {call.function} arguments other than, once each: {', '.join(known) or 'none'}"
        raise ValueError(msg)
    return given | call.settings


def _word(field: str, words: Mapping[str, str]) -> Reader:
    def reader(value: expressions.Value) -> dict[str, Any]:
        word = value.text if isinstance(value, Name) else value
        if not isinstance(word, str) or word not in words:
            msg = f"is none of {', '.join(words)}"
            raise ValueError(msg)
        return {field: words[word]}

    return reader


def _flags(value: expressions.Value) -> dict[str, Any]:
    """Where that system shows its measures: here they are always shown in both places."""
    words = ("Terminal", "Tensorboard")
    if not isinstance(value, dict) or value.keys() - set(words):
        msg = f"is no dictionary of {' and '.join(words)}"
        raise ValueError(msg)
    for item in value.values():
        _flag(item)
    return {}


def _flag(value: expressions.Value) -> bool:
    if not isinstance(value, bool):
        msg = "is neither True nor False"
        raise ValueError(msg)
    return value


def _whole(value: expressions.Value) -> int:
    if type(value) is not int:
        msg = "holds something else where a whole number is expected"
        raise ValueError(msg)
    return value


def _number(value: expressions.Value) -> float:
    # bool is an int to Python; JSON's own numbers may be too large for a float.
    if type(value) not in {int, float} or not abs(value) < 2**53:  # type: ignore[arg-type]
        msg = "holds something else where a number is expected"
        raise ValueError(msg)
    return value  # type: ignore[return-value]  # checked above


def _problem(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    text = problem["msg"].removeprefix("Input ")
    return f"{name} {text}, got {_short(repr(problem['input']))}"


def _short(text: object) -> str:
    text = str(text)
    return text if len(text) <= 80 else f"{text[:77]}..."


_MODELS = {
    "mobilenet_v2": ("mobilenet_v2", "MobileNet_V2_Weights"),
    "resnet18": ("resnet18", "ResNet18_Weights"),
    "efficientnet_b1": ("efficientnet-b1", "EfficientNet_B1_Weights"),
    "shufflenet_v2_x1_0": ("shufflenet_v2", "ShuffleNet_V2_X1_0_Weights"),
}

_VERSIONS = {
    "MobileNet_V2_Weights": ("DEFAULT", "IMAGENET1K_V1", "IMAGENET1K_V2"),
    "ResNet18_Weights": ("DEFAULT", "IMAGENET1K_V1"),
    "EfficientNet_B1_Weights": ("DEFAULT", "IMAGENET1K_V1", "IMAGENET1K_V2"),
    "ShuffleNet_V2_X1_0_Weights": ("DEFAULT", "IMAGENET1K_V1"),
}

_LOSSES = {"CrossEntropyLoss": "cross_entropy", "BCELoss": "binary_cross_entropy"}

# With the weight decay that torch takes where none is given.
_OPTIMIZERS = {"SGD": ("sgd", 0.0), "Adam": ("adam", 0.0), "AdamW": ("adamw", 0.01)}

_SCHEDULERS = {"MultiStepLR": ("steps", "milestones"), "StepLR": ("every", "step_size")}

_READERS: dict[str, Reader] = {
    "model": _model,
    "criterion": _criterion,
    "optimizer": _optimizer,
    "scheduler": _scheduler,
    "dataset": _word(
        "dataset",
        {
            "NTZFilterDataset": "prints",
            "NTZFilterSyntheticDataset": "synthetic_prints",
            "CIFAR10Dataset": "cifar10",
            "CIFAR10": "cifar10",
        },
    ),
    "epochs": lambda value: {"epochs": _whole(value)},
    "batch_size": lambda value: {"batch_size": _whole(value)},
    "augmentation": _word(
        "policy",
        {
            "rand_augment": "rand_augment",
            "auto_augment": "auto_augment",
            "random_choice": "random_choice",
            "categorical": "phases",
            "simple": "flips",
            "no_augment": "none",
        },
    ),
    "pfm_flag": _flags,
    "rbf_flag": lambda value: {"duq": _flag(value)},
    "gp_const": lambda value: {"gradient_penalty": None if value is None else _number(value)},
    "early_limit": lambda value: {"early_stopping": _whole(value)},
    # As that system's own manual spells it.
    "early_imit": lambda value: {"early_stopping": _whole(value)},
    "replacement_limit": lambda value: {"replacement": _whole(value)},
}
