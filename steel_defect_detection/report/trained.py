"""What a report says about training runs: one, and several beside each other."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steel_defect_detection import checkpoints
from steel_defect_detection.errors import CheckpointError
from steel_defect_detection.report import cards, measured, words
from steel_defect_detection.report.blocks import Block, Cell, Column, Note, Part, Section, Table
from steel_defect_detection.wording import amount

_CHARTS = {
    "curves.png": "Losses and measures by epoch",
    "confusion.png": "Actual classes (rows) and predicted ones (columns)",
    "dice.png": "Dice by class",
}
_SHEETS = {"examples.png": "Examples from the validation images: image, truth, prediction"}
# What differs between runs that are to show how much is chance.
_CHANCE = {"seed", "gate.seed", "segmenter.seed"}
_STAGES = ("gate", "segmenter")
_MODEL = "model.safetensors"


def section(folder: Path) -> Section:
    """Say what a training run did.

    Args:
        folder: The run folder.

    Raises:
        ResultsError: If one of its files cannot be read.
    """
    problems: list[tuple[str, str]] = []
    found = _read(folder / "metrics.json")
    parts = [*_summary(folder, found)]
    for stage in ("", *_STAGES):
        parts += _stage(folder / stage, stage, problems)
    parts += [*_split(folder / "split.csv"), *_card(folder, problems)]
    return Section(
        title="Training run",
        source=str(folder),
        parts=parts,
        facts={"finished": (folder / "metrics.json").is_file(), "measures": found},
        problems=problems,
    )


def several(folder: Path) -> Section:
    """Say what several runs of the same settings have in common.

    Args:
        folder: The folder of ``run-1``, ``run-2`` or ``fold-0``, ``fold-1``.

    Raises:
        ResultsError: If one of its files cannot be read.
    """
    problems: list[tuple[str, str]] = []
    found = _read(folder / "runs.json")
    parts = []
    spreads = measured.mapping(found.get("measures"))
    if spreads:
        rows = [
            {"measure": name.replace("_", " "), **measured.mapping(spread)}
            for name, spread in spreads.items()
        ]
        text = f"Mean and standard deviation of {words.number(found.get('runs'))} runs"
        parts.append(Part(title="Measures", blocks=[measured.rows_table(text, rows)]))
    charts = {"curves.png": "Losses and measures by epoch, with one standard deviation"}
    parts += measured.drawn(folder, charts=charts, sheets={}, problems=problems)
    if not parts:
        text = "There is no runs.json: the runs follow one by one, and beside each other below."
        parts.append(Part(title="Measures", blocks=[Note(text=text)]))
    return Section(
        title="Several runs", source=str(folder), parts=parts, facts=found, problems=problems
    )


def comparison(folders: Sequence[Path]) -> Section:
    """Put the measures of several runs beside each other.

    Args:
        folders: Run folders, at least two.

    Raises:
        ResultsError: If one of their files cannot be read.
    """
    runs = [_numbers(_read(folder / "metrics.json")) for folder in folders]
    differing = _differing(folders)
    # A mean over runs of different settings would be that of nothing.
    are_alike = not {name for name, *_ in differing} - _CHANCE
    names = list(dict.fromkeys(name for run in runs for name in run))
    rows: list[list[Cell]] = []
    for name in names:
        values = [run.get(name) for run in runs]
        known = [value for value in values if value is not None]
        spread: list[float | None] = [None, None]
        if len(known) == len(runs):
            spread = [statistics.mean(known), statistics.stdev(known)]
        shown = [*values, *spread] if are_alike else values
        rows.append([name.replace("_", " "), *map(words.number, shown)])
    titles = [_short(folder, folders) for folder in folders]
    spreads = ["mean", "standard deviation"] if are_alike else []
    columns = [Column("measure"), *(Column(title, True) for title in [*titles, *spreads])]
    table = Table(caption="Measures of the runs", columns=columns, rows=rows)
    parts = [Part(title="Measures", blocks=[table])]
    if differing:
        settings = [Column("setting"), *map(Column, titles)]
        block = Table(caption="Settings that are not the same", columns=settings, rows=differing)
        parts.append(Part(title="Settings that differ", blocks=[block]))
    source = amount(len(folders), "training run")
    return Section(title="Comparison", source=source, parts=parts, facts={"runs": len(folders)})


def _summary(folder: Path, found: Mapping[str, Any]) -> list[Part]:
    blocks: list[Block] = []
    if found:
        blocks.append(cards.measures("Measures of the epoch that was kept", found))
    elif not (folder / "metrics.json").is_file():
        text = "The run is not finished: there is no metrics.json."
        blocks.append(Note(text=text, is_warning=True))
    return [Part(title="Measures", blocks=blocks)] if blocks else []


def _stage(folder: Path, name: str, problems: list[tuple[str, str]]) -> list[Part]:
    """Pictures, epochs and settings of a run, or of one of the two of a cascade."""
    if not folder.is_dir():
        return []
    parts = measured.drawn(folder, charts=_CHARTS, sheets=_SHEETS, problems=problems)
    blocks: list[Block] = []
    if (folder / "epochs.csv").is_file():
        rows = measured.read_table(folder / "epochs.csv")
        caption = f"Epochs: {len(rows):,}"
        blocks.append(measured.rows_table(caption, rows, folded=True))
    settings = cards.flat(_read(folder / "config.json"))
    if settings:
        lines = [{"setting": setting, "value": value} for setting, value in settings.items()]
        blocks.append(_settings(lines))
    parts += [Part(title="Epochs and settings", blocks=blocks)] if blocks else []
    if not name:
        return parts
    return [Part(title=f"{part.title} of the {name}", blocks=part.blocks) for part in parts]


def _settings(lines: Sequence[Mapping[str, Any]]) -> Table:
    rows = [[line["setting"], words.number(line["value"])] for line in lines]
    columns = [Column("setting"), Column("value")]
    return Table(caption=f"Settings: {len(rows)}", columns=columns, rows=rows, is_folded=True)


def _split(path: Path) -> list[Part]:
    if not path.is_file():
        return []
    found = Counter(str(row.get("split") or "none") for row in measured.read_table(path))
    rows = [[name, words.count(count)] for name, count in found.items()]
    columns = [Column("part"), Column("images", True)]
    table = Table(caption="Images by part (split.csv)", columns=columns, rows=rows)
    return [Part(title="Images", blocks=[table])]


def _card(folder: Path, problems: list[tuple[str, str]]) -> list[Part]:
    if not (folder / _MODEL).is_file():
        return []
    try:
        return [cards.of_checkpoint(checkpoints.load(folder))]
    except CheckpointError as error:
        problems.append((str(folder / _MODEL), str(error)))
        return []


def _read(path: Path) -> dict[str, Any]:
    return measured.read_object(path, again="sdd-train")


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: value
        for name, value in cards.flat(found).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _short(folder: Path, folders: Sequence[Path]) -> str:
    """Name of a run: its folder's, or the whole path where names repeat."""
    name = folder.resolve().name
    names = [other.resolve().name for other in folders]
    return str(folder) if names.count(name) > 1 else name


def _differing(folders: Sequence[Path]) -> list[list[str]]:
    """Settings that are not the same in all runs: name, and value in each."""
    settings = [cards.flat(_read(folder / "config.json")) for folder in folders]
    names = list(dict.fromkeys(name for run in settings for name in run))
    return [
        [name, *(words.number(run.get(name)) for run in settings)]
        for name in names
        if not name.endswith("description")
        and any(run.get(name) != settings[0].get(name) for run in settings)
    ]
