"""TrainConfig: every setting of one training run, declared once.

``sdd-train`` has one option per field; names, defaults, limits and help come
from here. A preset is a JSON file of it.
"""

import json
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.config import (
    EFFICIENTNETS,
    ClassifierConfig,
    Frozen,
    GraphConfig,
    Preprocessing,
    SegmenterConfig,
)

_Config = TypeVar("_Config", bound=BaseModel)


class TrainConfig(Frozen):
    """Settings of one training run, written beside its checkpoint."""

    description: str = Field(default="", description="What this preset is and where it comes from.")
    architecture: Literal["classifier", "unet", "linknet"] = Field(
        description="What is trained: a classifier (the gate), a U-Net or a LinkNet."
    )
    encoder: EFFICIENTNETS = Field(
        default="efficientnet-b0", description="EfficientNet that sees the image."
    )
    any_defect: Literal["maximum", "logit"] = Field(
        default="maximum",
        description="Gate: 'any defect' is the most probable class, or has a logit of its own.",
    )
    channels: Literal[1, 3] = Field(default=1, description="1 for grey images, 3 for colour.")
    scale: float = Field(
        default=1.0, gt=0, le=1, description="Size at which the network sees images, 1 = full."
    )
    init: str = Field(
        default="scratch",
        description="Start from: 'scratch', 'imagenet' (downloads the encoder's weights), "
        "or a built-in model or checkpoint file.",
    )
    validation_share: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="Share of the images kept for validation; 0 needs '--keep last'.",
    )
    keep: Literal["best", "last"] = Field(
        default="best",
        description="Epoch that becomes the checkpoint: best by validation loss, or the last.",
    )
    crop_size: tuple[int, int] | None = Field(
        default=None, description="Height and width of training crops; none: whole images."
    )
    crops_per_image: int = Field(default=1, ge=1, description="Crops of each image per epoch.")
    defect_crops: float = Field(
        default=0.5, ge=0, le=1, description="Share of crops that are placed on a defect."
    )
    flips: bool = Field(default=True, description="Mirror left-right and up-down at random.")
    rotation_degrees: float = Field(
        default=0.0, ge=0, le=180, description="Largest rotation, on every fourth image."
    )
    zoom: float = Field(default=0.0, ge=0, lt=1, description="Largest change of size, as a share.")
    brightness: float = Field(default=0.0, ge=0, le=1, description="Largest change of brightness.")
    contrast: float = Field(default=0.0, ge=0, le=1, description="Largest change of contrast.")
    blur_and_noise: float = Field(
        default=0.0, ge=0, le=1, description="Share of images that are blurred or get noise."
    )
    class_weights: Annotated[tuple[float, ...], BeforeValidator(lambda given: given or ())] = Field(
        default=(),
        description="Weight per class: of its pixels, or of images that show it; none: all alike.",
    )
    background_weight: float = Field(
        default=1.0, gt=0, description="Weight of a pixel without defect."
    )
    dice_weight: float = Field(
        default=0.25, ge=0, description="Share of Dice beside binary cross-entropy."
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field(
        default="adam", description="Rule by which weights are changed."
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="Size of the first steps.")
    weight_decay: float = Field(default=0.0, ge=0, description="Pull of all weights towards 0.")
    scheduler: Literal["constant", "plateau", "cosine"] = Field(
        default="plateau", description="How the learning rate falls over the epochs."
    )
    plateau_patience: int = Field(
        default=10, ge=0, description="Epochs without progress before the rate falls tenfold."
    )
    gradient_clip: float = Field(
        default=0.0, ge=0, description="Largest length of the gradient; 0 = no limit."
    )
    epochs: int = Field(default=20, ge=1, description="Passes over the training images.")
    batch_size: int = Field(default=8, ge=1, description="Images or crops per step.")
    workers: int = Field(default=2, ge=0, description="Processes that read and augment images.")
    seed: int = Field(default=0, ge=0, description="Number that all chance depends on.")
    device: str = Field(default="auto", description="'auto', 'cpu' or 'cuda'.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Arithmetic; auto takes bfloat16 where the device has it."
    )

    @property
    def kind(self) -> Literal["classifier", "segmenter"]:
        """Which of the two questions the network answers."""
        return "classifier" if self.architecture == "classifier" else "segmenter"

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        if any(weight <= 0 for weight in self.class_weights):
            msg = f"class_weights must be positive, got {self.class_weights}"
            raise ValueError(msg)
        if self.crop_size and min(self.crop_size) < 1:
            msg = f"crop_size must be positive, got {self.crop_size}"
            raise ValueError(msg)
        if self.validation_share == 0 and (self.keep == "best" or self.scheduler == "plateau"):
            msg = "validation_share 0 needs keep 'last' and a scheduler other than 'plateau'"
            raise ValueError(msg)
        return self

    def graph(self, classes: tuple[str, ...]) -> GraphConfig:
        """Describe the network to train for these classes."""
        network: ClassifierConfig | SegmenterConfig
        if self.architecture == "classifier":
            network = ClassifierConfig(
                encoder=self.encoder, classes=classes, any_defect=self.any_defect
            )
        else:
            network = SegmenterConfig(
                architecture=self.architecture, encoder=self.encoder, classes=classes
            )
        preprocessing = Preprocessing(channels=self.channels, scale=self.scale)
        return GraphConfig(network=network, preprocessing=preprocessing)


class CascadeConfig(Frozen):
    """Two runs whose networks become one checkpoint: first the gate, then the segmenter."""

    description: str = ""
    gate: TrainConfig
    segmenter: TrainConfig

    @model_validator(mode="after")
    def _kinds_fit(self) -> Self:
        if self.gate.kind != "classifier" or self.segmenter.kind != "segmenter":
            msg = (
                "a cascade needs a classifier as gate and a U-Net or LinkNet as segmenter, got "
                f"{self.gate.architecture!r} and {self.segmenter.architecture!r}"
            )
            raise ValueError(msg)
        return self


def presets() -> tuple[str, ...]:
    """Names of the presets that come with the package, sorted."""
    folder = resources.files("steel_defect_detection") / "presets"
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".json")))


def load(preset_or_file: str | Path, **changes: Any) -> TrainConfig | CascadeConfig:
    """Read a preset or a JSON file and change some of its settings.

    Args:
        preset_or_file: Name of a preset, or path of a JSON file. In a cascade,
            ``gate`` and ``segmenter`` may name presets.
        **changes: Settings by name; in a cascade they change both runs.

    Raises:
        ConfigError: If there is no such preset or file, it is no JSON, or a
            setting is unknown or impossible.
    """
    settings = _read(preset_or_file)
    if "gate" not in settings and "segmenter" not in settings:
        return _validated(TrainConfig, settings | changes)
    for part in ("gate", "segmenter"):
        stage = settings.get(part, {})
        if isinstance(stage, str):
            stage = _read(stage)
        if not isinstance(stage, dict):
            msg = f"{part} must be the name of a preset or an object of settings, got {stage!r}"
            raise ConfigError(msg)
        settings[part] = stage | changes
    return _validated(CascadeConfig, settings)


def _read(preset_or_file: str | Path) -> dict[str, Any]:
    text = _text(preset_or_file)
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{preset_or_file} is not JSON: {error}"
        raise ConfigError(msg) from error
    if not isinstance(settings, dict):
        msg = f"{preset_or_file} holds no settings: expected a JSON object"
        raise ConfigError(msg)
    return settings


def _text(preset_or_file: str | Path) -> str:
    name = str(preset_or_file)
    if name in presets():
        file = resources.files("steel_defect_detection") / "presets" / f"{name}.json"
        return file.read_text(encoding="utf-8")
    try:
        return Path(name).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        msg = (
            f"{name!r} is neither a preset nor a readable file."
            f"{nearest(name, presets())} Presets: {', '.join(presets())}"
        )
        raise ConfigError(msg) from error


def _validated(model: type[_Config], settings: dict[str, Any]) -> _Config:
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise ConfigError("; ".join(_problem(problem) for problem in error.errors())) from error


def _problem(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = TrainConfig.model_fields
        return f"unknown setting {name!r}.{nearest(str(problem['loc'][-1]), known)}"
    if problem["type"] == "missing":
        return f"the setting {name!r} is missing"
    text = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{name} {text}, got {problem['input']!r}" if name else text


def nearest(name: str, known: Any) -> str:
    """Suggest the known name that is most like a wrong one.

    Returns:
        `` Did you mean 'strip'?``, or nothing if no name is like it.
    """
    matches = get_close_matches(name, list(known), n=1)
    return f" Did you mean {matches[0]!r}?" if matches else ""
