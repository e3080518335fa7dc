"""Options that several commands have, each declared once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from steel_defect_detection.cli.values import FiniteRange, FolderOrAddress, PerClass, Place

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

layout = click.option("--layout", metavar="NAME", help="How the data lie.  [default: recognised]")
"""``--layout`` of a data set."""

split = click.option(
    "--split", type=click.Path(path_type=Path), help="A split.csv, or 'published'."
)
"""``--split`` of a data set."""

fold = click.option("--fold", type=click.IntRange(min=0), help="Fold of the split.csv to look at.")
"""``--fold`` of a split."""


gate = click.option(
    "--gate", metavar="FILE", help="Classifier to ask before the model, which is then a segmenter."
)
"""``--gate`` before a model."""

threshold = click.option(
    "--threshold",
    type=PerClass(most=1),
    multiple=True,
    help="Probability from which a pixel is part of a defect.  [default: the model's]",
)
"""``--threshold`` of pixels, for all classes or for one."""

gate_threshold = click.option(
    "--gate-threshold",
    type=FiniteRange(0, 1),
    help="Probability of any defect from which an image is outlined, or is none of the good "
    "ones.  [default: the model's]",
)
"""``--gate-threshold`` of images."""

min_area = click.option(
    "--min-area",
    type=PerClass(whole=True),
    multiple=True,
    help="Least pixels of a defect; smaller ones are dropped.  [default: the model's]",
)
"""``--min-area`` of defects, for all classes or for one."""

least_familiarity = click.option(
    "--least-familiarity",
    type=FiniteRange(0, 1),
    help="Familiarity below which an image is unfamiliar; 0 for never.  [default: the model's]",
)
"""``--least-familiarity`` of images."""

only_named = click.option(
    "--only-named/--not-only-named",
    default=None,
    help="Outline only classes that the gate names, too.  [default: as the model says]",
)
"""``--only-named`` by a gate."""

on_unfamiliar = click.option(
    "--on-unfamiliar",
    type=click.Choice(["unfamiliar", "defect", "clean", "error"]),
    default="unfamiliar",
    show_default=True,
    help="What to call an image unlike those that the model knows.",
)
"""``--on-unfamiliar``, a verdict."""

fill_holes = click.option(
    "--fill-holes", is_flag=True, help="Count holes inside a defect as defect."
)
"""``--fill-holes`` of outlines."""

flips = click.option(
    "--flips",
    type=click.Choice(["none", "horizontal", "vertical", "both"]),
    help="Mirrored copies to ask the networks about, too; both is three.  [default: the model's]",
)
"""``--flips`` of each image."""

threads = click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=0,
    help="Processor threads in all, but for PyTorch; 0 takes all.",
)
"""``--threads`` of the engine."""

precision = click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="Arithmetic of the networks.",
)
"""``--precision`` of the engine."""

model = click.option(
    "--model",
    default="strip",
    show_default=True,
    help="Built-in name, file, run folder, or export.",
)
"""``--model``, which judges."""


def output(
    text: str, *, default: str | None = None, required: bool = False, is_file: bool = False
) -> Decorator[Any]:
    """``--output``, a folder or a file.

    Args:
        text: What it is for.
        default: Where it is unless named; None for None.
        required: Whether it must be named.
        is_file: Whether it is a file.
    """
    kind = Place(is_file=is_file)
    if required:
        return click.option("-o", "--output", required=True, type=kind, help=text)
    path = None if default is None else Path(default)
    shown = default is not None
    return click.option("-o", "--output", type=kind, default=path, show_default=shown, help=text)


def output_or_address(text: str, *, default: str) -> Decorator[Any]:
    """``--output``, a folder or the address of one.

    Args:
        text: What it is for.
        default: Where it is unless named.
    """
    kind = FolderOrAddress()
    return click.option("-o", "--output", type=kind, default=default, show_default=True, help=text)


def overwrite(text: str) -> Decorator[Any]:
    """``--overwrite``.

    Args:
        text: What it does to what is there.
    """
    return click.option("--overwrite", is_flag=True, help=text)


def seed(what: str) -> Decorator[Any]:
    """``--seed``, a whole number from 0 on.

    Args:
        what: What depends on it, in words.
    """
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help=f"Number that {what} depends on.",
    )


def as_json(what: str) -> Decorator[Any]:
    """``--json``, which a command gets as ``as_json``.

    Args:
        what: What it prints.
    """
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


def runtime(text: str, *, default: str = "auto") -> Decorator[Any]:
    """``--runtime``, one of the engines.

    Args:
        text: What it means here.
        default: The engine unless another is named.
    """
    return click.option(
        "--runtime",
        type=click.Choice(["auto", "pytorch", "openvino", "onnx"]),
        default=default,
        show_default=True,
        help=text,
    )


def device(*, default: str = "auto") -> Decorator[Any]:
    """``--device``, in PyTorch's words.

    Args:
        default: The device unless another is named.
    """
    return click.option(
        "--device", default=default, show_default=True, help="auto, cpu, cuda, or cuda:1."
    )
