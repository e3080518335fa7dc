"""Cut a data set down to a few images of each class, as a data set of its own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from steel_defect_detection.datasets import output_folder, writing
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.datasets.problems import Problem, readable
from steel_defect_detection.errors import AnnotationError, ConfigError, SteelDefectError
from steel_defect_detection.progress import progress_bar


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """What was taken from a data set.

    Args:
        names: Names that the images had in it, in its order.
        layout: Name of the layout that was written.
        class_images: Images taken of each class.
        clean: Images taken that are free of defects.
        short: Classes of which there were fewer than asked for.
        few_clean: Whether there were fewer free of defects than asked for.
        problems: Images that would have been taken, but cannot be read or do
            not fit their annotations.
    """

    names: tuple[str, ...]
    layout: str
    class_images: dict[str, int]
    clean: int
    short: tuple[str, ...]
    few_clean: bool
    problems: tuple[Problem, ...]


def reduce(
    dataset: Dataset,
    output: Path | str,
    *,
    per_class: int,
    seed: int = 0,
    overwrite: bool = False,
    progress: bool = False,
) -> Reduction:
    """Write a smaller data set.

    Args:
        dataset: What to choose from. Images without labels and masks are left
            out.
        output: Folder to write into; nothing in it is deleted.
        per_class: How many images of each class to take, and how many that are
            free of defects; all where there are fewer. An image of several
            classes counts for each of them, so a class that often comes with
            rarer ones may get more.
        seed: Decides which. Images of groups that are not yet in come first.
        overwrite: Replace an earlier result; refused where other files lie.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Raises:
        ConfigError: If the number is not positive.
        AnnotationError: If no image has labels, or the layout cannot hold them.
        ResultsError: If the folder is not empty or cannot be written.
    """
    output = Path(output)
    if per_class < 1:
        msg = f"images per class must be positive, got {per_class}"
        raise ConfigError(msg)
    output_folder.prepare(output, overwrite=overwrite)
    problems: list[Problem] = []
    known = _known(dataset, problems, progress=progress)
    smaller = known.subset(choose(known, per_class, seed, problems))
    if not len(smaller):
        msg = f"none of {len(dataset)} images can be read, first: {problems[0].problem}"
        raise AnnotationError(msg)
    layout = writing.write(smaller, output)
    return _reduction(smaller, layout, per_class, problems)


def _known(dataset: Dataset, problems: list[Problem], *, progress: bool) -> Dataset:
    """Leave out what has no image, no labels, or masks that cannot be read."""
    names = progress_bar(dataset.names, unit="image", what="labels", shown=progress)
    labelled = readable(names, lambda n: dataset.entries[n].labelled(), problems)
    found = [entry for _, entry in labelled if entry.labels is not None and entry.has_image]
    if not found:
        msg = (
            f"none of {len(dataset)} images can be chosen: each needs an image file, and labels "
            "or masks that can be read"
        )
        raise AnnotationError(msg)
    return replace(dataset, entries=tuple(found))


def choose(
    dataset: Dataset, per_class: int, seed: int, problems: list[Problem] | None = None
) -> list[int]:
    """Choose images, for the rarest class first, because its images count for others too.

    Args:
        dataset: What to choose from, with labels.
        per_class: How many images of each class, and how many free of defects.
        seed: Decides which. Images of groups that are not yet in come first.
        problems: Gets the images that cannot be read; they are not chosen.

    Returns:
        Their numbers, in order; fewer where there are too few.
    """
    problems = [] if problems is None else problems
    kinds = np.column_stack([dataset.labels(), ~dataset.defective()])
    order = np.random.default_rng(seed).permutation(len(dataset)).tolist()
    chosen: set[int] = set()
    refused: set[int] = set()
    for kind in np.argsort(kinds.sum(axis=0), kind="stable").tolist():
        left = per_class - sum(bool(kinds[number, kind]) for number in chosen)
        of_kind = [number for number in order if kinds[number, kind]]
        for number in _fresh_first(dataset, of_kind, chosen):
            if left <= 0:
                break
            if number in refused:
                continue
            if _is_usable(dataset, number, problems):
                chosen.add(number)
                left -= 1
            else:
                refused.add(number)
    return sorted(chosen)


def _fresh_first(dataset: Dataset, order: list[int], chosen: set[int]) -> Iterator[int]:
    """Give the images not chosen, those of groups that are in already last."""
    taken = {dataset.entries[number].group for number in chosen} - {None}
    later = []
    for number in order:
        group = dataset.entries[number].group
        if number in chosen:
            continue
        if group in taken:
            later.append(number)
            continue
        if group is not None:
            taken.add(group)
        yield number
    yield from later


def _is_usable(dataset: Dataset, number: int, problems: list[Problem]) -> bool:
    try:
        writing.check(dataset[number])
    except SteelDefectError as error:
        problems.append(Problem(dataset.entries[number].name, str(error)))
        return False
    return True


def _reduction(dataset: Dataset, layout: str, per_class: int, problems: list[Problem]) -> Reduction:
    counts = dict(zip(dataset.classes, dataset.labels().sum(axis=0).tolist(), strict=True))
    clean = int((~dataset.defective()).sum())
    return Reduction(
        names=dataset.names,
        layout=layout,
        class_images=counts,
        clean=clean,
        short=tuple(name for name, count in counts.items() if count < per_class),
        few_clean=clean < per_class,
        problems=tuple(problems),
    )
