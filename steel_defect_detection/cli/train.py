"""``sdd-train``: a preset or JSON file and a data set in, a run folder out."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import INTERRUPTED, command, echo, say
from steel_defect_detection.cli.values import Numbers
from steel_defect_detection.errors import SteelDefectError
from steel_defect_detection.training import presets
from steel_defect_detection.training.config import CascadeConfig, TrainConfig
from steel_defect_detection.training.processes import started_as_first

_OWN_WORDS = {"description"}


def option_type(field: FieldInfo) -> Any:
    """What the option of a setting takes, in click's words."""
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        return click.Choice(choices) if isinstance(choices[0], str) else type(choices[0])
    if annotation == float | None:
        return Numbers(single=True)
    plain = {bool: bool, int: int, float: float, str: str}
    return plain.get(annotation, Numbers()) if isinstance(annotation, type) else Numbers()


def settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option for each field of ``TrainConfig``."""
    for name, field in reversed(TrainConfig.model_fields.items()):
        if name in _OWN_WORDS:
            continue
        option = "--" + name.replace("_", "-")
        declaration = f"{option}/--no-{option[2:]}" if field.annotation is bool else option
        function = click.option(
            declaration, name, type=option_type(field), default=None, help=field.description
        )(function)
    return function


@command("sdd-train")
@click.argument("preset", metavar="[PRESET_OR_JSON]", required=False)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data set.")
@options.output("Run folder.  [default: runs/PRESET]")
@click.option(
    "--split",
    type=click.Path(path_type=Path),
    help="A split.csv that names training and validation images, or 'published': the parts that "
    "the data set came in.",
)
@click.option("--fold", type=click.IntRange(min=0), help="Fold of the split.csv to validate on.")
@options.layout
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=1,
    help="Train so often, each with the next seed, and give mean and standard deviation.",
)
@click.option("--resume", is_flag=True, help="Go on with a run; fail if there is none.")
@options.overwrite("Begin anew in a folder that holds a run.")
@click.option("--list", "show_list", is_flag=True, help="List the presets.")
@click.option("--print-config", is_flag=True, help="Print the settings and stop.")
@settings
@click.pass_context
def main(
    context: click.Context,
    /,
    preset: str | None,
    data: Path | None,
    output: Path | None,
    *,
    split: Path | None,
    fold: int | None,
    layout: str | None,
    runs: int,
    resume: bool,
    overwrite: bool,
    show_list: bool,
    print_config: bool,
    **changes: Any,
) -> None:
    """Train on a data set with the settings of a preset or JSON file.

    Options that are not given keep the preset's value. A run that was
    interrupted goes on when the same command is given again.
    """
    if show_list:
        _list_presets()
        return
    if preset is None:
        msg = f"name a preset ({', '.join(presets.names())}) or a JSON file"
        raise click.UsageError(msg)
    config = _config(context, preset, changes)
    if print_config:
        click.echo(config.model_dump_json(indent=2))
        return
    if data is None:
        msg = "name the data set with --data FOLDER"
        raise click.UsageError(msg)
    if resume and overwrite:
        msg = "--resume goes on with a run and --overwrite begins anew: leave one of them out"
        raise click.UsageError(msg)
    folder = output or Path("runs") / Path(preset).stem
    how = {
        "split": split,
        "fold": fold,
        "layout": layout,
        "resume": resume,
        "overwrite": overwrite,
    }
    try:
        _train(config, data, folder, runs, how)
    except KeyboardInterrupt:
        _leave(context, folder, overwrite=overwrite)


def _config(
    context: click.Context, preset: str, changes: dict[str, Any]
) -> TrainConfig | CascadeConfig:
    """Read the settings; of several processes the first says what is wrong with them."""
    given = {name: value for name, value in changes.items() if _is_given(context, name)}
    try:
        return presets.load(preset, **given)
    except SteelDefectError:
        if not started_as_first():
            context.exit(0)
        raise


def _leave(context: click.Context, folder: Path, *, overwrite: bool) -> NoReturn:
    """End an interrupted run; of several processes the first says how to go on."""
    if not started_as_first():
        context.exit(0)
    without = " without --overwrite" if overwrite else ""
    say(f"interrupted; the same command{without} goes on from the last epoch in {folder}")
    context.exit(INTERRUPTED)


def _train(
    config: TrainConfig | CascadeConfig, data: Path, folder: Path, runs: int, how: dict[str, Any]
) -> None:
    if not started_as_first():
        logging.getLogger("steel_defect_detection").setLevel(logging.WARNING)
    # Imported late: --help must not wait for torch.
    from steel_defect_detection.training.folder import is_finished
    from steel_defect_detection.training.processes import is_first
    from steel_defect_detection.training.repeats import train_repeatedly
    from steel_defect_detection.training.run import train

    if runs > 1:
        spreads = train_repeatedly(config, data, folder, runs=runs, **how)
        if not is_first():
            return
        for name, spread in spreads.items():
            echo(f"{name}: {spread.mean:.4f} ± {spread.std:.4f}")
        say(f"mean and standard deviation of {runs} runs; they and runs.csv are in {folder}")
        return
    was_finished = is_finished(folder) and not how["overwrite"]
    model = train(config, data, folder, **how)
    if not is_first():
        return
    echo(f"{model}")
    if was_finished:
        say(f"{folder} held this run, finished; --overwrite trains it again")


def _list_presets() -> None:
    for name in presets.names():
        config = presets.load(name)
        click.echo(f"{name}\n    {config.description}")


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
