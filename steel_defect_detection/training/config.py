"""TrainConfig: every setting of one training run, declared once.

``sdd-train`` has one option per field; names, defaults, limits and help come
from here. A preset is a JSON file of it.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from steel_defect_detection.models.config import Frozen
from steel_defect_detection.training.network_settings import NetworkSettings

_LARGEST_SIDE = 16384


def _or_none(given: Any) -> Any:
    """No weights, in the words of a file or of the command line."""
    return () if given is None or given == "none" else given


class TrainConfig(NetworkSettings):
    """Settings of one training run, written beside its checkpoint."""

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
        description="Epoch that becomes the checkpoint: the best by --monitor, or the last.",
    )
    monitor: str = Field(
        default="validation_loss",
        description="Measure whose best value marks the best epoch; losses are best when low.",
    )
    early_stopping: int = Field(
        default=0, ge=0, description="Epochs without progress after which to stop; 0: never."
    )
    replacement: int = Field(
        default=0,
        ge=0,
        description="Epochs without progress after which the best weights come back; 0: never.",
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
    policy: Literal[
        "flips",
        "rand_augment",
        "auto_augment",
        "random_choice",
        "phases",
        "corruptions",
        "none",
    ] = Field(
        default="flips",
        description="Recipe of random changes after the ones above; flips: nothing more; "
        "none: without the ones above too.",
    )
    black_out: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Classifier of independent labels, images with masks: chance that a class is "
        "painted out of an image that shows it, and its label taken away.",
    )
    balance: bool = Field(
        default=False,
        description="Draw each combination of classes equally often, rare images several times "
        "an epoch.",
    )
    class_weights: Annotated[tuple[float, ...], BeforeValidator(_or_none)] = Field(
        default=(),
        description="Weight per class: of its pixels, or of images that show it; none: all alike.",
    )
    balance_classes: bool = Field(
        default=False,
        description="Classifier: weigh classes by how rare they are, in place of class_weights.",
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Classifier of exclusive classes: share of the target spread over all classes.",
    )
    gradient_penalty: float = Field(
        default=0.0,
        ge=0,
        description="Head 'duq': weight of what keeps the certainties' gradient at length 1.",
    )
    centroid_momentum: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        description="Head 'duq': share of the old centroids kept at each batch.",
    )
    lovasz_weight: float = Field(
        default=0.0, ge=0, description="Outlines: share of the Lovász hinge beside the others."
    )
    background_weight: float = Field(
        default=1.0, gt=0, description="Weight of a pixel without defect."
    )
    dice_weight: float = Field(
        default=0.25, ge=0, description="Share of Dice beside binary cross-entropy."
    )
    dice_per_class: bool = Field(
        default=False,
        description="Outlines: a Dice of its own for each class, so that small ones count as "
        "much; else one over the pixels of all.",
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field(
        default="adam", description="Rule by which weights are changed."
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="Size of the first steps.")
    weight_decay: float = Field(default=0.0, ge=0, description="Pull of all weights towards 0.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Momentum of 'sgd'.")
    scheduler: Literal["constant", "plateau", "cosine", "steps", "one-cycle"] = Field(
        default="plateau", description="How the learning rate falls over the epochs."
    )
    plateau_patience: int = Field(
        default=10, ge=0, description="Epochs without progress before the rate falls."
    )
    step_epochs: tuple[int, ...] = Field(
        default=(), description="Epochs after which the rate falls, with the scheduler 'steps'."
    )
    step_factor: float = Field(
        default=0.1, gt=0, lt=1, description="What the rate is multiplied by when it falls."
    )
    averaging: Literal["none", "ema", "swa"] = Field(
        default="none",
        description="Weights that are judged and kept: the last ones, their exponential moving "
        "average, or, in the last quarter of the epochs, their plain average.",
    )
    averaging_decay: float = Field(
        default=0.99, ge=0, lt=1, description="Share of the old average kept per step, for 'ema'."
    )
    accumulate: int = Field(
        default=1, ge=1, description="Batches whose gradients are added up before each step."
    )
    gradient_clip: float = Field(
        default=0.0, ge=0, description="Largest length of the gradient; 0 = no limit."
    )
    epochs: int = Field(default=20, ge=1, description="Passes over the training images.")
    batch_size: int = Field(default=8, ge=1, description="Images or crops per step and process.")
    workers: int = Field(default=2, ge=0, description="Processes that read and augment images.")
    seed: int = Field(default=0, ge=0, lt=2**32, description="Number that all chance depends on.")
    pictures: bool = Field(
        default=True, description="Draw curves, confusions and examples when the run is over."
    )
    device: str = Field(default="auto", description="'auto', 'cpu', 'cuda' or 'cuda:1'.")
    devices: int = Field(default=1, ge=1, description="Devices per machine, each with a process.")
    nodes: int = Field(default=1, ge=1, description="Machines.")
    strategy: Literal["auto", "ddp", "fsdp"] = Field(
        default="auto",
        description="How several processes share the work; ddp: each has the whole network; fsdp: "
        "each has a part of its weights; auto: ddp.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Arithmetic; auto takes bfloat16 where the device has it."
    )

    @property
    def stops_by_validation(self) -> bool:
        """Whether a measure of validation images may end the run early."""
        return self.early_stopping > 0 and self.monitor != "train_loss"

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        if any(weight <= 0 for weight in self.class_weights):
            msg = f"class_weights must be positive, got {self.class_weights}"
            raise ValueError(msg)
        for name, sides in (("crop_size", self.crop_size), ("size", self.size)):
            if sides and not 1 <= min(sides) <= max(sides) <= _LARGEST_SIDE:
                msg = f"{name} must be 1 to {_LARGEST_SIDE} pixels, got {sides}"
                raise ValueError(msg)
        if list(self.step_epochs) != sorted({epoch for epoch in self.step_epochs if epoch > 0}):
            msg = f"step_epochs must be positive and rise, got {self.step_epochs}"
            raise ValueError(msg)
        if self.label_smoothing and self.labels == "independent":
            msg = "label_smoothing is for classes that exclude each other, not for 'independent'"
            raise ValueError(msg)
        self._check_validation()
        self._check_kind()
        self._check_black_out()
        self._check_head()
        self._check_strategy()
        return self

    def _check_validation(self) -> None:
        """Without validation images there is nothing to choose by."""
        if self.validation_share:
            return
        if self.keep == "best":
            msg = "validation_share 0 leaves no image to find the best epoch by: set keep to 'last'"
            raise ValueError(msg)
        if self.scheduler == "plateau":
            msg = (
                "validation_share 0 leaves no image to find a plateau by: set the scheduler to "
                "'cosine', 'constant', 'steps' or 'one-cycle'"
            )
            raise ValueError(msg)
        if self.stops_by_validation:
            msg = (
                "validation_share 0 leaves no image to stop by: set early_stopping to 0, or "
                f"monitor to 'train_loss', got {self.early_stopping} and {self.monitor!r}"
            )
            raise ValueError(msg)

    def _check_strategy(self) -> None:
        """What reads or writes all weights of a process cannot if it has a part of them."""
        if self.strategy == "fsdp" and (self.averaging != "none" or self.replacement):
            msg = (
                "strategy 'fsdp' deals the weights out, so they are neither averaged nor brought "
                "back: set averaging to 'none' and replacement to 0, or strategy to 'ddp', got "
                f"{self.averaging!r} and {self.replacement}"
            )
            raise ValueError(msg)

    def _check_black_out(self) -> None:
        settings = (self.architecture, self.labels)
        if self.black_out and settings != ("classifier", "independent"):
            msg = (
                "black_out leaves images without any class, which needs architecture 'classifier' "
                f"and labels 'independent', got {settings[0]!r} and {settings[1]!r}"
            )
            raise ValueError(msg)

    def _check_kind(self) -> None:
        if self.architecture == "classifier" and self.gate_head:
            msg = "gate_head is for 'unet' and 'linknet'; a classifier is a gate already"
            raise ValueError(msg)
        if self.architecture == "classifier" and self.lovasz_weight:
            msg = (
                "lovasz_weight is for outlines, and a classifier draws none: set it to 0, "
                f"got {self.lovasz_weight}"
            )
            raise ValueError(msg)
        if self.architecture == "classifier" and self.dice_per_class:
            msg = "dice_per_class is for outlines, and a classifier draws none: leave it out"
            raise ValueError(msg)
        if self.train_part != "all" and not self.gate_head:
            msg = f"train_part {self.train_part!r} needs gate_head: there is only one part"
            raise ValueError(msg)
        if self.scheduler == "steps" and not self.step_epochs:
            msg = "the scheduler 'steps' needs step_epochs, for example 30,35"
            raise ValueError(msg)
        # Whether there is such an encoder, and a head that fits the rest.
        self.graph(("defect",), exclusive=True)

    def _check_head(self) -> None:
        """A head that measures distances is trained in its own way."""
        if self.head == "linear":
            if self.gradient_penalty:
                msg = (
                    "gradient_penalty is for the head 'duq': set it to 0, "
                    f"got {self.gradient_penalty}"
                )
                raise ValueError(msg)
            return
        if self.architecture != "classifier":
            msg = f"the head 'duq' is for the architecture 'classifier', got {self.architecture!r}"
            raise ValueError(msg)
        if self.label_smoothing:
            msg = "label_smoothing is for the head 'linear': set it to 0 with the head 'duq'"
            raise ValueError(msg)
        if self.devices * self.nodes > 1:
            msg = (
                "the head 'duq' learns its centroids on one device: set devices and nodes to 1, "
                f"got {self.devices} and {self.nodes}"
            )
            raise ValueError(msg)
        if self.gradient_penalty and self.precision == "bfloat16":
            msg = (
                "gradient_penalty measures gradients, for which bfloat16 is too coarse: set "
                "precision to 'float32' or 'auto'"
            )
            raise ValueError(msg)


class CascadeConfig(Frozen):
    """Two runs whose networks become one checkpoint: first the gate, then the segmenter.

    With a classifier as gate they stay two networks, a cascade. With a
    two-headed network in both, the second run goes on from the first and
    trains the decoder only: a shared backbone.
    """

    description: str = ""
    gate: TrainConfig
    segmenter: TrainConfig

    @property
    def shares_backbone(self) -> bool:
        """Whether both runs train parts of one network."""
        return self.gate.kind == "two_head"

    @model_validator(mode="after")
    def _kinds_fit(self) -> Self:
        kinds = (self.gate.kind, self.segmenter.kind)
        if kinds not in {("classifier", "segmenter"), ("two_head", "two_head")}:
            msg = (
                "expected a classifier as gate and a U-Net or LinkNet as segmenter, or a "
                f"second head (gate_head) in both, got {kinds[0]} and {kinds[1]}"
            )
            raise ValueError(msg)
        shares = (self.gate.validation_share, self.segmenter.validation_share)
        if shares[0] != shares[1]:
            msg = (
                "gate and segmenter are validated on the same images: give both the same "
                f"validation_share, got {shares[0]} and {shares[1]}"
            )
            raise ValueError(msg)
        counts = [(stage.devices, stage.nodes) for stage in (self.gate, self.segmenter)]
        if counts[0] != counts[1]:
            msg = (
                "gate and segmenter are trained by the same processes: give both the same devices "
                f"and nodes, got {counts[0]} and {counts[1]}"
            )
            raise ValueError(msg)
        parts = (self.gate.train_part, self.segmenter.train_part)
        same = self.gate.graph(("defect",)) == self.segmenter.graph(("defect",))
        if self.shares_backbone and (parts != ("gate", "decoder") or not same):
            msg = (
                "a shared backbone needs train_part 'gate' first and 'decoder' second, and the "
                "same network in both"
            )
            raise ValueError(msg)
        return self
