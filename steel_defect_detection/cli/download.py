"""``sdd-download``: names of data sets in, folders out."""

from pathlib import Path

import click

from steel_defect_detection.cli.command import command, say
from steel_defect_detection.datasets.catalogue import SOURCES


@command("sdd-download")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    show_default=True,
    help="Folder for the data sets; each gets a folder of its name in it.",
)
@click.option("--list", "show_list", is_flag=True, help="List what can be downloaded.")
def main(names: tuple[str, ...], output: Path, *, show_list: bool) -> None:
    """Download data sets by name.

    The Severstal images come from Kaggle, which asks for an account there and
    for its rules to be accepted.
    """
    if show_list:
        for source in SOURCES.values():
            click.echo(f"{source.name}\n    {source.title}")
            click.echo(f"    {source.size_gigabytes} GB; {source.licence}")
        return
    unknown = [name for name in names if name not in SOURCES]
    if unknown or not names:
        what = f"no data set {unknown[0]!r}" if unknown else "name a data set"
        msg = f"{what}; there are: {', '.join(SOURCES)}"
        raise click.UsageError(msg)
    # Imported late: --help must not wait for it.
    from steel_defect_detection.download import kaggle_competition

    for name in names:
        source = SOURCES[name]
        fetched = kaggle_competition(
            source.competition, output / name, marker=source.marker, terms=source.terms
        )
        if not fetched:
            say(f"{output / name} is there already; nothing was downloaded")
        click.echo(output / name)
