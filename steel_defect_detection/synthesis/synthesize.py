"""Make a data set of real and synthetic images.

::

    OUTPUT/
    ├── images/ masks/ classes.txt    or train_images/ train.csv, or images/ labels.csv
    ├── masks/                        what the synthetic images show, whatever the layout
    ├── synthesis.csv                 image,mask,way,source,seed,parameters
    ├── sources.csv                   image,source,file,group,part
    ├── split.csv                     the parts, where there are any
    ├── samples.png                   some synthetic images of each class, outlined
    └── .synthesis-files.txt          what a later run may replace

What is made for a part of a split is made from real images of that part alone,
and a split whose parts share groups is refused: nothing that is tested on can
be seen in what is trained on.
"""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from steel_defect_detection import files
from steel_defect_detection.datasets import (
    layouts,
    leakage,
    origins,
    output_folder,
    reduction,
    splits,
)
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.label_maps import NoDefect
from steel_defect_detection.datasets.writing import Writer
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.sample import Sample
from steel_defect_detection.synthesis.amounts import Amount
from steel_defect_detection.synthesis.made import Made, Maker
from steel_defect_detection.synthesis.samples import CLEAN, Samples
from steel_defect_detection.synthesis.working import Job, Result, work

SPLIT = "split.csv"
SAMPLES = "samples.png"
FILES = ".synthesis-files.txt"
"""What a run was about to write, so that another may replace it."""


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """What was written.

    Args:
        output: Where.
        layout: Name of the layout.
        real: Real images by part.
        earlier: Synthetic images by part that were there already.
        synthetic: Synthetic images that were made for each class by part; those
            free of defects are called ``free of defects``.
    """

    output: Path
    layout: str
    real: dict[str, int]
    earlier: dict[str, int]
    synthetic: dict[str, dict[str, int]]


def part(
    dataset: Dataset,
    split: Path | str | None = None,
    *,
    fold: int | None = None,
    progress: bool = False,
) -> dict[str, Dataset]:
    """Part a data set, and refuse a split that leaks.

    Args:
        dataset: All images, with labels.
        split: A ``split.csv``, or ``published``; None takes all for training.
        fold: Fold to validate on, if the split has folds.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Returns:
        The images by part, ``train`` first.

    Raises:
        ConfigError: If images of one part stand in another too, by the data
            set's own groups; where it has none, by what the images show. Or if
            the split has no training images.
        AnnotationError: If the split is missing or malformed.
    """
    if split is None:
        if fold is not None:
            msg = f"fold {fold} belongs to a split.csv: name it with --split"
            raise ConfigError(msg)
        return {"train": dataset}
    parts = splits.read(split, dataset, fold=fold)
    train = splits.part(parts, "train")
    _refuse_leaks(dataset, parts, progress=progress)
    return {"train": train} | parts


def _refuse_leaks(dataset: Dataset, parts: Mapping[str, Dataset], *, progress: bool) -> None:
    has_groups = any(entry.group or entry.made_from for entry in dataset.entries)
    numbers = leakage.groups(
        dataset, "given" if has_groups else "pictures", problems=[], progress=progress
    )
    names = {name: part for part, images in parts.items() for name in images.names}
    for leak in leakage.leaks(dataset.names, names, numbers.tolist()):
        if leak.part != "train":
            one, other = leak.examples[0]
            msg = (
                f"the split leaks: {len(leak.images)} images of {leak.part} stand in {leak.other} "
                f"too, first: {one} like {other}. What is made from one would give away the "
                "other. Make a split without leaks: sdd-split"
            )
            raise ConfigError(msg)


def synthesize(  # noqa: PLR0913 -- what, by whom, where, how much, and how it is done
    parts: Mapping[str, Dataset],
    maker_for: Callable[[Dataset], Maker],
    output: Path | str,
    amounts: Mapping[str, Amount],
    *,
    classes: tuple[int, ...] | None = None,
    seed: int = 0,
    workers: int = 1,
    overwrite: bool = False,
    progress: bool = False,
) -> Synthesis:
    """Make synthetic images and write them together with real ones.

    Args:
        parts: Real images by part of a split, with labels; ``train`` at least,
            be it empty. Further parts are copied.
        maker_for: Makes the maker of a part from its images.
        output: Folder to write into; nothing in it is deleted but what an earlier
            run wrote, where that is to be replaced.
        amounts: How many images are made for each part; parts that are not
            named stay as they are.
        classes: Numbers of the classes to make, from 1; by default all.
        seed: Decides everything random.
        workers: Processes that share the work.
        overwrite: Replace an earlier result.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Raises:
        ConfigError: If there are fewer real images than a ratio asks for, or
            amounts for parts that do not exist.
        SynthesisError: If an image cannot be made.
        ResultsError: If the folder is not empty or cannot be written.
        SteelDefectError: If a real image cannot be read.
    """
    output = Path(output)
    _check(parts, amounts)
    fresh = not output.exists()
    output_folder.prepare(output, overwrite=overwrite)
    try:
        return _synthesize(parts, maker_for, output, amounts, classes, seed, workers, progress)
    except BaseException:
        if fresh:
            # A refusal leaves nothing behind; what was begun stays for --overwrite.
            with suppress(OSError):
                output.rmdir()
        raise


def _synthesize(  # noqa: PLR0913, PLR0917 -- as above
    parts: Mapping[str, Dataset],
    maker_for: Callable[[Dataset], Maker],
    output: Path,
    amounts: Mapping[str, Amount],
    classes: tuple[int, ...] | None,
    seed: int,
    workers: int,
    progress: bool,
) -> Synthesis:
    chosen = {name: _real(name, part, amounts.get(name), seed) for name, part in parts.items()}
    numbers = classes or tuple(range(1, len(parts["train"].classes) + 1))
    jobs = _jobs(amounts, numbers, seed)
    # Defects are taken from photographs alone, never from what was made of them before.
    makers = {name: maker_for(_photographs(parts[name])) for name in {job.part for job in jobs}}
    way = next((maker.way for maker in makers.values()), "")
    real = [replace(entry, part=name) for name, part in chosen.items() for entry in part.entries]
    dataset = replace(parts["train"], entries=(*real, *_planned(jobs, parts["train"], way)))
    made = range(len(real), len(dataset))
    synthetic = {n for n, entry in enumerate(dataset.entries) if entry.made_from is not None}
    writer = _writer(dataset, output, synthetic)
    for number in progress_bar(range(len(real)), unit="real image", shown=progress):
        writer.add(number, dataset[number])
    earlier = [
        (writer.images[number], writer.masks[number], *entry.recipe)
        for number, entry in enumerate(real)
        if entry.made_from is not None
    ]
    results = work(makers, jobs, workers=workers)
    bar = progress_bar(results, total=len(jobs), unit="made image", shown=progress)
    shown = {entry.name: origins.keys(entry) for part in parts.values() for entry in part.entries}
    made_images = zip(made, jobs, bar, strict=True)
    rows, samples = _write_made(writer, dataset, made_images, shown, way)
    samples.write(output / SAMPLES)
    writer.finish()
    files.write_table(output / origins.SYNTHESIS, origins.SYNTHESIS_COLUMNS, [*earlier, *rows])
    if len(parts) > 1:
        _write_split(output, writer, dataset)
    return _synthesis(output, writer.layout, chosen, jobs, dataset.classes)


def _writer(dataset: Dataset, output: Path, synthetic: Container[int]) -> Writer:
    """Begin, and take away what an earlier run wrote, which may not have finished."""
    listed = output / FILES
    text = listed.read_text(encoding="utf-8", errors="replace") if listed.is_file() else ""
    earlier = [
        line
        for line in text.splitlines()
        if line and ".." not in Path(line).parts and not Path(line).is_absolute()
    ]
    tables = (origins.SYNTHESIS, SPLIT, SAMPLES)
    # Other people's files are found, and refused, before anything is lost.
    writer = Writer(dataset, output, outlined=synthetic, beside=(*tables, FILES, *earlier))
    for path in earlier:
        (output / path).unlink(missing_ok=True)
    files.write_text(listed, "".join(f"{path}\n" for path in (*writer.paths, *tables)))
    return writer


def _write_made(
    writer: Writer,
    dataset: Dataset,
    results: Iterable[tuple[int, Job, Result]],
    shown: Mapping[str, frozenset[str]],
    way: str,
) -> tuple[list[tuple[object, ...]], Samples]:
    """Write the synthetic images; return the rows of their manifest, and a few of them."""
    samples = Samples(dataset.classes)
    rows: list[tuple[object, ...]] = []
    for number, job, result in results:
        entry = dataset.entries[number]
        sample = _sample(entry, result.made, dataset)
        keys = frozenset[str]().union(*(shown[name] for name in result.made.sources))
        writer.add(number, sample, made_from=tuple(sorted(keys)))
        mask = writer.masks[number] if sample.masks is not None else ""
        rows.append((writer.images[number], mask, way, *_recipe(result)))
        samples.add(job.number, sample)
    return rows, samples


def _check(parts: Mapping[str, Dataset], amounts: Mapping[str, Amount]) -> None:
    unknown = sorted(amounts.keys() - parts.keys())
    if unknown:
        msg = f"images are asked for the part {unknown[0]!r}, but the parts are {', '.join(parts)}"
        raise ConfigError(msg)
    marked = [name for part in parts.values() for name in part.names if origins.PARTING in name]
    if marked:
        msg = (
            f"{marked[0]!r} has a {origins.PARTING!r}, which parts names in the manifest: rename it"
        )
        raise ConfigError(msg)


def _real(name: str, part: Dataset, amount: Amount | None, seed: int) -> Dataset:
    """Choose the real images that stand beside the synthetic ones."""
    count = amount.real() if amount else None
    if count is None:
        return part
    photographs = _photographs(part)
    made = [entry for entry in part.entries if entry.made_from is not None]
    labels = photographs.labels()
    for class_name, at_hand in zip(part.classes, labels.sum(axis=0).tolist(), strict=True):
        if at_hand < count:
            msg = (
                f"this ratio and number of synthetic images ask for {count} real ones of "
                f"{class_name!r} in {name}, and there are {at_hand}. Make fewer, or raise the "
                "ratio, or leave it out and keep all real ones"
            )
            raise ConfigError(msg)
    chosen = photographs.subset(reduction.choose(photographs, count, seed) if count else ())
    return replace(chosen, entries=(*chosen.entries, *made))


def _photographs(part: Dataset) -> Dataset:
    """Leave out what is synthetic already."""
    entries = tuple(entry for entry in part.entries if entry.made_from is None)
    return replace(part, entries=entries)


def _jobs(amounts: Mapping[str, Amount], classes: tuple[int, ...], seed: int) -> list[Job]:
    """List what to make, part by part and class by class."""
    jobs = []
    for place, (part, amount) in enumerate(amounts.items()):
        for number in (*classes, 0):
            count = amount.per_class if number else amount.clean
            sequence = np.random.SeedSequence([seed, place, number])
            # 52 bits: whole numbers that JSON and tables of floating numbers hold exactly.
            seeds = sequence.generate_state(count, np.uint64) >> 12
            jobs += [Job(part, number, int(value)) for value in seeds]
    return jobs


def _planned(jobs: list[Job], dataset: Dataset, way: str) -> Iterator[Entry]:
    """Name the images to make; their pixels and masks come later."""
    counts: dict[int, int] = {}
    masked = all(entry.masks is not None for entry in dataset.entries)
    for job in jobs:
        counts[job.number] = counts.get(job.number, 0) + 1
        shown = dataset.classes[job.number - 1] if job.number else CLEAN
        yield Entry(
            name=f"{way}-{shown}-{counts[job.number]:05d}",
            masks=NoDefect(len(dataset.classes)) if masked else None,
            made_from=(),
            part=job.part,
        )


def _sample(entry: Entry, made: Made, dataset: Dataset) -> Sample:
    image, masks, labels = made.image, made.masks, made.labels
    if image.shape[2] == 3 and (image == image[..., :1]).all():
        # One of three equal channels is enough, and a third of the size.
        image = np.ascontiguousarray(image[..., :1])
    if entry.masks is None and masks is not None and not masks.any():
        # Where images have labels alone, one free of defects may have a class of its own.
        labels = np.array([name == dataset.good_class for name in dataset.classes], np.bool_)
        masks = None
    return Sample(name=entry.name, image=image, classes=dataset.classes, masks=masks, labels=labels)


def _recipe(result: Result) -> tuple[str, int, str]:
    """Say from what an image was made, with which seed, and how."""
    parameters = json.dumps(result.made.parameters, sort_keys=True)
    return origins.PARTING.join(result.made.sources), result.seed, parameters


def _write_split(output: Path, writer: Writer, dataset: Dataset) -> None:
    """Write the parts down under the names that a reader gives the images."""
    written = layouts.read(output, writer.layout)
    names = {
        entry.path.relative_to(output).as_posix(): entry.name
        for entry in written.entries
        if entry.path is not None
    }
    pairs = zip(writer.images, dataset.entries, strict=True)
    groups = dict(zip(written.names, leakage.groups(written, "given").tolist(), strict=True))
    parts = {names[path]: entry.part or "" for path, entry in pairs}
    splits.write(output / SPLIT, parts, group_numbers=groups)


def _synthesis(
    output: Path,
    layout: str,
    chosen: Mapping[str, Dataset],
    jobs: list[Job],
    classes: tuple[str, ...],
) -> Synthesis:
    counts: dict[str, dict[str, int]] = {}
    for job in jobs:
        name = classes[job.number - 1] if job.number else CLEAN
        of_part = counts.setdefault(job.part, {})
        of_part[name] = of_part.get(name, 0) + 1
    earlier = {name: origins.count_synthetic(part) for name, part in chosen.items()}
    real = {name: len(part) - earlier[name] for name, part in chosen.items()}
    return Synthesis(output=output, layout=layout, real=real, earlier=earlier, synthetic=counts)
