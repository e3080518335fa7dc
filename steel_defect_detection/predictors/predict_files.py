"""From image files to a results folder: what ``sdd-predict`` does, as one call."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from steel_defect_detection.errors import ImageError
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.results import ResultsWriter
from steel_defect_detection.runtimes.locks import alone

_LOG = logging.getLogger(__name__)
VERDICTS = ("defect", "clean", "unfamiliar", "error")


def predict_files(  # noqa: PLR0913 -- one argument per option of sdd-predict
    predictor: Predictor,
    paths: Sequence[str | Path],
    output: str | Path = "outputs",
    *,
    overlays: bool = True,
    resume: bool = False,
    progress: bool = False,
    record: Mapping[str, Any] | None = None,
) -> dict[str, int]:
    """Judge image files and write masks, overlays and tables.

    What is finished is complete on the disk whenever the run is stopped. What
    went wrong with an image, and how far a run came that was stopped, is said
    to the logger of this module, as information.

    Args:
        predictor: What judges the images.
        paths: Image files, such as ``images.find`` lists.
        output: The results folder.
        overlays: Whether to draw the outlined images.
        resume: Whether to keep what an earlier run finished there.
        progress: Whether to show how far it is, as ``progress_bar`` does.
        record: What ``run.json`` is to hold beside model, settings, times and
            counts.

    Returns:
        How many ``images`` there are, and how many of them have the verdicts
        ``defect``, ``clean``, ``unfamiliar`` and ``error``.

    Raises:
        ImageError: If ``paths`` is a single path.
        ResultsError: If the folder cannot be written, or is to be resumed and
            holds the results of another model or of other settings, or somebody's
            files, or another run is writing there.

    Example:
        >>> from steel_defect_detection import images, load_predictor, predict_files
        >>> predict_files(load_predictor(), images.samples())  # doctest: +SKIP
        {'images': 6, 'defect': 2, 'clean': 4, 'unfamiliar': 0, 'error': 0}
    """
    if isinstance(paths, str | Path):
        msg = f"expected many paths, got one: {str(paths)!r}. List those of a folder by images.find"
        raise ImageError(msg)
    files = [Path(path) for path in paths]
    with alone(Path(output)):
        started = perf_counter()
        writer = ResultsWriter(
            Path(output),
            files,
            predictor.classes,
            overlays=overlays,
            run={**(record or {}), **about(predictor, overlays=overlays)},
            resume=resume,
        )
        strange = _judge(predictor, writer, started, len(files), progress=progress)
    if strange and predictor.on_unfamiliar in {"defect", "clean"}:
        _LOG.info(
            "%d images are unlike those that the model knows, and are called %s: they are those of "
            "a familiarity below %g",
            strange,
            predictor.on_unfamiliar,
            predictor.thresholds.familiarity,
        )
    return {"images": len(files), **{name: writer.counts[name] for name in VERDICTS}}


def _judge(
    predictor: Predictor, writer: ResultsWriter, started: float, count: int, *, progress: bool
) -> int:
    """Judge what is missing in a results folder; gives the number of unfamiliar images."""
    done, strange = count - len(writer.missing), 0
    overlays = writer.run["options"]["overlays"]
    bar = progress_bar(done=done, total=count, unit="image", shown=progress)
    try:
        with bar, writer:
            for prediction in predictor.stream(writer.missing, keep_image=overlays):
                writer.add(prediction)
                strange += predictor.is_unfamiliar(prediction)
                bar.update()
                if prediction.error:
                    bar.clear()
                    _LOG.info("%s", prediction.error)
            writer.run["runtimes"] = predictor.runtimes
            writer.run["seconds"] = round(perf_counter() - started, 3)
    except KeyboardInterrupt:
        _LOG.info(
            "%d of %d images are done, and their results in %s complete",
            writer.counts.total(),
            count,
            writer.output,
        )
        raise
    return strange


def about(predictor: Predictor, *, overlays: bool) -> dict[str, Any]:
    """Say what a results folder is to say about the run that made it.

    Args:
        predictor: What judges the images.
        overlays: Whether outlined images are drawn.
    """
    found: dict[str, Any] = {
        "version": version("steel-defect-detection"),
        "thresholds": predictor.thresholds.model_dump(),
        "options": {"overlays": overlays},
    }
    origin = predictor.origin
    if origin is not None:
        found["model"] = asdict(origin.model)
        found["asked"] = asdict(origin.asked)
        found["options"] |= asdict(origin.options)
    return found
