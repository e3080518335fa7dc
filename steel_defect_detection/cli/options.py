"""Options that several commands have, each declared once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

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
    kind = click.Path(path_type=Path, file_okay=is_file, dir_okay=not is_file)
    if required:
        return click.option("--output", required=True, type=kind, help=text)
    path = None if default is None else Path(default)
    shown = default is not None
    return click.option("--output", type=kind, default=path, show_default=shown, help=text)


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
