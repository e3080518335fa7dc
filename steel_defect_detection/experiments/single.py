"""One run of one variant: images, training, measures, record."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from steel_defect_detection.datasets import origins, splits
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import SteelDefectError
from steel_defect_detection.evaluation import evaluate
from steel_defect_detection.experiments import folder, measures, parts, records, synthetic
from steel_defect_detection.experiments.grid import Variant, stages
from steel_defect_detection.experiments.parts import RunParts
from steel_defect_detection.experiments.records import Record
from steel_defect_detection.explain import Explainer, explain_files
from steel_defect_detection.explain.explanation import Method
from steel_defect_detection.explain.subject import read as read_subject
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.training import folder as run_folder
from steel_defect_detection.training.repeats import with_seed
from steel_defect_detection.training.run import train

_LOG = logging.getLogger(__name__)

EVALUATION = "evaluation"
EXPLANATIONS = "explanations"
_MOST_EXPLAINED = 8


def train_and_measure(
    variant: Variant, run: int, images: RunParts, home: Path, *, explain: Method | None = None
) -> Record:
    """Train a variant once and measure what comes of it.

    A training that was interrupted goes on.

    Args:
        variant: What to train.
        run: Number of the run, from 1.
        images: Its images.
        home: Folder of the study.
        explain: Method by which to explain a few verdicts, if any.

    Raises:
        SteelDefectError: If images cannot be read or made, or the training or
            its measurement fails.
        KeyboardInterrupt: After Ctrl-C.
    """
    place = records.place(home, variant, run)
    config = with_seed(variant.config, run - 1)
    seed = stages(config)[0].seed
    chosen = synthetic.training_images(images.train, variant.images, seed, home / folder.SYNTHETIC)
    went_on = any(path.exists() for path in _states(place))
    began = perf_counter()
    dataset = parts.joined(chosen, images.validation)
    model = train(config, dataset, place, split=splits.PUBLISHED)
    seconds = None if went_on else perf_counter() - began
    device = stages(config)[0].device
    predictor = load_predictor(model, device=device, runtime="pytorch")
    evaluation = evaluate(predictor, images.measured)
    evaluation.write(place / EVALUATION)
    if explain is not None and run == 1:
        with _remarked(variant):
            _explain(model, images.measured, explain, device, place / EXPLANATIONS)
    made = origins.count_synthetic(chosen)
    record = Record(
        variant=variant.name,
        run=run,
        seed=seed,
        training_images=len(chosen) - made,
        synthetic_images=made,
        epoch=_kept_epoch(place),
        seconds=seconds,
        measures=measures.flat(evaluation.summary()),
    )
    records.write(place, record)
    for path in _states(place):
        # They serve only to go on, and are several times as large as the model.
        path.unlink(missing_ok=True)
    return record


def _states(place: Path) -> tuple[Path, ...]:
    """Where training keeps what it goes on from, also that of the two of a cascade."""
    return tuple(place / part / run_folder.LAST for part in ("", "gate", "segmenter"))


def _kept_epoch(place: Path) -> int | None:
    found = json.loads((place / run_folder.METRICS).read_text(encoding="utf-8"))
    return int(found["epoch"]) if "epoch" in found else None


@contextmanager
def _remarked(variant: Variant) -> Iterator[None]:
    """Go on without explanations where there can be none: the measures do not need them."""
    try:
        yield
    except SteelDefectError as error:
        _LOG.info("%s: no explanations: %s", variant.name, error)


def _explain(model: Path, dataset: Dataset, method: Method, device: str, output: Path) -> None:
    """Explain a few images: those that lie in files, spread over all."""
    paths = [entry.path for entry in dataset.entries if entry.path is not None]
    step = max(1, len(paths) // _MOST_EXPLAINED)
    explainer = Explainer(read_subject(str(model)), method=method, device=device)
    chosen = paths[::step][:_MOST_EXPLAINED]
    rows = explain_files.explain_files(explainer, chosen, output, overwrite=True)
    explain_files.write_record(output, explainer, rows, record={"command": "sdd-experiment"})
