"""``sdd-report``: results, evaluations and training runs in, one HTML file out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import SOME_INPUTS_FAILED, command, echo, say_problems

if TYPE_CHECKING:
    from steel_defect_detection.report import Report


@command("sdd-report")
@click.argument(
    "folders", nargs=-1, required=True, metavar="RUN_OR_RESULTS...", type=click.Path(path_type=Path)
)
@options.output("File to write.", default="report.html", is_file=True)
@click.option("--title", help="Heading of the report.  [default: names the folders]")
@click.option(
    "--worst",
    type=click.IntRange(min=0),
    default=24,
    show_default=True,
    metavar="N",
    help="Most images to show large: the worst, and the least familiar.",
)
@click.option(
    "--images",
    type=click.IntRange(min=0),
    default=2000,
    show_default=True,
    metavar="N",
    help="Most small pictures in the list of all images.",
)
@options.overwrite("Replace a file that is no report.")
@options.as_json("what was written, and the main counts")
@click.pass_context
def main(
    context: click.Context,
    folders: tuple[Path, ...],
    *,
    output: Path,
    title: str | None,
    worst: int,
    images: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write one HTML file that can be mailed, printed and read without a network.

    RUN_OR_RESULTS are folders: results of sdd-predict, what sdd-evaluate
    and sdd-calibrate --output wrote, and runs of sdd-train, in any order. Several runs are put
    beside each other. The file holds its pictures and refers to nothing
    outside of itself; an earlier report of that name is replaced.

    A picture or run.json that is there and cannot be read is named; the exit
    status is then 3.
    """
    # Imported late: --help must not wait for it.
    from steel_defect_detection import report

    written = report.write(
        folders,
        output,
        title=title or "",
        worst=worst,
        pictures=images,
        overwrite=overwrite,
        progress=True,
    )
    echo(json.dumps(written.as_json(), indent=2) if as_json else _line(written))
    say_problems(written.problems)
    context.exit(SOME_INPUTS_FAILED if written.problems else 0)


def _line(written: "Report") -> str:
    sections = len(written.sections)
    size = written.size_bytes / 1e6
    return (
        f"{sections} section{'s' if sections != 1 else ''}, {size:.1f} MB. "
        f"The report is {written.path}"
    )
