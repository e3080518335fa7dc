"""``sdd-download``: names of data sets or models in, folders or files out."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from steel_defect_detection.cli import options, tables
from steel_defect_detection.cli.command import command, say
from steel_defect_detection.datasets.catalogue import SOURCES
from steel_defect_detection.download.dataset import download
from steel_defect_detection.download.space import readable

if TYPE_CHECKING:
    from steel_defect_detection.download.weights import Entry

_WEIGHTS = "weights"


@command("sdd-download")
@click.argument("names", nargs=-1, metavar="[weights] [NAME]...")
@options.output(
    "Folder for the data sets; each gets a folder of its name in it, models get 'weights'.",
    default="data",
)
@click.option("--list", "show_list", is_flag=True, help="List what can be downloaded.")
@options.as_json("the list or the results")
@click.option(
    "--from",
    "base",
    envvar="SDD_WEIGHTS_URL",
    metavar="ADDRESS",
    help="With 'weights': address that index.json and the model files lie below "
    "[environment: SDD_WEIGHTS_URL].",
)
def main(
    names: tuple[str, ...], output: Path, *, show_list: bool, as_json: bool, base: str | None
) -> None:
    """Download data sets, or 'weights' and the names of models, by name.

    What is there already is not fetched again, and what was interrupted goes
    on when the same command is given again. Severstal needs a Kaggle account
    that has accepted the rules of the competition.
    """
    context = click.get_current_context()
    named = context.get_parameter_source("base") is ParameterSource.COMMANDLINE
    if named and names[:1] != (_WEIGHTS,):
        msg = "--from says where models lie; write: sdd-download weights NAME --from ADDRESS"
        raise click.UsageError(msg)
    try:
        if names[:1] == (_WEIGHTS,):
            _weights(names[1:], output, base, show_list=show_list, as_json=as_json)
        elif show_list:
            _list(as_json=as_json)
        else:
            _datasets(names, output, as_json=as_json)
    except KeyboardInterrupt:
        say("what is complete stays; the same command goes on with the rest")
        raise


def _list(*, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(source) for source in SOURCES.values()], indent=2))
        return
    rows = [("NAME", "SIZE", "ACCOUNT", "LICENCE")]
    for source in SOURCES.values():
        size = readable(source.size) if source.size else "unknown"
        rows.append((source.name, size, "Kaggle" if source.account else "no", source.licence))
    click.echo("\n".join(tables.words(rows)))


def _datasets(names: tuple[str, ...], output: Path, *, as_json: bool) -> None:
    unknown = [name for name in names if name not in SOURCES]
    if unknown or not names:
        what = f"no data set {unknown[0]!r}" if unknown else "name a data set"
        msg = f"{what}; there are: {', '.join(SOURCES)}; models come after the word 'weights'"
        raise click.UsageError(msg)
    done = []
    for name in dict.fromkeys(names):
        fetched = download(SOURCES[name], output)
        if not fetched:
            say(f"{output / name} is there already; nothing was downloaded")
        done.append({"name": name, "path": str(output / name), "downloaded": fetched})
        if not as_json:
            click.echo(output / name)
    if as_json:
        click.echo(json.dumps(done, indent=2))


def _weights(
    names: tuple[str, ...], output: Path, base: str | None, *, show_list: bool, as_json: bool
) -> None:
    # Imported late: --help must not wait for it.
    from steel_defect_detection.checkpoints import built_in
    from steel_defect_detection.download import weights

    if show_list:
        _list_weights(weights.index(_required(base)), as_json=as_json)
        return
    if not names:
        msg = "name a model after 'weights'; --list shows what the server has"
        raise click.UsageError(msg)
    done = []
    for name in dict.fromkeys(names):
        if name in built_in():
            say(f"{name} comes with the package and needs no download; use --model {name}")
            continue
        path = weights.download(name, _required(base), output / _WEIGHTS)
        done.append({"name": name, "path": str(path)})
        if not as_json:
            click.echo(path)
    if as_json:
        click.echo(json.dumps(done, indent=2))


def _required(base: str | None) -> str:
    if not base:
        msg = "say where the models lie, with --from or in the environment variable SDD_WEIGHTS_URL"
        raise click.UsageError(msg)
    return base


def _list_weights(offered: "dict[str, Entry]", *, as_json: bool) -> None:
    if as_json:
        content = {name: entry.model_dump() for name, entry in offered.items()}
        click.echo(json.dumps(content, indent=2))
        return
    rows = [(name, readable(entry.size), entry.file) for name, entry in offered.items()]
    click.echo("\n".join(tables.words([("NAME", "SIZE", "FILE"), *rows])))
