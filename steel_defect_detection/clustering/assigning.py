"""New crops in clusters that were found before."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import files
from steel_defect_detection.clustering import model, pictures, report
from steel_defect_detection.clustering.embedding import Embedder
from steel_defect_detection.clustering.names import Names
from steel_defect_detection.datasets import output_folder
from steel_defect_detection.datasets.problems import Problem
from steel_defect_detection.errors import ImageError

TABLE = "assigned.csv"
COLUMNS = ("file", "cluster", "class", "severity", "distance")


@dataclass(frozen=True, kw_only=True, eq=False)
class Assigned:
    """Crops in clusters of an earlier clustering.

    Args:
        files: Names of the crops.
        labels: Cluster of each crop, int32; ``NOISE`` for none.
        distances: To the nearest centre, float32.
        names: What the clusters are called.
        problems: Crops that cannot be read.
    """

    files: tuple[str, ...]
    labels: NDArray[np.int32]
    distances: NDArray[np.float32]
    names: Names
    problems: tuple[Problem, ...]

    def counts(self) -> dict[str, int]:
        """Count the crops of each class."""
        classes = [self.names.of(int(label)).name for label in self.labels]
        return {name: classes.count(name) for name in self.names.classes}


def assign(
    crops: Path | str,
    clustering: Path | str,
    output: Path | str,
    *,
    device: str = "auto",
    overwrite: bool = False,
    progress: bool = False,
) -> Assigned:
    """Assign new crops, and write ``assigned.csv``.

    Args:
        crops: Folder of pictures, also below it.
        clustering: Folder of a clustering, or its ``clusters.safetensors``.
        output: Folder to write into; nothing in it is deleted.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        overwrite: Write into a folder that holds something.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Raises:
        NoImagesError: If there are no crops.
        ImageError: If none can be read.
        CheckpointError: If the clustering is missing or damaged.
        ResultsError: If the folder is not empty or cannot be written.
    """
    crops, output = Path(crops), Path(output)
    known = model.load(clustering)
    embedder = Embedder(known.backbone, known.features, device=device)
    paths = pictures.find(crops, skip=[output])
    output_folder.prepare(output, overwrite=overwrite)
    problems: list[Problem] = []
    names: list[str] = []
    found = []
    read = pictures.readable(paths, known.size, problems, progress=progress)
    while batch := list(islice(read, pictures.BATCH)):
        names += [pictures.name_of(path, crops) for path, _ in batch]
        features = embedder.embed(np.stack([crop for _, crop in batch]))
        found.append(known.assign(known.place(features)))
    if not names:
        msg = f"none of {len(paths)} crops can be read, first {problems[0].problem}"
        raise ImageError(msg)
    assigned = Assigned(
        files=tuple(names),
        labels=np.concatenate([labels for labels, _ in found]),
        distances=np.concatenate([distances for _, distances in found]),
        names=known.names,
        problems=tuple(problems),
    )
    _write(output / TABLE, assigned)
    return assigned


def _write(path: Path, assigned: Assigned) -> None:
    rows = []
    for name, label, distance in zip(
        assigned.files, assigned.labels.tolist(), assigned.distances, strict=True
    ):
        named = assigned.names.of(label)
        rows.append((name, report.key(label), named.name, named.severity, f"{distance:.7g}"))
    files.write_table(path, COLUMNS, rows)
