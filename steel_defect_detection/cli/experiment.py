"""``sdd-experiment``: a study in, and what its variants are worth out."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from steel_defect_detection.cli import options, tables
from steel_defect_detection.cli.command import (
    FAILED,
    INTERRUPTED,
    SOME_INPUTS_FAILED,
    command,
    echo,
    say,
)
from steel_defect_detection.cli.train import option_type
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.wording import amount

if TYPE_CHECKING:
    from steel_defect_detection.experiments.run import Outcome
    from steel_defect_detection.experiments.study import Study


class Setting(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """One setting and its value: ``epochs=2``."""

    name = "SETTING=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Read the value as the option of ``sdd-train`` would."""
        if isinstance(value, tuple):
            return value
        name, sign, text = str(value).partition("=")
        if not sign:
            self.fail(f"{value!r} is no SETTING=VALUE, such as epochs=2", param, ctx)
        name = name.strip().replace("-", "_")
        field = TrainConfig.model_fields.get(name)
        if field is None:
            return name, _plain(text)
        found = click.types.convert_type(option_type(field)).convert(text, param, ctx)
        return name, list(found) if isinstance(found, tuple) else found


@command("sdd-experiment")
@click.argument("study", metavar="[STUDY_OR_JSON]", required=False)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data set.")
@options.output("Folder of the study.  [default: experiments/STUDY]")
@click.option(
    "--runs", type=click.IntRange(min=1), help="Trainings of each variant.  [default: the study's]"
)
@click.option(
    "--set",
    "settings",
    type=Setting(),
    multiple=True,
    help="Setting that all variants get, as sdd-train has it or of the images; may be repeated.",
)
@click.option(
    "--part",
    type=click.Choice(["validation", "test"]),
    help="Images to measure finished models on.  [default: the study's]",
)
@click.option(
    "--folds",
    type=click.IntRange(min=0),
    help="Keep back another one of so many folds in each run; 0: always the same images.  "
    "[default: the study's]",
)
@click.option(
    "--split",
    type=click.Path(path_type=Path),
    help="A split.csv that names the parts, or 'published'.",
)
@click.option("--fold", type=click.IntRange(min=0), help="Fold of the split.csv to validate on.")
@options.layout
@click.option("--resume", is_flag=True, help="Go on with a study; fail if there is none.")
@options.overwrite("Delete the runs of the study that is in the folder, and begin anew.")
@click.option("--list", "show_list", is_flag=True, help="List the studies that come along.")
@click.option("--print-study", is_flag=True, help="Print the study, to be edited, and stop.")
@click.option(
    "--dry-run", is_flag=True, help="List the variants, and with --data their images, and stop."
)
@options.as_json("the table")
@click.pass_context
def main(
    context: click.Context,
    study: str | None,
    data: Path | None,
    output: Path | None,
    *,
    runs: int | None,
    settings: tuple[tuple[str, Any], ...],
    part: str | None,
    folds: int | None,
    split: Path | None,
    fold: int | None,
    layout: str | None,
    resume: bool,
    overwrite: bool,
    show_list: bool,
    print_study: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train variants of the same thing several times, and compare them.

    STUDY_OR_JSON is a study that comes along (--list) or a JSON file of one. A
    study that was interrupted goes on when the same command is given again.

    A run that fails is named and the others go on; the exit status is then 3.
    """
    # Imported late: --help must not wait for them.
    from steel_defect_detection.experiments import reading

    if show_list:
        for name in reading.names():
            echo(f"{name}\n    {reading.load(name).description}")
        return
    if study is None:
        msg = f"name a study ({', '.join(reading.names())}) or a JSON file"
        raise click.UsageError(msg)
    _check_usage(settings, resume=resume, overwrite=overwrite)
    changes = {"runs": runs, "part": part, "folds": folds}
    asked = reading.load(study, dict(settings), **changes)
    if print_study:
        echo(asked.model_dump_json(indent=2))
        return
    how: dict[str, Any] = {"split": split, "fold": fold, "layout": layout}
    if dry_run:
        _preview(asked, data, how)
        return
    if data is None:
        msg = "name the data set with --data FOLDER"
        raise click.UsageError(msg)
    home = output or Path("experiments") / asked.name
    how |= {"resume": resume, "overwrite": overwrite}
    context.exit(_run(context, asked, data, home, how, as_json=as_json))


def _check_usage(settings: tuple[tuple[str, Any], ...], *, resume: bool, overwrite: bool) -> None:
    names = [name for name, _ in settings]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        msg = f"--set names {doubles[0]} twice"
        raise click.UsageError(msg)
    if resume and overwrite:
        msg = "--resume goes on with a study and --overwrite begins anew: leave one of them out"
        raise click.UsageError(msg)


def _run(
    context: click.Context,
    study: "Study",
    data: Path,
    home: Path,
    how: Mapping[str, Any],
    *,
    as_json: bool,
) -> int:
    from steel_defect_detection.experiments.report import TABLE
    from steel_defect_detection.experiments.run import run

    try:
        outcome = run(study, data, home, **how)
    except KeyboardInterrupt:
        _leave(context, home, overwrite=how["overwrite"])
    if as_json:
        echo(json.dumps(_content(study, outcome), indent=2))
    else:
        echo((home / TABLE).read_text(encoding="utf-8").rstrip())
    say(f"{TABLE}, table.csv, runs.csv, curves.csv and pictures are in {home}")
    if not outcome.failures:
        return 0
    say(f"{amount(len(outcome.failures), 'run')} failed; the same command tries again")
    return SOME_INPUTS_FAILED if outcome.records else FAILED


def _leave(context: click.Context, home: Path, *, overwrite: bool) -> NoReturn:
    without = " without --overwrite" if overwrite else ""
    say(f"interrupted; the same command{without} goes on. What is finished is in {home}")
    context.exit(INTERRUPTED)


def _preview(study: "Study", data: Path | None, how: Mapping[str, Any]) -> None:
    """List what would be trained, on how many images."""
    from steel_defect_detection.experiments.preview import preview

    rows = preview(study, data, **how)
    echo("\n".join(tables.numbers(rows)))
    count = len(rows) - 1
    echo(f"{amount(count, 'variant')}, {amount(count * study.runs, 'training')}")


def _content(study: "Study", outcome: "Outcome") -> dict[str, Any]:
    """The table as JSON holds it: what is unknown is left out."""
    from steel_defect_detection.metrics.fractions import known

    def means(row: Any, kind: str) -> dict[str, Any]:
        return {name: asdict(mean) for name, mean in getattr(row, kind).items()}

    variants = [
        {
            "variant": row.variant.name,
            **row.variant.labels,
            "runs": row.runs,
            "failed": row.failed,
            "measures": means(row, "means"),
            "differences": means(row, "differences"),
        }
        for row in outcome.rows
    ]
    failures = [
        {"variant": name, "run": number, "error": reason}
        for (name, number), reason in outcome.failures.items()
    ]
    return known({"study": study.name, "variants": variants, "failures": failures})


def _plain(text: str) -> Any:
    """Read a value as JSON would have it, or as the word that it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text
