"""A folder of crops in, clusters out.

::

    crops -> squares in one array -> features -> points -> groups -> clusters and their files
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.clustering import (
    choosing,
    embedding,
    methods,
    model,
    names,
    pictures,
    points,
    report,
    scoring,
)
from steel_defect_detection.clustering.choosing import Tried
from steel_defect_detection.clustering.embedding import Backbone, Embedder
from steel_defect_detection.clustering.methods import Grouping
from steel_defect_detection.clustering.model import ClusterModel
from steel_defect_detection.clustering.names import Named
from steel_defect_detection.clustering.points import Axes
from steel_defect_detection.clustering.renaming import rename
from steel_defect_detection.clustering.report import Clusters
from steel_defect_detection.clustering.settings import Settings
from steel_defect_detection.datasets import arrays, class_folders, output_folder
from steel_defect_detection.datasets.problems import Problem
from steel_defect_detection.errors import ConfigError

_DEFAULT = Settings()

# Below, numbers of a network differ by the rounding of its arithmetic.
_LEAST_SPREAD = 1e-4


def cluster(  # noqa: PLR0913 -- one argument per option of sdd-cluster that is no setting
    crops: Path | str,
    output: Path | str,
    settings: Settings = _DEFAULT,
    *,
    said: Mapping[str, Named] | None = None,
    truth: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> Clusters:
    """Find classes in crops that nobody has labelled.

    Args:
        crops: Folder of pictures, also below it.
        output: Folder to write into; nothing in it is deleted.
        settings: How.
        said: Names by number of the cluster, from ``names.read``. If they do not
            fit, the clusters are there all the same, and can be named again.
        truth: Compare the clusters with the class folders that the crops lie
            in; the clustering does not see them.
        overwrite: Write into a folder that holds something.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Returns:
        The clusters; everything is written. ``facts["unreadable"]`` lists crops
        that cannot be read.

    Raises:
        NoImagesError: If there are no crops.
        ImageError: If none can be read.
        ConfigError: If settings or names do not fit the crops.
        CheckpointError: If there is no such model, or it is damaged.
        DownloadError: If weights cannot be fetched.
        AnnotationError: If ``groups.csv`` is malformed.
        ResultsError: If the folder is not empty or cannot be written.
    """
    crops, output = Path(crops), Path(output)
    _refuse_clustering(crops)
    output_folder.refuse_inside(output, crops)
    paths = pictures.find(crops)
    methods.check(len(paths), settings.method)
    labels = _folders(crops, paths) if truth else {}
    backbone = _backbone(settings)
    embedder = Embedder(backbone, settings.features, device=settings.device)
    output_folder.prepare(output, overwrite=overwrite)
    problems: list[Problem] = []
    array = output / arrays.IMAGES
    kept = pictures.write(paths, array, settings.size, problems, progress=progress)
    files = tuple(pictures.name_of(path, crops) for path in kept)
    # Before the long part: a table that is malformed is refused here.
    report.write_groups(output, crops, files)
    features = embedder.embed_all(pictures.batches(array, progress=progress))
    fitted = fit(features, settings)
    made = _model(fitted, backbone, settings)
    assigned, distances = made.assign(fitted.points)
    found = fitted.grouping.labels
    score = scoring.score([labels[name] for name in files], found) if labels else None
    clusters = Clusters(
        output=output,
        files=files,
        labels=found,
        distances=distances,
        places=points.on_a_plane(fitted.points),
        names=made.names,
        facts={
            "settings": asdict(settings),
            "network": backbone.source,
            "numbers_per_crop": features.shape[1],
            **report.facts_of(fitted.tried, fitted.chosen, score),
            "assigned_alike": float((assigned == found).mean()),
            "unreadable": [{"image": one.image, "error": one.problem} for one in problems],
        },
        left_over=_left_over(output, len(made.centres)),
    )
    model.save(output / model.FILE, made)
    report.write(clusters)
    report.draw_curve(output, fitted.tried, fitted.chosen.clusters)
    # Last, so that a name that does not fit costs no clustering.
    return replace(rename(output, said), left_over=clusters.left_over) if said else clusters


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """Features in groups.

    Args:
        axes: Principal axes, where they were asked for.
        points: float32, shape ``(crops, numbers)``.
        grouping: The groups that were taken.
        chosen: What they are worth.
        tried: The same of all numbers of clusters that were tried.
    """

    axes: Axes | None
    points: NDArray[np.float32]
    grouping: Grouping
    chosen: Tried
    tried: tuple[Tried, ...]


def fit(features: NDArray[np.float32], settings: Settings) -> Fitted:
    """Group features, and choose the number of groups where none is given.

    Args:
        features: float32, shape ``(crops, numbers)``.
        settings: How; the network does not matter here.

    Raises:
        ConfigError: If the settings do not fit the features.
    """
    rows = points.normalised(features)
    spread = float(np.linalg.norm(rows - rows.mean(axis=0), axis=1).max())
    if spread < _LEAST_SPREAD:
        msg = (
            "the network sees no difference between these crops: what it gives for them differs "
            f"by {spread:.1e} at most, of a length of 1. Take another --model, or a --backbone"
        )
        raise ConfigError(msg)
    axes = points.axes(rows, settings.pca) if settings.pca else None
    placed = rows if axes is None else axes.project(rows)
    groupings = methods.group(
        placed,
        settings.method,
        _counts(placed, settings),
        seed=settings.seed,
        least_members=settings.least_members or max(5, len(placed) // 100),
    )
    tried = choosing.judge(placed, groupings, seed=settings.seed)
    place = choosing.best(tried)
    return Fitted(
        axes=axes,
        points=placed,
        grouping=groupings[place],
        chosen=tried[place],
        tried=tuple(tried),
    )


def _counts(placed: NDArray[np.float32], settings: Settings) -> Sequence[int]:
    if settings.method == "hdbscan":
        return ()
    if settings.clusters is not None:
        return (settings.clusters,)
    return choosing.counts(placed, settings.most_clusters)


def _backbone(settings: Settings) -> Backbone:
    if not settings.backbone:
        return embedding.of_model(settings.model, size=settings.size)
    return embedding.of_zoo(
        settings.backbone,
        settings.weights,
        settings.features,
        size=settings.size,
        seed=settings.seed,
    )


def _model(fitted: Fitted, backbone: Backbone, settings: Settings) -> ClusterModel:
    labels, centres = fitted.grouping.labels, fitted.grouping.centres
    reach = [
        np.linalg.norm(fitted.points[labels == number] - centre, axis=1).max()
        for number, centre in enumerate(centres)
    ]
    return ClusterModel(
        backbone=backbone,
        features=settings.features,
        size=settings.size,
        axes=fitted.axes,
        centres=centres,
        reach=np.array(reach, dtype=np.float32),
        names=names.unnamed(len(centres), noise=settings.method == "hdbscan"),
    )


def _folders(crops: Path, paths: Sequence[Path]) -> dict[str, str]:
    """Class folder of each crop, by the crop's name."""
    dataset = class_folders.read(crops)
    rows = zip(dataset.names, dataset.labels().argmax(axis=1), strict=True)
    known = {name: dataset.classes[number] for name, number in rows}
    lost = [name for path in paths if (name := pictures.name_of(path, crops)) not in known]
    if lost:
        msg = (
            f"{len(lost)} crops lie in no class folder, first: {lost[0]}. Move them, or leave "
            "out --truth"
        )
        raise ConfigError(msg)
    return known


def _refuse_clustering(crops: Path) -> None:
    if (crops / arrays.CLUSTERING).is_file():
        msg = (
            f"{crops} is the output of a clustering. Name the folder of the crops, or rename "
            "the clusters with --names"
        )
        raise ConfigError(msg)


def _left_over(output: Path, clusters: int) -> tuple[str, ...]:
    own = {*(str(number) for number in range(clusters)), names.NOISE_NAME}
    sheets = sorted((output / report.SHEETS).glob("*.png"))
    return tuple(f"{report.SHEETS}/{path.name}" for path in sheets if path.stem not in own)
