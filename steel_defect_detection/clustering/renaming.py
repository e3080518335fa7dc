"""Other names for clusters that were found before, without clustering again."""

from collections.abc import Mapping
from pathlib import Path

from steel_defect_detection.clustering import model, names, report
from steel_defect_detection.clustering.names import Named
from steel_defect_detection.clustering.report import Clusters


def rename(output: Path | str, said: Mapping[str, Named]) -> Clusters:
    """Name the clusters of a clustering, and write everything that names them anew.

    Args:
        output: Folder of the clustering.
        said: Names by number of the cluster; the others keep theirs.

    Raises:
        ResultsError: If there is no clustering in the folder.
        CheckpointError: If its model is missing or damaged.
        ConfigError: If there is no such cluster, or one class gets two
            severities.
    """
    output = Path(output)
    before = report.read(output)
    found = model.load(output)
    called = names.given(before.names, said)
    after = Clusters(
        output=output,
        files=before.files,
        labels=before.labels,
        distances=before.distances,
        places=before.places,
        names=called,
        facts=before.facts,
    )
    model.save(output / model.FILE, found.renamed(called))
    report.write(after)
    return after
