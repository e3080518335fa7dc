"""The files of a clustering, to train with, to read and to look at.

::

    OUTPUT/
    ├── images.npy              uint8 (crops, size, size, 3), red, green, blue
    ├── labels.npy              int32 (crops,): number of the class
    ├── classes.txt             names of the classes, one per line; noise is the last
    ├── groups.csv              row,group: crops of one image, where CROPS says so
    ├── clusters.csv            row,file,cluster,class,severity,distance,x,y
    ├── clusters.json           everything in numbers
    ├── clusters.safetensors    what assigns new crops
    ├── silhouette.png          silhouettes over the number of clusters
    ├── map.png                 the crops on a plane, by class
    └── sheets/<cluster>.png    crops of each cluster, from its middle to its border
"""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import figures, files
from steel_defect_detection.clustering.choosing import Tried
from steel_defect_detection.clustering.methods import NOISE
from steel_defect_detection.clustering.names import NOISE_NAME, Named, Names
from steel_defect_detection.clustering.scoring import Score
from steel_defect_detection.datasets import arrays, class_names, tables
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.figures import Plot

TABLE = "clusters.csv"
COLUMNS = ("row", "file", "cluster", "class", "severity", "distance", "x", "y")
SHEETS = "sheets"
ON_A_SHEET = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters:
    """Crops in clusters.

    Args:
        output: The folder with everything that was written.
        files: Names of the crops.
        labels: Cluster of each crop, int32, shape ``(crops,)``; ``NOISE`` for
            none.
        distances: Of each crop to the nearest centre, float32, shape ``(crops,)``.
        places: Of the crops on a plane, float32, shape ``(crops, 2)``.
        names: What the clusters are called.
        facts: How they were found and what they are worth, as JSON holds it.
        left_over: Sheets of an earlier run that lie beside those of this one.
    """

    output: Path
    files: tuple[str, ...]
    labels: NDArray[np.int32]
    distances: NDArray[np.float32]
    places: NDArray[np.float32]
    names: Names
    facts: dict[str, Any]
    left_over: tuple[str, ...] = ()

    def report(self) -> dict[str, Any]:
        """Everything as JSON holds it, crops aside."""
        return {
            "note": arrays.CLUSTERING_NOTE,
            "crops": len(self.files),
            "classes": list(self.names.classes),
            "clusters": [self._line(number) for number in self.numbers()],
            **self.facts,
        }

    def numbers(self) -> list[int]:
        """Numbers of the clusters; where there may be noise, ``NOISE`` is the last."""
        clusters = list(range(len(self.names.clusters)))
        return [*clusters, NOISE] if self.names.noise is not None else clusters

    def _line(self, number: int) -> dict[str, Any]:
        named = self.names.of(number)
        return {
            "cluster": key(number),
            "class": named.name,
            "severity": named.severity,
            "crops": int((self.labels == number).sum()),
            "sheet": f"{SHEETS}/{key(number)}.png",
        }


def key(number: int) -> str:
    """What a cluster is called in maps of names, tables and files."""
    return NOISE_NAME if number == NOISE else str(number)


def facts_of(tried: Sequence[Tried], chosen: Tried, score: Score | None) -> dict[str, Any]:
    """What clusters are worth, as JSON holds it.

    Args:
        tried: What each number of clusters is worth, where several were tried.
        chosen: What the clusters that were taken are worth.
        score: How far they agree with labels, where there are any.
    """
    return {
        "silhouette": chosen.silhouette,
        "calinski_harabasz": chosen.calinski_harabasz,
        "tried": [one._asdict() for one in tried],
        "score": None if score is None else _scored(score),
    }


def write(clusters: Clusters) -> None:
    """Write everything that depends on names: labels, tables and pictures.

    Args:
        clusters: The crops in clusters; ``images.npy`` is in their folder.

    Raises:
        ResultsError: If something cannot be written there.
    """
    output, names = clusters.output, clusters.names
    numbers = np.array([names.class_number(label) for label in clusters.labels], dtype=np.int32)
    array = io.BytesIO()
    np.save(array, numbers)
    files.write_text(output / class_names.FILE, "".join(f"{name}\n" for name in names.classes))
    files.write_bytes(output / arrays.LABELS, array.getvalue())
    files.write_table(output / TABLE, COLUMNS, list(_rows(clusters)))
    text = json.dumps(clusters.report(), indent=2, allow_nan=False)
    files.write_text(output / arrays.CLUSTERING, f"{text}\n")
    _draw(clusters)


def read(output: Path) -> Clusters:
    """Read a clustering back.

    Args:
        output: Its folder.

    Raises:
        ResultsError: If there is none, or its files do not fit each other.
    """
    try:
        report = json.loads((output / arrays.CLUSTERING).read_text(encoding="utf-8"))
        lines = [line.cells for line in tables.read(output / TABLE, COLUMNS)]
        names = _names(report.pop("clusters"))
        count = report.pop("crops")
        labels = [
            NOISE if line["cluster"] == NOISE_NAME else int(line["cluster"]) for line in lines
        ]
        numbers = [[float(line[name]) for name in ("distance", "x", "y")] for line in lines]
        files_found = tuple(line["file"] for line in lines)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{output} holds no clustering that can be read back: {error}. Cluster again"
        raise ResultsError(msg) from error
    if not lines or len(lines) != count or max(labels) >= len(names.clusters):
        msg = f"{output / TABLE} does not belong to {arrays.CLUSTERING}. Cluster again"
        raise ResultsError(msg)
    table = np.array(numbers, dtype=np.float32)
    return Clusters(
        output=output,
        files=files_found,
        labels=np.array(labels, dtype=np.int32),
        distances=table[:, 0],
        places=table[:, 1:],
        names=names,
        facts={word: value for word, value in report.items() if word not in {"note", "classes"}},
    )


def write_groups(output: Path, crops: Path, names: Sequence[str]) -> None:
    """Say which crops must not be parted, if the folder of the crops says so.

    Args:
        output: Where ``groups.csv`` (``row,group``) is written.
        crops: Folder of the crops, which may have a ``groups.csv``
            (``class,file,group``) such as ``sdd-crop`` writes.
        names: Names of the crops, in order.

    Raises:
        AnnotationError: If the one that is there is malformed.
    """
    known = tables.groups(crops / arrays.GROUPS, "class", "file")
    rows = [(row, known[name]) for row, name in enumerate(names) if name in known]
    if rows or (output / arrays.GROUPS).is_file():
        files.write_table(output / arrays.GROUPS, ("row", "group"), rows)


def draw_curve(output: Path, tried: Sequence[Tried], chosen: int) -> None:
    """Draw ``silhouette.png``.

    Args:
        output: Folder for it.
        tried: What each number of clusters is worth.
        chosen: The number that was taken.
    """
    across = np.array([one.clusters for one in tried], dtype=np.float64)
    panels = [
        Plot(title, "clusters", {"all that were tried": (across, values), "taken": taken})
        for title, values in (
            (f"mean silhouette; {chosen} clusters were taken", _column(tried, "silhouette")),
            ("Calinski-Harabasz score", _column(tried, "calinski_harabasz")),
        )
        for taken in [(across[across == chosen], values[across == chosen])]
    ]
    figures.write(output / "silhouette.png", figures.plots(panels))


def _scored(score: Score) -> dict[str, Any]:
    found = asdict(score)
    lines = [{**line, "cluster": key(line["cluster"])} for line in found["clusters"]]
    return {**found, "clusters": lines}


def _column(tried: Sequence[Tried], name: str) -> NDArray[np.float64]:
    values = [getattr(one, name) for one in tried]
    return np.array([np.nan if value is None else value for value in values])


def _rows(clusters: Clusters) -> Iterator[tuple[object, ...]]:
    for row, name in enumerate(clusters.files):
        label = int(clusters.labels[row])
        named = clusters.names.of(label)
        numbers = (clusters.distances[row], *clusters.places[row])
        shown = (f"{number:.7g}" for number in numbers)
        yield row, name, key(label), named.name, named.severity, *shown


def _names(lines: list[dict[str, str]]) -> Names:
    known = {
        line["cluster"]: Named(name=line["class"], severity=line["severity"]) for line in lines
    }
    noise = known.pop(NOISE_NAME, None)
    ordered = (known[str(number)] for number in range(len(known)))
    return Names(clusters=tuple(ordered), noise=noise)


def _draw(clusters: Clusters) -> None:
    shown = {
        f"{key(number)}: {clusters.names.of(number).name}": clusters.places[present]
        for number in clusters.numbers()
        if (present := clusters.labels == number).any()
    }
    title = "crops by cluster, on the first two principal axes of what the network sees"
    figures.write(clusters.output / "map.png", figures.points(title, shown))
    pictures = np.load(clusters.output / arrays.IMAGES, mmap_mode="r")
    for number in clusters.numbers():
        if (clusters.labels == number).any():
            _draw_sheet(clusters, number, pictures)


def _draw_sheet(clusters: Clusters, number: int, pictures: NDArray[np.uint8]) -> None:
    """Draw crops at even steps from the nearest to the farthest.

    The nearest alone would look alike whatever else the cluster holds. Each
    stands under its rank and its row in ``clusters.csv``, which names its file.
    """
    members = np.flatnonzero(clusters.labels == number)
    ordered = members[np.argsort(clusters.distances[members], kind="stable")]
    count = min(ON_A_SHEET, len(ordered))
    steps = np.linspace(0, len(ordered) - 1, count).round().astype(int)
    named = clusters.names.of(number)
    severity = f", {named.severity}" if named.severity else ""
    shown = {
        f"{place + 1}. row {row}": np.array(pictures[row])
        for place, row in zip(steps, ordered[steps], strict=True)
    }
    title = (
        f"cluster {key(number)} ({named.name}{severity}): {count} of its {len(ordered)} crops, "
        "from nearest to its centre to farthest"
    )
    path = clusters.output / SHEETS / f"{key(number)}.png"
    figures.write(path, figures.sheet(shown, columns=6, title=title))
