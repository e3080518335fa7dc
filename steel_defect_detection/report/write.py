"""From folders to a report: what ``sdd-report`` does, as one call."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steel_defect_detection import files
from steel_defect_detection.errors import ConfigError, ResultsError
from steel_defect_detection.report import (
    agreement,
    along,
    calibrated,
    cards,
    folders,
    judged,
    measured,
    page,
    trained,
    verdicts,
)
from steel_defect_detection.report.album import Album
from steel_defect_detection.report.blocks import Part, Section
from steel_defect_detection.report.folders import Found

WORST, PICTURES = 24, 2_000
"""Images that are shown large, and small pictures in the list of all images, unless told."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report that was written.

    Args:
        path: The file.
        size_bytes: How long it is.
        sections: What it says, folder by folder.
    """

    path: Path
    size_bytes: int
    sections: tuple[Section, ...]

    @property
    def problems(self) -> list[tuple[str, str]]:
        """What is wrong with the folders and their files, by their names."""
        return [
            problem
            for section in self.sections
            for problem in (
                *((section.source, doubt) for doubt in section.doubts),
                *section.problems,
            )
        ]

    def as_json(self) -> dict[str, Any]:
        """What was written and the main counts, as JSON holds them."""
        return {
            "output": str(self.path),
            "bytes": self.size_bytes,
            "sections": [
                {"title": section.title, "source": section.source, **section.facts}
                for section in self.sections
            ],
            "problems": [{"file": name, "problem": text} for name, text in self.problems],
        }


def write(  # noqa: PLR0913 -- one argument per option of sdd-report
    sources: Sequence[str | Path],
    output: str | Path = "report.html",
    *,
    title: str = "",
    worst: int = WORST,
    pictures: int = PICTURES,
    overwrite: bool = False,
    progress: bool = False,
) -> Report:
    """Write results, evaluations and training runs into one HTML file.

    Args:
        sources: Folders: results of ``sdd-predict``, what ``sdd-evaluate`` and
            ``sdd-calibrate`` wrote, and runs of ``sdd-train``, in any order.
        output: The file; an earlier report that is there is replaced.
        title: Heading of the report; by default it names the folders.
        worst: Most images to show large.
        pictures: Most small pictures in the list of all images.
        overwrite: Replace a file that is no report, too.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Returns:
        What was written.

    Raises:
        ConfigError: If no folder is named.
        ResultsError: If a folder holds nothing of that, its tables cannot be
            read, or the file cannot be written.
    """
    if not sources:
        msg = "expected at least one folder, got none"
        raise ConfigError(msg)
    target = Path(output)
    files.refuse_unwritable(target)
    if not overwrite and target.exists() and not _is_report(target):
        msg = f"{target} is there already: choose another --output, or add --overwrite"
        raise ResultsError(msg)
    # A folder that is named twice is reported once.
    once: dict[Path, Path] = {}
    for source in sources:
        once.setdefault(Path(source).resolve(), Path(source))
    found = [each for folder in once.values() for each in folders.recognise(folder)]
    sections = [_section(each, worst=worst, pictures=pictures, progress=progress) for each in found]
    runs = [each.folder for each in found if each.kind == "run"]
    if len(runs) > 1:
        sections.insert(0, trained.comparison(runs))
    sections = _told_apart(sections)
    text = page.render(title or _title(list(once.values())), sections)
    data = text.encode("utf-8")
    files.write_bytes(target, data)
    return Report(path=target, size_bytes=len(data), sections=tuple(sections))


def _section(found: Found, *, worst: int, pictures: int, progress: bool) -> Section:
    if found.kind == "results":
        return _results(found.folder, worst=worst, pictures=pictures, progress=progress)
    if found.kind == "evaluation":
        return measured.section(found.folder, worst=worst)
    if found.kind == "calibration":
        return calibrated.section(found.folder)
    return trained.several(found.folder) if found.kind == "runs" else trained.section(found.folder)


def _results(folder: Path, *, worst: int, pictures: int, progress: bool) -> Section:
    results = judged.read(folder)
    album = Album(results, progress=progress)
    doubts = agreement.doubts(results, album)
    # A part is a function of the results; one that has nothing to say gives None.
    parts: list[Part | None] = [
        verdicts.summary(results, [*doubts, *agreement.remarks(results)]),
        verdicts.errors(results),
        verdicts.worst(results, album, worst),
        verdicts.unfamiliar(results, album, worst),
        verdicts.classes(results, album),
        along.part(folder),
        verdicts.histograms(results),
        verdicts.thresholds(results),
        verdicts.times(results),
        cards.of_results(results),
        verdicts.everything(album, pictures),
    ]
    return Section(
        title="Results",
        source=str(folder),
        parts=[part for part in parts if part is not None],
        facts={"images": len(results.images), "verdicts": verdicts.counts(results)},
        problems=list(album.problems.items()),
        doubts=doubts,
    )


def _told_apart(sections: Sequence[Section]) -> list[Section]:
    """Add the folder's name to titles that repeat, and all of its path where names repeat, too."""
    names = [(section.title, Path(section.source).resolve().name) for section in sections]
    titles = Counter(title for title, _ in names)
    told = []
    for section, (title, name) in zip(sections, names, strict=True):
        shown = section.source if names.count((title, name)) > 1 else name
        told.append(replace(section, title=f"{title}: {shown}") if titles[title] > 1 else section)
    return told


def _is_report(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return page.MADE_BY.encode() in file.read(1_000)
    except OSError:
        return False


def _title(sources: Sequence[str | Path]) -> str:
    names = ", ".join(Path(source).resolve().name for source in sources)
    return f"Report: {names}" if len(names) <= 80 else f"Report on {len(sources)} folders"
