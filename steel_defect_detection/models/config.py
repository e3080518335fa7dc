"""What a network is: the settings from which ``models.graph.build`` makes it.

They stand in the header of every checkpoint, so reading them loads no torch.
"""

from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

CLASSIFIER_ENCODERS = (
    *(f"efficientnet-b{size}" for size in range(8)),
    "mobilenet_v2",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "shufflenet_v2",
    "vgg16",
)
"""EfficientNets of efficientnet-pytorch, the others of torchvision."""

SEGMENTER_ENCODERS = (
    *(f"densenet{depth}" for depth in (121, 161, 169, 201)),
    *(f"efficientnet-b{size}" for size in range(8)),
    "mobilenet_v2",
    *(f"mobileone_s{size}" for size in range(5)),
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    "resnext50_32x4d",
    *(f"se_resnet{depth}" for depth in (50, 101, 152)),
    *(f"se_resnext{depth}_32x4d" for depth in (50, 101)),
    *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
    "xception",
)
"""Encoders of segmentation-models-pytorch, by its own names."""

Flips = Literal["none", "horizontal", "vertical", "both"]
"""Mirrored copies of an image that a network is asked about, too: left-right, upside down, or
both and the two in one."""

ClassNames = Annotated[tuple[str, ...], Field(min_length=1, max_length=255)]


class Frozen(BaseModel):
    """A value that cannot be changed and knows all its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Preprocessing(Frozen):
    """How a uint8 image becomes what the network sees.

    Args:
        channels: 1 for grey images (also when stored as three equal
            channels), 3 for colour.
        mean: Brightness taken away, as a share of 255.
        std: Brightness divided by afterwards, as a share of 255.
        scale: Side of the image the network sees, relative to the input's.
        size: Height and width of the image the network sees, whatever the
            input's; it takes the place of ``scale``.
    """

    channels: Literal[1, 3] = 1
    mean: float = Field(default=0.344, ge=0, le=1)
    std: float = Field(default=0.18, gt=0, le=1)
    scale: float = Field(default=1.0, gt=0, le=1)
    size: tuple[PositiveInt, PositiveInt] | None = None


class ClassifierConfig(Frozen):
    """A classifier of whole images, such as the gate.

    Args:
        kind: Tells classifiers from segmenters in a checkpoint.
        encoder: One of ``CLASSIFIER_ENCODERS``.
        classes: Names of the classes.
        any_defect: How "any defect" is judged where no class means "good":
            ``maximum`` of the classes' probabilities, or a ``logit`` of its own.
        exclusive: Whether an image shows exactly one of the classes; with a
            linear head their probabilities then add up to 1.
        good_class: The class, if any, that means "free of defects"; "any
            defect" is then everything else, with the head ``duq`` also an
            image that is far from every class.
        head_width: Neurons between encoder and classes; 0 for none.
        dropout: Share of features dropped in training before the head; by
            default what the encoder comes with.
        stem: ``standard``, or ``small`` for images of about 32 pixels, which
            are not halved before the first stage.
        head: ``linear``, or ``duq``, which measures how near an image is to a
            centroid of each class (``models.duq``); for exclusive classes.
        length_scale: Distance per coordinate at which the kernel of ``duq`` is
            exp(-1/2), about 0.61.
        embedding_size: Coordinates of a centroid of ``duq``; 0 for as many as
            there are features.
    """

    kind: Literal["classifier"] = "classifier"
    encoder: str = "efficientnet-b0"
    classes: ClassNames
    any_defect: Literal["maximum", "logit"] = "maximum"
    exclusive: bool = False
    good_class: str | None = None
    head_width: int = Field(default=0, ge=0)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    stem: Literal["standard", "small"] = "standard"
    head: Literal["linear", "duq"] = "linear"
    length_scale: float = Field(default=0.1, gt=0)
    embedding_size: int = Field(default=0, ge=0)

    @property
    def adds_up(self) -> bool:
        """Whether the probabilities of the classes add up to 1."""
        return self.exclusive and self.head == "linear"

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        _check_encoder(self.encoder, CLASSIFIER_ENCODERS)
        if self.head == "duq":
            self._check_duq()
        if self.good_class is not None and self.good_class not in self.classes:
            msg = f"good_class {self.good_class!r} is none of the classes {self.classes}"
            raise ValueError(msg)
        return self

    def _check_duq(self) -> None:
        if not self.exclusive:
            msg = (
                "the head 'duq' is for classes of which each image shows exactly one: set labels "
                "to 'exclusive', or the head to 'linear'"
            )
            raise ValueError(msg)
        if self.any_defect == "logit" or self.head_width:
            msg = (
                "the head 'duq' takes the place of any_defect 'logit' and of head_width: leave "
                f"them at 'maximum' and 0, got {self.any_defect!r} and {self.head_width}"
            )
            raise ValueError(msg)


class SegmenterConfig(Frozen):
    """The segmenter: one logit per defect class and pixel.

    Args:
        kind: Tells segmenters from classifiers in a checkpoint.
        architecture: U-Net or LinkNet of segmentation-models-pytorch.
        encoder: One of ``SEGMENTER_ENCODERS``.
        classes: Names of the defect classes.
    """

    kind: Literal["segmenter"] = "segmenter"
    architecture: Literal["unet", "linknet"] = "linknet"
    encoder: str = "efficientnet-b0"
    classes: ClassNames

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        _check_encoder(self.encoder, SEGMENTER_ENCODERS)
        return self


class TwoHeadConfig(Frozen):
    """Gate and segmenter on one encoder.

    Args:
        kind: Tells it from the others in a checkpoint.
        architecture: U-Net or LinkNet of segmentation-models-pytorch.
        encoder: One of ``SEGMENTER_ENCODERS``.
        classes: Names of the defect classes.
        any_defect: How "any defect" is judged: ``maximum`` of the classes'
            probabilities, or a ``logit`` of its own.
        dropout: Share of features dropped in training before the gate's head.
    """

    kind: Literal["two_head"] = "two_head"
    architecture: Literal["unet", "linknet"] = "linknet"
    encoder: str = "efficientnet-b0"
    classes: ClassNames
    any_defect: Literal["maximum", "logit"] = "maximum"
    dropout: float = Field(default=0.2, ge=0, lt=1)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        _check_encoder(self.encoder, SEGMENTER_ENCODERS)
        return self


NetworkConfig = Annotated[
    ClassifierConfig | SegmenterConfig | TwoHeadConfig, Field(discriminator="kind")
]


class FamiliarityConfig(Frozen):
    """Size of the density that says how familiar an image is.

    Args:
        kinds: Kinds of images that are told apart, such as classes.
        channels: Channels of each stage of the encoder, from fine to coarse.
        directions: Directions at each stage with a variance of their own.
    """

    kinds: PositiveInt
    channels: tuple[PositiveInt, ...] = Field(min_length=1)
    directions: PositiveInt


class GraphConfig(Frozen):
    """A network with the preprocessing it was trained with.

    Args:
        network: The network.
        preprocessing: What happens to an image before.
        part: Part of a two-headed network that this graph runs: all of it, the
            encoder with the gate's head, or the decoder.
        temperature: What the logits of whole images are divided by, so that
            probabilities say how often they are right.
        familiarity: Density that says how familiar an image is, if there is one.
    """

    network: NetworkConfig
    part: Literal["all", "gate", "decoder"] = "all"
    preprocessing: Preprocessing = Preprocessing()
    temperature: float = Field(default=1.0, gt=0)
    familiarity: FamiliarityConfig | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.part == "decoder" and self.familiarity is not None:
            msg = "a decoder sees no images, so it has no familiarity"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _class_names_differ(self) -> Self:
        names = self.network.classes
        if len(set(names)) != len(names) or not all(name.strip() for name in names):
            msg = f"class names must differ and not be empty, got {names}"
            raise ValueError(msg)
        return self


def _check_encoder(name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        nearest = get_close_matches(name, known, n=1)
        hint = f"Did you mean {nearest[0]!r}?" if nearest else f"Encoders: {', '.join(known)}"
        msg = f"there is no encoder {name!r} here. {hint}"
        raise ValueError(msg)
