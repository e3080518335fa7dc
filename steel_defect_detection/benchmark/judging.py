"""Whether the quick way misses defects that the careful way finds.

The careful way is PyTorch in float32. What counts is the gate: an image that it
passes is never outlined.
"""

from pathlib import Path
from typing import Any

from steel_defect_detection.benchmark.end_to_end import fires
from steel_defect_detection.datasets import layouts
from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.progress import progress_bar


def compare(careful: Predictor, quick: Predictor, folder: Path) -> dict[str, Any]:
    """Judge labelled images in both ways.

    Args:
        careful: What is taken as the yardstick.
        quick: What is measured.
        folder: A data set whose layout is recognised.

    Raises:
        DatasetNotFoundError: If the folder holds no data set.
        AnnotationError: If an image has no label, or none shows a defect.
    """
    dataset = layouts.read(folder).labelled()
    truth = dataset.defective()
    if not truth.any():
        msg = f"no image in {str(folder)!r} shows a defect, so none can be missed"
        raise AnnotationError(msg)
    said = {"careful": [], "quick": []}  # type: dict[str, list[bool]]
    for entry in progress_bar(dataset.entries, unit="image", what=folder.name):
        image = entry.read_image()
        said["careful"].append(fires(careful, careful.predict(image)))
        said["quick"].append(fires(quick, quick.predict(image)))
    both = zip(dataset.names, truth, *said.values(), strict=True)
    missed = [name for name, bad, first, second in both if bad and first and not second]
    found = {
        way: sum(one for one, bad in zip(flags, truth, strict=True) if bad)
        for way, flags in said.items()
    }
    alarms = {way: sum(flags) - found[way] for way, flags in said.items()}
    defective = int(truth.sum())
    return {
        "folder": str(folder),
        "images": len(truth),
        "defective": defective,
        "newly_missed": missed,
        "recall": {way: number / defective for way, number in found.items()},
        "recall_change_points": 100 * (found["quick"] - found["careful"]) / defective,
        "false_alarms": alarms,
        "careful": careful.runtimes,
        "quick": quick.runtimes,
    }
