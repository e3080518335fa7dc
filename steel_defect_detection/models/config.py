"""What a network is: the settings from which ``models.build`` makes it.

They stand in the header of every checkpoint, so reading them loads no torch.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

EFFICIENTNETS = Literal[
    "efficientnet-b0",
    "efficientnet-b1",
    "efficientnet-b2",
    "efficientnet-b3",
    "efficientnet-b4",
    "efficientnet-b5",
    "efficientnet-b6",
    "efficientnet-b7",
]

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
    """

    channels: Literal[1, 3] = 1
    mean: float = Field(default=0.344, ge=0, le=1)
    std: float = Field(default=0.18, gt=0, le=1)
    scale: float = Field(default=1.0, gt=0, le=1)


class ClassifierConfig(Frozen):
    """The gate: one logit per defect class for the whole image.

    Args:
        kind: Tells classifiers from segmenters in a checkpoint.
        encoder: EfficientNet of the package efficientnet-pytorch.
        classes: Names of the defect classes.
        any_defect: How "any defect" is judged: ``maximum`` of the classes'
            probabilities, or a ``logit`` of its own.
    """

    kind: Literal["classifier"] = "classifier"
    encoder: EFFICIENTNETS = "efficientnet-b0"
    classes: ClassNames
    any_defect: Literal["maximum", "logit"] = "maximum"


class SegmenterConfig(Frozen):
    """The segmenter: one logit per defect class and pixel.

    Args:
        kind: Tells segmenters from classifiers in a checkpoint.
        architecture: U-Net or LinkNet of segmentation-models-pytorch.
        encoder: Encoder of segmentation-models-pytorch.
        classes: Names of the defect classes.
    """

    kind: Literal["segmenter"] = "segmenter"
    architecture: Literal["unet", "linknet"] = "linknet"
    encoder: EFFICIENTNETS = "efficientnet-b0"
    classes: ClassNames


NetworkConfig = Annotated[ClassifierConfig | SegmenterConfig, Field(discriminator="kind")]


class GraphConfig(Frozen):
    """A network with the preprocessing it was trained with."""

    network: NetworkConfig
    preprocessing: Preprocessing = Preprocessing()

    @model_validator(mode="after")
    def _class_names_differ(self) -> Self:
        names = self.network.classes
        if len(set(names)) != len(names) or not all(name.strip() for name in names):
            msg = f"class names must differ and not be empty, got {names}"
            raise ValueError(msg)
        return self
