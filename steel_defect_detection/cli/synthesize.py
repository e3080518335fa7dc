"""``sdd-synthesize``: few images in, more out: drawn, transplanted or generated defects."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from steel_defect_detection.cli import options, ways
from steel_defect_detection.cli.command import command, say
from steel_defect_detection.cli.values import Range

if TYPE_CHECKING:
    from steel_defect_detection.datasets.dataset import Dataset
    from steel_defect_detection.synthesis.made import Maker

_LOOKED_AT = 5
_DATA = click.argument("data", type=click.Path(path_type=Path))


@click.group("sdd-synthesize", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="steel-defect-detection", prog_name="sdd-synthesize")
def main() -> None:
    """Make more training images: draw, transplant or generate defects.

    Each way writes real and synthetic images together as one data set, which
    sdd-train reads; synthesis.csv in it says how each synthetic image was
    made. Whatever is made for training is made from training images alone.
    """


@command("sdd-synthesize draw")
@click.argument("data", type=click.Path(path_type=Path), required=False)
@ways.amounts
@ways.clean
@ways.sheets
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="CLASS=KIND",
    help="What a class looks like: scratches, pits, inclusions, patches, cracks or 'rolled-in "
    "scale'.  [default: by its name]",
)
@click.option(
    "--difficulty",
    type=Range(),
    default="0.2:0.8",
    show_default=True,
    help="0: bold and large; 1: faint and small. A range is drawn from evenly.",
)
@click.option(
    "--unlike", is_flag=True, help="Do not take size, direction and contrast from real defects."
)
@ways.shape
def _draw(
    data: Path | None,
    *,
    clean: dict[str, int],
    sheets: str | None,
    kinds: tuple[str, ...],
    difficulty: tuple[float, float],
    unlike: bool,
    shape: tuple[int, int] | None,
    **shared: Any,
) -> None:
    """Draw defects from geometry and noise, with exact masks.

    DATA is a data set's folder: its defects are drawn on its sheets, as large
    and strong as the real ones are. Without DATA, strips are drawn that need no
    real image at all, with the four classes of Severstal.
    """
    # Imported late: --help must not wait for them.
    from steel_defect_detection.datasets.dataset import Dataset
    from steel_defect_detection.datasets.severstal import CLASSES
    from steel_defect_detection.synthesis.draw import Drawer, StripDrawer, looks_of
    from steel_defect_detection.synthesis.sheets import STRIP

    if data is None:
        _refuse_without_data(shared, sheets, kinds, unlike=unlike)
        parts = {"train": Dataset(classes=CLASSES, entries=())}
        ways.run(parts, lambda _: StripDrawer(shape=shape or STRIP), clean, shared)
        return
    parts = ways.parts_of(data, shared)
    chosen = _kinds(parts["train"].classes, kinds, ways.numbers_of(parts, shared["only"]))

    def maker(part: "Dataset") -> "Maker":
        looks = {} if unlike else looks_of(part, seed=shared["seed"])
        supply = ways.supply(part, sheets, shape)
        return Drawer(sheets=supply, kinds=chosen, looks=looks, difficulty=difficulty)

    ways.run(parts, maker, clean, shared)


@command("sdd-synthesize transplant")
@_DATA
@ways.amounts
@ways.clean
@ways.sheets
@click.option(
    "--rotation",
    type=click.FloatRange(0, 180),
    default=10.0,
    show_default=True,
    help="Largest turn of a patch, in degrees.",
)
@click.option(
    "--scale",
    type=click.FloatRange(0, 3),
    default=0.25,
    show_default=True,
    help="Largest change of a patch's size, as a share.",
)
@click.option("--no-flips", is_flag=True, help="Do not mirror patches.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Most patches on one image.",
)
@click.option(
    "--templates",
    type=click.Path(path_type=Path),
    help="Without masks: folder with a picture CLASS.png of what to look for and cut out.",
)
@click.option(
    "--least-match",
    type=click.FloatRange(-1, 1),
    default=0.6,
    show_default=True,
    help="With --templates: normalised cross-correlation below which nothing was found.",
)
@click.option(
    "--ink",
    type=Range(),
    help="With --templates: lowest and highest grey level to cut out.  [default: all]",
)
@ways.shape
def _transplant(
    data: Path,
    *,
    clean: dict[str, int],
    sheets: str | None,
    rotation: float,
    scale: float,
    no_flips: bool,
    most: int,
    templates: Path | None,
    least_match: float,
    ink: tuple[float, float] | None,
    shape: tuple[int, int] | None,
    **shared: Any,
) -> None:
    """Cut out real defects and put them on other sheets.

    DATA is a data set's folder. Defects are cut out by their masks or, with
    --templates, where they are most like a picture; turned, mirrored, scaled,
    and blended into another training image.
    """
    # Imported late: --help must not wait for them.
    from steel_defect_detection.synthesis import templates as pictures
    from steel_defect_detection.synthesis.patches import Patches
    from steel_defect_detection.synthesis.transplant import Handling, Transplanter

    parts = ways.parts_of(data, shared)
    wanted = {}
    if templates is not None:
        levels = None if ink is None else (int(ink[0]), int(ink[1]))
        wanted = pictures.read(
            templates, parts["train"].classes, least_score=least_match, ink=levels
        )
    _refuse_without_templates(templates)
    how = Handling(rotation=rotation, scale=scale, flips=not no_flips, most=most)

    def maker(part: "Dataset") -> "Maker":
        patches = Patches(dataset=part, templates=wanted)
        supply = ways.supply(part, sheets, shape, wanted)
        return Transplanter(patches=patches, sheets=supply, how=how)

    ways.run(parts, maker, clean, shared)


@command("sdd-synthesize gan")
@_DATA
@ways.amounts
@click.option("--combined", is_flag=True, help="One generator of all classes; needs masks.")
@click.option(
    "--gans",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the generators, their samples per epoch and their losses; one that was "
    "trained already is taken as it is.  [default: OUTPUT-gans]",
)
@click.option("--epochs", default=100, show_default=True, help="Passes over the training images.")
@click.option("--image-size", default=64, show_default=True, help="Side of the images, in pixels.")
@click.option(
    "--latent-size", default=100, show_default=True, help="Random numbers that make an image."
)
@click.option(
    "--whole", is_flag=True, help="Learn from whole images, not from windows around defects."
)
@click.option("--batch-size", default=32, show_default=True, help="Images per step.")
@click.option(
    "--judge",
    metavar="NAME|FILE",
    help="Model by whose features real and made images are compared after each epoch.",
)
@options.device()
def _gan(
    data: Path,
    *,
    combined: bool,
    gans: Path | None,
    epochs: int,
    image_size: int,
    latent_size: int,
    batch_size: int,
    whole: bool,
    judge: str | None,
    device: str,
    **shared: Any,
) -> None:
    """Train a generator on real images and let it make more (LSGAN).

    DATA is a data set's folder. Each class gets a generator of its own; where
    there are masks, it learns windows around the defects and makes the masks
    too. It takes thousands of steps, and so hundreds of images or a GPU.
    """
    # Imported late: --help must not wait for them.
    from pydantic import ValidationError

    from steel_defect_detection import checkpoints
    from steel_defect_detection.datasets import output_folder
    from steel_defect_detection.synthesis.gan_config import GanConfig
    from steel_defect_detection.synthesis.generate import train_makers

    parts = ways.parts_of(data, shared)
    classes = ways.numbers_of(parts, shared["only"])
    try:
        config = GanConfig(
            epochs=epochs,
            image_size=image_size,
            latent_size=latent_size,
            batch_size=batch_size,
            crops=not whole,
            channels=3 if _is_coloured(parts["train"]) else 1,
            seed=shared["seed"],
        )
    except ValidationError as error:
        first = error.errors()[0]
        option = "".join(f"--{name} ".replace("_", "-") for name in first["loc"])
        msg = f"{option}{first['msg'].removeprefix('Value error, ')}"
        raise click.UsageError(msg) from error
    home = gans or shared["output"].with_name(f"{shared['output'].name}-gans")
    output_folder.refuse_inside(home, shared["output"])
    checkpoint = None if judge is None else checkpoints.load(judge)

    def maker(part: "Dataset") -> "Maker":
        return train_makers(
            part, config, home, classes, combined=combined, device=device, judge=checkpoint
        )

    # Networks share their cores by themselves.
    ways.run(parts, maker, {}, shared | {"workers": 1})


main.add_command(_draw, "draw")
main.add_command(_gan, "gan")
main.add_command(_transplant, "transplant")


def _refuse_without_data(
    shared: Mapping[str, Any], sheets: str | None, kinds: object, *, unlike: bool
) -> None:
    given = {"--split": shared["split"], "--sheets": sheets, "--kind": kinds}
    given |= {"--unlike": unlike or None}
    given |= {"--ratio": shared["ratio"], "--layout": shared["layout"], "--fold": shared["fold"]}
    wrong = [name for name, value in given.items() if value not in (None, ())]
    if wrong:
        msg = f"{wrong[0]} needs DATA, a data set to start from; without it whole strips are drawn"
        raise click.UsageError(msg)


def _refuse_without_templates(templates: Path | None) -> None:
    context = click.get_current_context()
    for name in ("ink", "least_match"):
        named = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if named and templates is None:
            msg = (
                f"--{name.replace('_', '-')} belongs to --templates: by masks, exactly what they "
                "cover is cut out"
            )
            raise click.UsageError(msg)


def _kinds(
    classes: tuple[str, ...], given: tuple[str, ...], numbers: tuple[int, ...]
) -> dict[int, str]:
    """Say what each class is drawn as."""
    from steel_defect_detection.synthesis.draw import kind_of

    named = dict(pair.rpartition("=")[::2] for pair in given)
    if "" in named or len(named) < len(given):
        msg = f"expected --kind CLASS=KIND, once for each class, got {', '.join(given)}"
        raise click.UsageError(msg)
    unknown = [name for name in named if name not in classes]
    if unknown:
        msg = f"--kind {unknown[0]!r} is no class; the classes are {', '.join(classes)}"
        raise click.UsageError(msg)
    kinds: dict[int, str] = {}
    for number in numbers:
        name = classes[number - 1]
        kind = named.get(name) or kind_of(name)
        if kind is None:
            msg = f"what does {name!r} look like? Say it: --kind {name!r}=scratches, for example"
            raise click.UsageError(msg)
        kinds[number] = kind
        say(f"{name} is drawn as {kind}")
    return kinds


def _is_coloured(dataset: "Dataset") -> bool:
    """Tell whether any of the first images has colours."""
    images = (entry.read_image() for entry in dataset.entries[:_LOOKED_AT])
    return any(bool((image != image[..., :1]).any()) for image in images)
