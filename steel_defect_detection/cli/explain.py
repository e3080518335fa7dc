"""``sdd-explain``: a model and images in, pictures of what its verdicts rest on out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import SOME_INPUTS_FAILED, command, echo, say
from steel_defect_detection.cli.inputs import photographs
from steel_defect_detection.images import EXTENSIONS
from steel_defect_detection.wording import amount, visible

if TYPE_CHECKING:
    from steel_defect_detection.datasets.dataset import Dataset
    from steel_defect_detection.explain.checks import Location
    from steel_defect_detection.explain.explain_files import Row
    from steel_defect_detection.explain.explaining import Explainer


@command("sdd-explain")
@click.argument("model", metavar="MODEL")
@click.argument("images", nargs=-1, metavar="[IMAGES_OR_FOLDERS]...")
@click.option(
    "--method",
    type=click.Choice(
        ["integrated-gradients", "saliency", "deeplift", "guided-backprop", "grad-cam"]
    ),
    default="integrated-gradients",
    show_default=True,
    help="How to explain.",
)
@click.option(
    "--class",
    "class_name",
    metavar="NAME",
    help="Class to explain.  [default: the one that the model names]",
)
@click.option(
    "--graph",
    type=click.Choice(["segmenter", "classifier"]),
    help="Whether to explain the outlines or the verdict.  [default: outlines, if there are any]",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Images that integrated gradients look at.",
)
@options.output("Folder for the pictures and tables.", default="explanations")
@click.option("--arrays", is_flag=True, help="Keep the maps as .npz.")
@click.option(
    "--check", is_flag=True, help="Compare with a network whose weights are shuffled, too."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="With --check: images with masks, on which to see whether the maps point to the defects.",
)
@options.layout
@options.split
@options.fold
@click.option("--part", default="validation", show_default=True, help="Part of the split.csv.")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="How many random images of --data.",
)
@options.seed("the shuffling and the choice of images")
@options.device()
@options.overwrite("Write into a folder that holds something.")
@options.as_json("the record and all rows")
@click.pass_context
def main(
    context: click.Context,
    model: str,
    images: tuple[str, ...],
    *,
    method: Any,
    class_name: str | None,
    graph: Any,
    steps: int,
    output: Path,
    arrays: bool,
    check: bool,
    data: Path | None,
    layout: str | None,
    split: Path | None,
    fold: int | None,
    part: str,
    count: int,
    seed: int,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Show which pixels speak for a verdict and which against it.

    MODEL is a built-in model, a checkpoint file or a run folder.
    IMAGES_OR_FOLDERS are image files, folders or patterns; without any, and
    without --data, the built-in sample strips are explained. Each image gets a
    picture and a row in explanations.csv.

    An image that cannot be read or explained is named; the exit status is
    then 3.
    """
    if data is None and (layout, split, fold) != (None, None, None):
        msg = "--layout, --split and --fold need --data"
        raise click.UsageError(msg)
    if data is not None and not check:
        msg = "--data needs --check"
        raise click.UsageError(msg)
    _refuse_image(model)
    paths = _find(images, output, samples=data is None)
    # Imported late: --help must not wait for torch.
    from steel_defect_detection.explain import Explainer, explain_files
    from steel_defect_detection.explain.checks import Randomisation
    from steel_defect_detection.explain.subject import read

    explainer = Explainer(read(model, graph), method=method, device=device, steps=steps)
    dataset = (
        None
        if data is None
        else _labelled(data, layout, split, fold=fold, part=part, count=count, seed=seed)
    )
    rows = explain_files.explain_files(
        explainer,
        paths,
        output,
        class_name=class_name,
        arrays=arrays,
        randomisation=Randomisation(explainer, seed=seed) if check and paths else None,
        overwrite=overwrite,
    )
    locations = _locate(explainer, dataset, class_name)
    record = explain_files.write_record(
        output, explainer, rows, locations=locations, record={"command": "sdd-explain"}
    )
    if as_json:
        everything = {"output": str(output), **record, "images": [row.as_record() for row in rows]}
        echo(json.dumps(everything, indent=2))
    else:
        echo("\n".join(_words(rows, record, output)))
    failed = any(row.error for row in rows) or any(each.error for each in locations)
    context.exit(SOME_INPUTS_FAILED if failed else 0)


def _refuse_image(model: str) -> None:
    """Refuse an image where the model is to stand."""
    if Path(model).suffix.lower() in EXTENSIONS and Path(model).is_file():
        msg = f"{model} is an image, and MODEL comes first: sdd-explain strip {model}"
        raise click.UsageError(msg)


def _find(sources: Sequence[str], output: Path, *, samples: bool) -> list[Path]:
    from steel_defect_detection import images

    if sources:
        return photographs(sources, skip=[output])
    if not samples:
        return []
    say("no images named, so the verdicts on the built-in sample strips are explained")
    return images.samples()


def _labelled(
    data: Path,
    layout: str | None,
    split: Path | None,
    *,
    fold: int | None,
    part: str,
    count: int,
    seed: int,
) -> "Dataset":
    """Images with masks, chosen by chance."""
    from steel_defect_detection.datasets import layouts, splits
    from steel_defect_detection.evaluation import examples

    dataset = layouts.read(data, layout)
    if split is not None:
        dataset = splits.part(splits.read(split, dataset, fold=fold), part)
    return dataset.subset(examples.draw_lots(dataset, count, seed=seed))


def _locate(
    explainer: "Explainer", dataset: "Dataset | None", class_name: str | None
) -> "list[Location]":
    from steel_defect_detection.explain import checks

    if dataset is None:
        return []
    return checks.locate(explainer, dataset, class_name=class_name)


def _words(rows: "Sequence[Row]", record: dict[str, Any], output: Path) -> list[str]:
    """What was found, in lines."""
    lines = [_row_words(row) for row in rows if not row.error]
    randomisation = record.get("randomisation")
    if randomisation is not None:
        lines.append(
            f"with shuffled weights: rank correlation {randomisation['mean_rank_correlation']:.2f} "
            "(near 0 the map shows what was learned, near 1 the image alone)"
        )
    places = record.get("localisation")
    if places is not None and places["images"]:
        lines.append(
            f"on {places['images']} labelled images {places['mean_share_inside']:.1%} of what "
            f"speaks for the class lies in its true mask ({places['mean_share_by_chance']:.1%} by "
            "chance)"
        )
    counts = record["counts"]
    failed = f", {counts['error']} could not be explained" if counts["error"] else ""
    return [*lines, f"{amount(counts['images'], 'image')}{failed}. Results are in {output}"]


def _row_words(row: "Row") -> str:
    """One image: what was explained, and how well it adds up."""
    gap = "" if row.gap is None else f", completeness gap {row.gap:.2%}"
    correlation = "" if row.randomisation is None else f", shuffled {row.randomisation:.2f}"
    return f"{visible(Path(row.file).name)}: {row.target} = {row.value:.4g}{gap}{correlation}"
