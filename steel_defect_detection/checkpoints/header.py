"""The header of a checkpoint: everything about a model but its numbers."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from steel_defect_detection.models.config import Flips, Frozen, GraphConfig

FORMAT_VERSION = 1

GRAPHS = {
    "classifier": {"classifier": ("classifier", "all")},
    "segmenter": {"segmenter": ("segmenter", "all")},
    "cascade": {"classifier": ("classifier", "all"), "segmenter": ("segmenter", "all")},
    "two_head": {"two_head": ("two_head", "all")},
    "shared_backbone": {"encoder_gate": ("two_head", "gate"), "decoder": ("two_head", "decoder")},
}
"""Graphs of each architecture, by name: the kind of network and the part of it that they run."""


class Thresholds(Frozen):
    """From which values on something counts as a defect.

    Args:
        gate: Probability of any defect from which the gate fires.
        classes: Probability per class from which a classifier names it.
        pixels: Probability per class from which a pixel belongs to it.
        min_areas: Pixels per class that a connected defect has at least.
        defect: Of a classifier whose classes exclude each other and one of which
            means "free of defects": probability of all others together from
            which an image shows the likeliest of them. None: an image shows the
            likeliest class, whatever it is.
        familiarity: Familiarity below which an image is called unfamiliar; 0
            where the model does not know what is familiar.
        only_named: Whether a model with a gate outlines only the classes that
            its gate names, by ``classes``.
    """

    gate: float = Field(default=0.5, ge=0, le=1)
    classes: tuple[float, ...]
    pixels: tuple[float, ...]
    min_areas: tuple[int, ...]
    defect: float | None = Field(default=None, ge=0, le=1)
    familiarity: float = Field(default=0.0, ge=0, le=1)
    only_named: bool = False

    @classmethod
    def default(cls, class_count: int) -> Self:
        """Thresholds of 1/2 and no least area."""
        return cls(
            classes=(0.5,) * class_count,
            pixels=(0.5,) * class_count,
            min_areas=(0,) * class_count,
        )

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if not all(0 <= value <= 1 for value in (*self.classes, *self.pixels)):
            msg = f"thresholds must lie between 0 and 1, got {self.classes} and {self.pixels}"
            raise ValueError(msg)
        if any(area < 0 for area in self.min_areas):
            msg = f"least areas must not be negative, got {self.min_areas}"
            raise ValueError(msg)
        return self


class DataSource(Frozen):
    """Images a model was trained on."""

    name: str
    images: int = Field(ge=0)
    licence: str
    use: str = ""


class Card(Frozen):
    """What a reader should know before trusting a model.

    Args:
        name: Short name.
        description: What the model does and for whom.
        limits: What it is not good for.
        data: What it was trained on, with licences.
        metrics: Measured values by name, with their baselines.
        measured: How the metrics were measured.
        created: Date, ``YYYY-MM-DD``.
        versions: Versions of the libraries it was made with.
        image_size: Height and width in pixels, at the median, of the images it
            was trained on; None where nobody noted it.
    """

    name: str = ""
    description: str = ""
    limits: str = ""
    data: tuple[DataSource, ...] = ()
    metrics: dict[str, Any] = Field(default_factory=dict)
    measured: str = ""
    created: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    image_size: tuple[PositiveInt, PositiveInt] | None = None


class Calibration(Frozen):
    """How a model was calibrated.

    Args:
        images: Labelled images that it was calibrated on.
        data: Where they came from.
        split: Part of a split that they are, if they are one.
        aim: What the thresholds were chosen for, in words, and for which
            decisions none could be; empty if they were left as they were.
        metrics: What was measured on those images, by name.
        created: Date, ``YYYY-MM-DD``.
    """

    images: int = Field(ge=1)
    data: str
    split: str = ""
    aim: str = ""
    metrics: dict[str, Any] = Field(default_factory=dict)
    created: str = ""


class Header(Frozen):
    """Everything about a model but its numbers.

    Args:
        format_version: Version of this format.
        architecture: How the graphs work together.
        graphs: Networks with their preprocessing, by name.
        classes: Names of the defect classes, class 1 first.
        background: Class that means "free of defects", if there is one.
        thresholds: Where defects begin.
        card: The model card.
        calibration: How it was calibrated, if it was: its probabilities then
            say how often they are right.
        flips: Mirrored copies of each image that the networks are asked about,
            too; thresholds and calibration are those of the averages.
    """

    format_version: Literal[1] = 1
    architecture: Literal["classifier", "segmenter", "cascade", "two_head", "shared_backbone"]
    graphs: dict[str, GraphConfig]
    classes: tuple[str, ...]
    background: str | None = None
    thresholds: Thresholds
    card: Card = Card()
    calibration: Calibration | None = None
    flips: Flips = "none"

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        expected = GRAPHS[self.architecture]
        found = {name: (graph.network.kind, graph.part) for name, graph in self.graphs.items()}
        if found != expected:
            msg = f"a {self.architecture} has the graphs {expected}, not {found}"
            raise ValueError(msg)
        if any(graph.network.classes != self.classes for graph in self.graphs.values()):
            msg = f"the graphs know other classes than the header's {self.classes}"
            raise ValueError(msg)
        lengths = {len(self.thresholds.classes), len(self.thresholds.pixels)}
        if {*lengths, len(self.thresholds.min_areas)} != {len(self.classes)}:
            msg = f"expected one threshold per class, {len(self.classes)} in all"
            raise ValueError(msg)
        return self
