"""NetworkSettings: what a run trains, each setting declared once.

They say what the network is, which part of it learns and what it sees;
``training.config`` adds how it is trained.
"""

from typing import Literal

from pydantic import Field

from steel_defect_detection.models.config import (
    ClassifierConfig,
    Frozen,
    GraphConfig,
    Preprocessing,
    SegmenterConfig,
    TwoHeadConfig,
)


class NetworkSettings(Frozen):
    """Settings of a network, which those of a run go on from."""

    description: str = Field(default="", description="What this preset is and where it comes from.")
    architecture: Literal["classifier", "unet", "linknet"] = Field(
        description="What is trained: a classifier (such as the gate), a U-Net or a LinkNet."
    )
    encoder: str = Field(
        default="efficientnet-b0",
        description="Network that sees the image, for example 'efficientnet-b0' or 'resnet18'.",
    )
    gate_head: bool = Field(
        default=False,
        description="U-Net and LinkNet: a second head on the encoder judges the whole image.",
    )
    train_part: Literal["all", "gate", "decoder"] = Field(
        default="all",
        description="With a second head: train all, encoder and gate, or only the decoder.",
    )
    gate_weight: float = Field(
        default=1.0, ge=0, description="With a second head: weight of the gate's loss."
    )
    any_defect: Literal["maximum", "logit"] = Field(
        default="maximum",
        description="Gate: 'any defect' is the most probable class, or has a logit of its own.",
    )
    labels: Literal["auto", "exclusive", "independent"] = Field(
        default="auto",
        description="Classifier: each image shows exactly one class, or any number; auto: as the "
        "data has it.",
    )
    head: Literal["linear", "duq"] = Field(
        default="linear",
        description="Classifier: classes by a linear layer, or by the distance to a centroid of "
        "each class, which also says how certain that is (DUQ).",
    )
    length_scale: float = Field(
        default=0.1,
        gt=0,
        description="Head 'duq': distance per coordinate at which the certainty is 0.61.",
    )
    embedding_size: int = Field(
        default=0, ge=0, description="Head 'duq': coordinates of a centroid; 0: one per feature."
    )
    head_width: int = Field(
        default=0, ge=0, description="Classifier: neurons between encoder and classes; 0: none."
    )
    dropout: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Classifier: share of features dropped before the head; none: the encoder's.",
    )
    stem: Literal["standard", "small"] = Field(
        default="standard", description="Classifier: 'small' for images of about 32 pixels."
    )
    freeze_encoder: bool = Field(
        default=False, description="Train only what comes after the encoder."
    )
    channels: Literal[1, 3] = Field(default=1, description="1 for grey images, 3 for colour.")
    mean: float = Field(
        default=0.344, ge=0, le=1, description="Brightness taken away, as a share of full scale."
    )
    std: float = Field(
        default=0.18, gt=0, le=1, description="Brightness divided by afterwards, likewise."
    )
    scale: float = Field(
        default=1.0, gt=0, le=1, description="Size at which the network sees images, 1 = full."
    )
    size: tuple[int, int] | None = Field(
        default=None,
        description="Height and width at which the network sees every image; none: by --scale.",
    )

    @property
    def kind(self) -> Literal["classifier", "segmenter", "two_head"]:
        """Which question the network answers: for the image, its pixels, or both."""
        if self.architecture == "classifier":
            return "classifier"
        return "two_head" if self.gate_head else "segmenter"

    def graph(
        self, classes: tuple[str, ...], *, exclusive: bool = False, good_class: str | None = None
    ) -> GraphConfig:
        """Describe the network to train.

        Args:
            classes: Names of the classes.
            exclusive: Whether each image shows exactly one of them, as the
                data has it; the setting ``labels`` goes before.
            good_class: The class, if any, that means "free of defects".
        """
        preprocessing = Preprocessing(
            channels=self.channels, mean=self.mean, std=self.std, scale=self.scale, size=self.size
        )
        network = self._network(classes, exclusive=exclusive, good_class=good_class)
        return GraphConfig(network=network, preprocessing=preprocessing)

    def _network(
        self, classes: tuple[str, ...], *, exclusive: bool, good_class: str | None
    ) -> ClassifierConfig | SegmenterConfig | TwoHeadConfig:
        if self.architecture == "classifier":
            return ClassifierConfig(
                encoder=self.encoder,
                classes=classes,
                any_defect=self.any_defect,
                exclusive=exclusive if self.labels == "auto" else self.labels == "exclusive",
                good_class=good_class,
                head_width=self.head_width,
                dropout=self.dropout,
                stem=self.stem,
                head=self.head,
                length_scale=self.length_scale,
                embedding_size=self.embedding_size,
            )
        if self.gate_head:
            return TwoHeadConfig(
                architecture=self.architecture,
                encoder=self.encoder,
                classes=classes,
                any_defect=self.any_defect,
                dropout=0.2 if self.dropout is None else self.dropout,
            )
        return SegmenterConfig(
            architecture=self.architecture, encoder=self.encoder, classes=classes
        )
