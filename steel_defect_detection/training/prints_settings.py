"""One experiment of the prints system in the words of this package, and as a training run."""

from typing import Annotated, Any, Literal

from pydantic import Field

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.config import Frozen

Count = Annotated[int, Field(ge=0, le=1_000_000)]
Positive = Annotated[int, Field(ge=1, le=1_000_000)]


class PrintsModel(Frozen):
    """The network: its name in this package, and whether it starts from ImageNet."""

    name: Literal["mobilenet_v2", "resnet18", "efficientnet-b1", "shufflenet_v2"] = "mobilenet_v2"
    pretrained: bool = True


class PrintsOptimizer(Frozen):
    """The rule by which weights are changed."""

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = Field(default=0.01, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.001, ge=0)


class PrintsScheduler(Frozen):
    """How the learning rate falls: after some epochs, every few epochs, or never."""

    name: Literal["steps", "every", "constant"] = "steps"
    step_epochs: tuple[Positive, ...] = (30, 35)
    step_factor: float = Field(default=0.1, gt=0, lt=1)


class PrintsSettings(Frozen):
    """One experiment of the prints system in the words of this package.

    The defaults are those of the system's DEFAULT.json.

    Args:
        model: The network.
        loss: What is made small.
        optimizer: How weights are changed.
        scheduler: How the learning rate falls.
        dataset: What is learned from: the prints, drawn prints, or CIFAR-10.
        epochs: Passes over the training images.
        batch_size: Images per step.
        policy: Augmentation, a name that ``TrainConfig.policy`` has.
        duq: Whether the head measures distances to centroids (deterministic
            uncertainty quantification).
        gradient_penalty: Weight of its gradient penalty; None for none.
        early_stopping: Epochs without progress after which to stop; 0: never.
        replacement: Epochs without progress after which the best weights come
            back; 0: never.
    """

    model: PrintsModel = PrintsModel()
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    optimizer: PrintsOptimizer = PrintsOptimizer()
    scheduler: PrintsScheduler = PrintsScheduler()
    dataset: Literal["prints", "synthetic_prints", "cifar10"] = "prints"
    epochs: Positive = 40
    batch_size: Positive = 32
    policy: Literal["flips", "rand_augment", "auto_augment", "random_choice", "phases", "none"] = (
        "rand_augment"
    )
    duq: bool = False
    gradient_penalty: float | None = Field(default=None, ge=0)
    early_stopping: Count = 10
    replacement: Count = 0


def train_settings(experiment: PrintsSettings) -> dict[str, Any]:
    """Settings of ``TrainConfig`` that train what an experiment describes.

    Args:
        experiment: The experiment.

    Returns:
        The settings that differ from the defaults of ``TrainConfig``. The
        images come from ``--data``, whatever set the experiment names; only
        that CIFAR-10's are small changes the network.

    Raises:
        ConfigError: If the distance head has another loss than its own, or there
            is a gradient penalty without that head.
    """
    if experiment.duq and experiment.loss != "binary_cross_entropy":
        msg = (
            "RBF_flag asks for a distance head (DUQ), which learns by nn.BCELoss() alone: set the "
            "criterion to it, or RBF_flag to False"
        )
        raise ConfigError(msg)
    if experiment.gradient_penalty and not experiment.duq:
        msg = (
            f"gp_const asks for a gradient penalty of {experiment.gradient_penalty}, which only a "
            "distance head has: set it to None, or RBF_flag to True"
        )
        raise ConfigError(msg)
    small = experiment.dataset == "cifar10"
    # Per-class questions are what binary cross-entropy asks, of a linear head.
    one_each = experiment.duq or experiment.loss == "cross_entropy"
    settings = {
        "description": f"Experiment of the prints system, there on {experiment.dataset}.",
        "architecture": "classifier",
        "encoder": experiment.model.name,
        "init": "imagenet" if experiment.model.pretrained else "scratch",
        "labels": "exclusive" if one_each else "independent",
        "head": "duq" if experiment.duq else "linear",
        "gradient_penalty": experiment.gradient_penalty or 0.0,
        "channels": 3,
        "mean": 0.473 if small else 0.449,
        "std": 0.201 if small else 0.226,
        "size": (32, 32) if small else (224, 224),
        "stem": "small" if small else "standard",
        "policy": experiment.policy,
        "flips": experiment.policy == "flips",
        "optimizer": experiment.optimizer.name,
        "learning_rate": experiment.optimizer.learning_rate,
        "momentum": experiment.optimizer.momentum,
        "weight_decay": experiment.optimizer.weight_decay,
        "epochs": experiment.epochs,
        "batch_size": experiment.batch_size,
        "early_stopping": experiment.early_stopping,
        "replacement": experiment.replacement,
    }
    return settings | _schedule(experiment)


def _schedule(experiment: PrintsSettings) -> dict[str, Any]:
    """When the learning rate falls; "every few epochs" becomes a list of them."""
    schedule = experiment.scheduler
    after = schedule.step_epochs
    if schedule.name == "every":
        after = tuple(range(after[0], experiment.epochs, after[0]))
    if schedule.name == "constant" or not after:
        return {"scheduler": "constant"}
    return {"scheduler": "steps", "step_epochs": after, "step_factor": schedule.step_factor}
