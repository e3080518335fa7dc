"""What the ways of ``sdd-synthesize`` have in common: their options, and how they end."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import echo, say
from steel_defect_detection.cli.values import PerPart, Size
from steel_defect_detection.errors import ConfigError

if TYPE_CHECKING:
    from steel_defect_detection.datasets.dataset import Dataset
    from steel_defect_detection.synthesis.amounts import Amount
    from steel_defect_detection.synthesis.made import Maker
    from steel_defect_detection.synthesis.patches import Template
    from steel_defect_detection.synthesis.sheets import Kind, Sheets
    from steel_defect_detection.synthesis.synthesize import Synthesis


def amounts(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that all ways have."""
    for option in reversed(
        (
            options.output("Folder for the new data set.", required=True),
            click.option(
                "--per-class",
                type=PerPart(int),
                default="50",
                show_default=True,
                help="Synthetic images of each class; for training, or by part.",
            ),
            click.option(
                "--ratio",
                type=PerPart(float),
                help="Share of synthetic images in each class, 0 to 1; real ones are left out to "
                "reach it.  [default: all real ones are kept]",
            ),
            click.option(
                "--no-combine", is_flag=True, help="Keep all real images, whatever the ratio."
            ),
            click.option(
                "--class",
                "only",
                multiple=True,
                metavar="NAME",
                help="Make this class only; may be given several times.  [default: all]",
            ),
            options.split,
            options.fold,
            options.layout,
            options.seed("everything random"),
            click.option(
                "--workers",
                type=click.IntRange(min=1),
                help="Processes that share the work.  [default: one per processor core]",
            ),
            options.overwrite("Replace an earlier result, be it unfinished."),
            options.as_json("the counts"),
        )
    ):
        function = option(function)
    return function


sheets = click.option(
    "--sheets",
    metavar="KIND,...",
    help="What to put defects on: clean, cleaned (defects painted over), as-is or drawn.  "
    "[default: what the images offer, in this order: clean, as-is, cleaned, drawn]",
)
"""``--sheets``, what defects are put on."""

clean = click.option(
    "--clean",
    type=PerPart(int),
    default="0",
    show_default=True,
    help="Images free of defects to make from sheets.",
)
"""``--clean``, how many images free of defects are made."""


def parts_of(data: Path, shared: Mapping[str, Any]) -> dict[str, "Dataset"]:
    """Read a data set and part it.

    Args:
        data: Its folder.
        shared: What the options of ``amounts`` say.

    Raises:
        SteelDefectError: If it cannot be read, holds no real image, or its split
            leaks; or if the output would lie in it.
    """
    from steel_defect_detection.datasets import layouts, origins, output_folder
    from steel_defect_detection.synthesis import synthesize

    output_folder.refuse_inside(shared["output"], data)
    dataset = layouts.read(data, shared["layout"]).labelled()
    if origins.count_synthetic(dataset) == len(dataset):
        msg = f"all images of {data} are synthetic; more are made of real ones only"
        raise ConfigError(msg)
    if shared["split"] is None:
        say(
            f"all {len(dataset)} images of {data} count as training images: none of them can be "
            "used to measure on afterwards. --split keeps some back"
        )
    return synthesize.part(dataset, shared["split"], fold=shared["fold"], progress=True)


def numbers_of(parts: Mapping[str, "Dataset"], only: tuple[str, ...]) -> tuple[int, ...]:
    """Give the numbers, from 1, of the classes to make.

    Args:
        parts: The images by part.
        only: Names of the classes to make; none of them for all defects.

    Raises:
        UsageError: If there is no such class.
    """
    classes = parts["train"].classes
    unknown = [name for name in only if name not in classes]
    if unknown:
        msg = f"there is no class {unknown[0]!r}; the classes are {', '.join(classes)}"
        raise click.UsageError(msg)
    good = parts["train"].good_class
    return tuple(
        number
        for number, name in enumerate(classes, start=1)
        if name in (only or classes) and (name != good or name in only)
    )


shape = click.option(
    "--shape",
    type=Size(),
    help="Of drawn sheets.  [default: that of the images; 256x1600 without any]",
)
"""``--shape``, how large drawn sheets are."""


def supply(
    part: "Dataset",
    kinds: str | None,
    drawn_shape: tuple[int, int] | None,
    templates: "Mapping[int, tuple[Template, ...]] | None" = None,
) -> "Sheets":
    """Make a supply of sheets.

    Args:
        part: Training images.
        kinds: What ``--sheets`` says, if anything.
        drawn_shape: Height and width of drawn ones, if they were named.
        templates: What can be looked for on images without masks.

    Raises:
        ConfigError: If there are no such sheets.
        UsageError: If a shape is named, and none is drawn.
    """
    from steel_defect_detection.synthesis.sheets import Sheets, choose_kinds

    named: Any = tuple(kinds.split(",")) if kinds else None
    chosen: tuple[Kind, ...] = named or choose_kinds(part, templates)
    if drawn_shape is not None and "drawn" not in chosen:
        msg = f"--shape is that of drawn sheets, and these are {', '.join(chosen)}"
        raise click.UsageError(msg)
    if not named:
        say(f"defects are put on sheets that are {', '.join(chosen)}")
    return Sheets(dataset=part, kinds=chosen, shape=drawn_shape, templates=templates or {})


def run(
    parts: Mapping[str, "Dataset"],
    maker: Callable[["Dataset"], "Maker"],
    clean_counts: Mapping[str, int],
    shared: Mapping[str, Any],
) -> None:
    """Make the images and say what was made.

    Args:
        parts: Real images by part.
        maker: Makes who makes images from those of a part.
        clean_counts: Images free of defects to make for each part.
        shared: What the options of ``amounts`` say.

    Raises:
        SteelDefectError: If images cannot be made or written.
        UsageError: If options contradict each other.
    """
    from steel_defect_detection.synthesis.synthesize import synthesize

    made = synthesize(
        parts,
        maker,
        shared["output"],
        _by_part(shared, clean_counts),
        classes=numbers_of(parts, shared["only"]),
        seed=shared["seed"],
        workers=shared["workers"] or os.cpu_count() or 1,
        overwrite=shared["overwrite"],
        progress=True,
    )
    _finish(made, as_json=shared["as_json"])


def _by_part(shared: Mapping[str, Any], cleans: Mapping[str, int]) -> dict[str, "Amount"]:
    from steel_defect_detection.synthesis.amounts import Amount

    per_class, ratios = shared["per_class"], shared["ratio"] or {}
    if shared["no_combine"] and any(ratio > 0 for ratio in ratios.values()):
        msg = "--no-combine keeps all real images; a --ratio leaves some out. Give one of them"
        raise click.UsageError(msg)
    ratios = {} if shared["no_combine"] else ratios
    wanted = dict.fromkeys((*per_class, *ratios, *cleans))
    if not any((*per_class.values(), *cleans.values())):
        msg = "nothing is to be made: --per-class is 0"
        raise click.UsageError(msg)
    return {
        part: Amount(
            per_class=int(per_class.get(part, 0)),
            ratio=ratios.get(part),
            clean=int(cleans.get(part, 0)),
        )
        for part in wanted
    }


def _finish(made: "Synthesis", *, as_json: bool) -> None:
    if as_json:
        counts = {"real": made.real, "earlier": made.earlier, "synthetic": made.synthetic}
        echo(json.dumps({"output": str(made.output), "layout": made.layout, **counts}))
        return
    for part, count in made.real.items():
        classes = made.synthetic.get(part, {})
        earlier = made.earlier[part]
        before = f", {earlier} synthetic ones made before" if earlier else ""
        echo(f"{part}: {count} real images{before}{_and_synthetic(classes) if classes else ''}")
    split = " --split " + str(made.output / "split.csv") if len(made.real) > 1 else ""
    echo(f"The data set is in {made.output}, layout {made.layout}; samples.png shows a few")
    echo(f"To train on it: sdd-train PRESET --data {made.output}{split} --output RUN")


def _and_synthetic(classes: Mapping[str, int]) -> str:
    parts = ", ".join(f"{number} {name}" for name, number in classes.items())
    return f" and {sum(classes.values())} synthetic ones ({parts})"
