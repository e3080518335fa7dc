"""From files on disk to results on disk, as ``sdd-predict --no-overlays`` goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from steel_defect_detection.benchmark.reference import ReferenceSystem
from steel_defect_detection.benchmark.times import Chunk
from steel_defect_detection.errors import InferenceError
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.results import ResultsWriter


@dataclass(frozen=True, kw_only=True)
class Race:
    """Chunks that two systems ran in turn.

    Args:
        ours: Chunks of this package, which saw each file once.
        theirs: Chunks of the reference way, which saw the first files of each
            chunk; empty if it was not asked.
    """

    ours: list[Chunk]
    theirs: list[Chunk]


def run_files(predictor: Predictor, paths: Sequence[Path], output: Path) -> Chunk:
    """Judge files and write masks and tables.

    Args:
        predictor: What to judge with.
        paths: Image files.
        output: The results folder.

    Raises:
        InferenceError: If a file cannot be judged.
    """
    chunk = Chunk()
    started = perf_counter()
    with ResultsWriter(output, paths, predictor.classes, overlays=False) as writer:
        for prediction in predictor.stream(paths, keep_image=False):
            if prediction.error:
                raise InferenceError(prediction.error)
            judged = perf_counter()
            writer.add(prediction)
            chunk.note(
                decode=prediction.times.decode_ms,
                gate=prediction.times.gate_ms,
                segment=prediction.times.segment_ms,
                write=(perf_counter() - judged) * 1000,
            )
            chunk.fired += fires(predictor, prediction)
    chunk.seconds = perf_counter() - started
    return chunk


def race(
    predictor: Predictor,
    paths: Sequence[Path],
    output: Path,
    *,
    reference: ReferenceSystem | None,
    reference_count: int,
    defective: Sequence[bool],
) -> Race:
    """Let both systems judge files in turns, so that both meet the same minutes.

    Args:
        predictor: What to judge with.
        paths: Image files.
        output: Folder for the results, one folder below it per chunk.
        reference: The reference way, if it is to run.
        reference_count: Least files that it judges.
        defective: For each file whether the reference way is to outline it.
    """
    chunk_count = max(1, min(len(paths) // 8, reference_count // 4))
    # Even, so that half of them are defective where half of the files are.
    each = -(-reference_count // (2 * chunk_count)) * 2
    ours, theirs = [], []
    for number, indices in enumerate(np.array_split(np.arange(len(paths)), chunk_count)):
        chosen = [paths[index] for index in indices]
        marks = [defective[index] for index in indices]
        home = output / str(number)
        if reference is not None:
            theirs.append(reference.run_files(chosen[:each], marks[:each], home / "reference"))
        ours.append(run_files(predictor, chosen, home / "ours"))
    return Race(ours=ours, theirs=theirs)


def fires(predictor: Predictor, prediction: Prediction) -> bool:
    """Whether the gate let an image through; without a gate, whether it is a defect.

    Args:
        predictor: What judged it.
        prediction: What it said.
    """
    if prediction.gate_probability is None:
        return prediction.verdict == "defect"
    return prediction.gate_probability >= predictor.thresholds.gate
