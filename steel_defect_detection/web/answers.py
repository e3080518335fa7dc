"""What the interface answers: the shapes of its JSON, with a word on each part."""

from typing import Any, Literal

from pydantic import BaseModel, Field

Verdict = Literal["clean", "defect", "unfamiliar", "error"]

Point = tuple[int, int]


class Problem(BaseModel):
    """What went wrong."""

    code: str = Field(description="One word for programs, such as `not_an_image`.")
    message: str = Field(description="One line for people.")


class Refused(BaseModel):
    """A request that was not answered."""

    error: Problem


class Defect(BaseModel):
    """What was found of one class on one image."""

    score: float = Field(description="Probability that the class occurs, 0 to 1.")
    area: int | None = Field(
        default=None, description="Pixels; null if the model outlines nothing."
    )
    share: float | None = Field(default=None, description="Area by that of the image, 0 to 1.")
    pieces: int | None = Field(default=None, description="Connected parts.")
    runs: str | None = Field(
        default=None,
        description="Run lengths as in the Severstal competition: pairs of start and length.",
    )
    outlines: list[list[Point]] | None = Field(
        default=None,
        description="Closed lines through the outermost pixels, those of holes included: the "
        "corners of each line, x and y from the top left pixel, which is 0, 0.",
    )


class Times(BaseModel):
    """Milliseconds; null where a stage did not run."""

    wait_ms: float | None = Field(default=None, description="In the queue.")
    decode_ms: float | None = None
    gate_ms: float | None = None
    segment_ms: float | None = None


class ImageAnswer(BaseModel):
    """What the model says of one image."""

    name: str = Field(
        description="Name of the file as it was sent, cut to 255 letters; those that no screen "
        "shows are written out, as in `\\u202e`."
    )
    width: int | None = Field(default=None, description="Pixels, upright.")
    height: int | None = Field(default=None, description="Pixels, upright.")
    verdict: Verdict = Field(
        description="`unfamiliar`: the model was not made for such images. `error`: see `error`."
    )
    class_name: str | None = Field(
        default=None,
        serialization_alias="class",
        description="The foremost defect class, if the verdict is `defect`.",
    )
    gate_probability: float | None = Field(
        default=None,
        description="Probability of any defect, 0 to 1, if the model has a gate. From "
        "`thresholds.gate` of `/model` on, defects are outlined; if nothing is, the verdict is "
        "`clean` all the same.",
    )
    certainty: float | None = Field(
        default=None,
        description="Probability that the verdict is right, if the model is calibrated.",
    )
    familiarity: float | None = Field(
        default=None, description="How much the image resembles those that the model knows, 0 to 1."
    )
    scores: dict[str, float] = Field(
        default_factory=dict, description="Probability that each class occurs, 0 to 1."
    )
    defects: dict[str, Defect] = Field(
        default_factory=dict, description="What was found, by class; empty if nothing was."
    )
    mask: str | None = Field(
        default=None,
        description="On request: label map as a `data:` address of a PNG; 0 is no defect, k the "
        "k-th class.",
    )
    overlay: str | None = Field(
        default=None, description="On request: the outlined image as a `data:` address of a PNG."
    )
    preview: str | None = Field(
        default=None,
        description="On request: the image as a `data:` address of a JPEG of at most 2,000 pixels "
        "a side, for browsers that cannot show the file.",
    )
    times: Times = Times()
    error: Problem | None = Field(default=None, description="Why this image could not be judged.")


class Answer(BaseModel):
    """What the model says of all images of a request, in the order in which they were sent."""

    model: str = Field(description="Name of the model.")
    sha256: str = Field(description="Hash of its file.")
    images: list[ImageAnswer]


class ClassAnswer(BaseModel):
    """One class."""

    name: str
    number: int = Field(description="Its number in masks and run lengths, from 1.")
    color: str = Field(description="Its colour on overlays, as `#rrggbb`.")
    is_defect: bool = Field(description="Whether it is a defect, and does not mean `good`.")


class LimitsAnswer(BaseModel):
    """How much is taken on."""

    max_bytes: int = Field(description="Most bytes of one request.")
    max_pixels: int = Field(description="Most pixels of one image.")
    max_images: int = Field(description="Most images of one request.")
    queue: int = Field(description="Most images that wait or are judged.")
    timeout: float = Field(description="Seconds to send a request, and to judge it after that.")


class ModelAnswer(BaseModel):
    """What judges the images."""

    name: str
    sha256: str = Field(description="Hash of the model's file.")
    architecture: str
    version: str = Field(description="Version of steel-defect-detection.")
    classes: list[ClassAnswer]
    outlines: bool = Field(description="Whether it outlines defects, or names them only.")
    is_calibrated: bool = Field(description="Whether it says how certain it is.")
    thresholds: dict[str, Any] = Field(description="Where defects begin.")
    card: dict[str, Any] = Field(
        description="What a reader should know: what it was trained on, under which licences, and "
        "how it was measured."
    )
    runtimes: dict[str, str] = Field(description="Engine, device and precision of each network.")
    limits: LimitsAnswer


class Health(BaseModel):
    """Whether images are judged."""

    status: Literal["ok", "stopping", "stuck"]
    queue: int = Field(description="Images that wait or are judged.")
