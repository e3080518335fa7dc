"""Write a data set in a layout that ``layouts.read`` recognises.

Three layouts are enough for all:

* the four classes of Severstal with masks: ``train_images/`` and ``train.csv``;
* other classes with masks: ``images/``, label maps in ``masks/``, ``classes.txt``;
* labels only: ``images/`` and ``labels.csv``.

Beside them lies ``sources.csv``, which says what came from where.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from steel_defect_detection import files, images, masks, rle
from steel_defect_detection.datasets import (
    class_names,
    label_files,
    origins,
    output_folder,
    severstal,
)
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.sample import Sample

_RUNS = "train.csv"


def write(dataset: Dataset, output: Path) -> str:
    """Write a data set; image files are copied byte for byte.

    Args:
        dataset: Images with labels, and with masks for all or for none. Its
            names become safe file names.
        output: Folder to write into. Other files in it are refused, since a
            mix of two data sets is neither; nothing is deleted.

    Returns:
        Name of the layout.

    Raises:
        AnnotationError: If images have no labels, or there are neither masks
            nor two classes.
        MaskError: If classes overlap where only a label map can hold them.
        ResultsError: If other files lie there, or it cannot be written.
        SteelDefectError: If an image cannot be read.
    """
    writer = Writer(dataset, output)
    for number in range(len(dataset)):
        writer.add(number, dataset[number])
    writer.finish()
    return writer.layout


class Writer:
    """Writes a data set whose samples come one after the other, in any order.

    Args:
        dataset: Table of contents: names, and which images have masks. Files
            are copied, the pixels of all others come with their sample.
        output: Folder to write into. Other files in it are refused, since a
            mix of two data sets is neither; nothing is deleted.
        outlined: Numbers of images whose masks are written as pictures, too,
            where the layout keeps masks in another way or not at all.
        beside: Further files that may lie there or will, relative to the folder.

    Raises:
        AnnotationError: If no layout can hold such a data set.
        ResultsError: If other files lie there.
    """

    def __init__(
        self,
        dataset: Dataset,
        output: Path,
        *,
        outlined: Container[int] = (),
        beside: Iterable[str] = (),
    ) -> None:
        """Choose the layout and the names."""
        self._dataset, self._output = dataset, output
        self._plan = _plan(dataset, outlined)
        expected = [output / path for path in (*self._plan.paths, *beside)]
        output_folder.refuse_strangers(output, expected)
        self._runs: dict[int, list[tuple[str, int, str]]] = {}
        self._labels: dict[int, list[int]] = {}
        self._made_from: dict[int, tuple[str, ...]] = {}

    @property
    def layout(self) -> str:
        """Name of the layout."""
        return self._plan.layout

    @property
    def images(self) -> tuple[str, ...]:
        """Paths of the images below the folder, with ``/``."""
        return self._plan.images

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of all files below the folder, with ``/``."""
        return self._plan.paths

    @property
    def masks(self) -> tuple[str, ...]:
        """Paths of the masks below the folder; empty text where there is no picture of them."""
        return self._plan.masks

    def add(self, number: int, sample: Sample, *, made_from: tuple[str, ...] = ()) -> None:
        """Write an image and its mask.

        Args:
            number: Its place in the data set.
            sample: What to write.
            made_from: Of a synthetic image, groups or names of what it shows.

        Raises:
            AnnotationError: If it has no labels.
            MaskError: If classes overlap where only a label map can hold them.
            ResultsError: If it cannot be written.
        """
        if sample.labels is None:
            msg = f"{sample.name} has no labels"
            raise AnnotationError(msg)
        entry, plan = self._dataset.entries[number], self._plan
        _write_image(entry, sample, self._output / plan.images[number])
        if plan.masks[number] and sample.masks is not None:
            images.write(self._output / plan.masks[number], masks.to_label_map(sample.masks))
        self._made_from[number] = made_from
        self._runs[number] = list(_runs(Path(plan.images[number]).name, sample))
        self._labels[number] = sample.labels.astype(int).tolist()

    def finish(self) -> None:
        """Write the tables: without them an unfinished folder is no data set.

        Raises:
            ResultsError: If they cannot be written.
        """
        dataset, plan, output = self._dataset, self._plan, self._output
        numbers = range(len(dataset))
        if plan.layout == "severstal":
            runs = (row for number in numbers for row in self._runs[number])
            files.write_table(output / _RUNS, severstal.NEW_COLUMNS, runs)
        elif plan.layout == "mask-folders":
            _write_classes(dataset.classes, output / class_names.FILE)
        else:
            labels = [self._labels[number] for number in numbers]
            _write_labels(dataset, plan, labels, output / label_files.TABLE)
        files.write_table(output / origins.SOURCES, origins.SOURCES_COLUMNS, self._manifest())

    def _manifest(self) -> Iterator[tuple[str, ...]]:
        for number, (image, entry) in enumerate(
            zip(self._plan.images, self._dataset.entries, strict=True)
        ):
            made_from = self._made_from[number] or entry.made_from or ()
            group = entry.group or origins.PARTING.join(made_from)
            yield image, entry.name, str(entry.path or ""), group, entry.part or ""


def check(sample: Sample) -> None:
    """Raise if a sample cannot be written in any layout.

    Raises:
        MaskError: If classes overlap and are not those of Severstal.
    """
    if sample.masks is not None and sample.classes != severstal.CLASSES:
        masks.to_label_map(sample.masks)


class _Plan(NamedTuple):
    """The layout, and all files below the output folder."""

    layout: str
    images: tuple[str, ...]
    masks: tuple[str, ...]
    table: str

    @property
    def paths(self) -> tuple[str, ...]:
        return (*self.images, *filter(None, self.masks), self.table, origins.SOURCES)


def _plan(dataset: Dataset, outlined: Container[int]) -> _Plan:
    masked = all(entry.masks is not None for entry in dataset.entries)
    taken: set[str] = set()
    names = [_file_name(entry, taken) for entry in dataset.entries]
    truth = tuple(f"masks/{Path(name).stem}.png" for name in names)
    some = tuple(path if number in outlined else "" for number, path in enumerate(truth))
    if masked and dataset.classes == severstal.CLASSES:
        return _Plan("severstal", tuple(f"train_images/{name}" for name in names), some, _RUNS)
    paths = tuple(f"images/{name}" for name in names)
    if masked:
        return _Plan("mask-folders", paths, truth, class_names.FILE)
    if len(dataset.classes) < 2:
        msg = (
            f"there are labels of the one class {dataset.classes[0]!r}, and no masks for all "
            "images; no layout holds such a data set"
        )
        raise AnnotationError(msg)
    return _Plan("label-files", paths, some, label_files.TABLE)


def _file_name(entry: Entry, taken: set[str]) -> str:
    """Name an image; a file keeps its ending, anything else becomes PNG."""
    stem, dot, ending = entry.name.rpartition(".")
    if f"{dot}{ending}".lower() not in images.EXTENSIONS:
        stem = entry.name
    file = _file(entry)
    return output_folder.unique_name(stem, taken) + (file.suffix.lower() if file else ".png")


def _file(entry: Entry) -> Path | None:
    """Give the image file that can be copied as it is."""
    if entry.pixels is not None or entry.path is None:
        return None
    return entry.path if entry.path.suffix.lower() in images.EXTENSIONS else None


def _write_image(entry: Entry, sample: Sample, path: Path) -> None:
    file = _file(entry)
    if file is None:
        images.write(path, sample.image)
    else:
        files.write_bytes(path, file.read_bytes())


def _runs(name: str, sample: Sample) -> Iterator[tuple[str, int, str]]:
    if sample.masks is not None and sample.classes == severstal.CLASSES:
        for number, mask in enumerate(sample.masks, start=1):
            if mask.any():
                yield name, number, rle.encode(mask)


def _write_classes(classes: tuple[str, ...], path: Path) -> None:
    text = "".join(f"{' '.join(name.split())}\n" for name in classes)
    files.write_bytes(path, text.encode("utf-8", "backslashreplace"))


def _write_labels(
    dataset: Dataset, plan: _Plan, labels: Iterable[Sequence[int]], path: Path
) -> None:
    first = "image"
    while first in dataset.classes:
        first += "_"
    names = [Path(image).name for image in plan.images]
    rows = [(name, *row) for name, row in zip(names, labels, strict=True)]
    files.write_table(path, (first, *dataset.classes), rows)
