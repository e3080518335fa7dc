"""What a predictor was made of, for the record of a run."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Model:
    """The model.

    Args:
        name: What it was called: a built-in name, or a path.
        gate: What the gate before it was called, if one was named.
        sha256: Hash of its file.
        architecture: Kind of model.
    """

    name: str
    gate: str | None
    sha256: str
    architecture: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was to run it; ``Predictor.runtimes`` says what does.

    Args:
        runtime: Engine.
        precision: Arithmetic.
        device: Device.
    """

    runtime: str
    precision: str
    device: str


@dataclass(frozen=True, kw_only=True)
class Options:
    """What changes outlines beside thresholds.

    Args:
        fill_holes: Whether holes inside a defect belong to it.
        probabilities: Whether predictions carry the probabilities along.
        on_unfamiliar: What an unfamiliar image is called.
        flips: Mirrored copies of each image that were looked at, too.
    """

    fill_holes: bool
    probabilities: bool
    on_unfamiliar: str = "unfamiliar"
    flips: str = "none"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a predictor was made of.

    Args:
        model: The model.
        asked: What was to run it.
        options: What changes its outlines.
    """

    model: Model
    asked: Asked
    options: Options
