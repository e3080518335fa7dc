"""From image files to a results folder: what ``sdd-predict`` does, as one call."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from steel_defect_detection import images
from steel_defect_detection.errors import ConfigError, ImageError, ResultsError
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.results import ResultsWriter
from steel_defect_detection.runtimes.locks import alone
from steel_defect_detection.wording import amount

_LOG = logging.getLogger(__name__)
# Two frames beside each other, or a half of one, are still what the model knows.
_FAR = 2

# Of a coil whose model is broken all fail, and images.csv has them all.
_MOST_ERRORS = 20

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
        ConfigError: If ``predictor`` is something else, such as a model's name.
        ImageError: If ``paths`` is a single path, or none at all.
        ResultsError: If the folder cannot be written, or is to be resumed and
            holds the results of another model or of other settings, or somebody's
            files, or another run is writing there.

    Example:
        >>> from steel_defect_detection import images, load_predictor, predict_files
        >>> predict_files(load_predictor(), images.samples())  # doctest: +SKIP
        {'images': 6, 'defect': 2, 'clean': 4, 'unfamiliar': 0, 'error': 0}
    """
    _check(predictor, paths)
    files = [Path(path) for path in paths]
    _remark_on_sizes(predictor, files)
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


def _check(predictor: object, paths: object) -> None:
    """Refuse what is easily passed in place of a predictor and of many paths."""
    if not isinstance(predictor, Predictor):
        msg = f"expected a predictor, got {predictor!r}: load_predictor makes one"
        raise ConfigError(msg)
    if isinstance(paths, str | Path):
        msg = f"expected many paths, got one: {str(paths)!r}. List those of a folder by images.find"
        raise ImageError(msg)
    if not isinstance(paths, Iterable):
        msg = f"expected many paths, got {paths!r}"
        raise ImageError(msg)


def _remark_on_sizes(predictor: Predictor, files: Sequence[Path]) -> None:
    """Say where most images are much larger or smaller than those the model learned from."""
    if predictor.image_size is None:
        return
    usual, looked = predictor.image_size, images.sizes(files)
    far = [(path, size) for path, size in looked if _are_far(size, usual)]
    if len(far) * 2 <= len(looked):
        return
    (height, width), (path, (own_height, own_width)) = predictor.image_size, far[0]
    _LOG.info(
        "the model was made for images of about %d x %d pixels, and %d of %d looked at are of "
        "quite another size, such as %s of %d x %d: what it says of them may count for little",
        width,
        height,
        len(far),
        len(looked),
        path,
        own_width,
        own_height,
    )


def _are_far(size: tuple[int, int], usual: tuple[int, int]) -> bool:
    return any(
        max(one, other) > _FAR * min(one, other) for one, other in zip(size, usual, strict=True)
    )


def _judge(
    predictor: Predictor, writer: ResultsWriter, started: float, count: int, *, progress: bool
) -> int:
    """Judge what is missing in a results folder; gives the number of unfamiliar images."""
    done, strange, failed = count - len(writer.missing), 0, 0
    overlays = writer.run["options"]["overlays"]
    bar = progress_bar(done=done, total=count, unit="image", shown=progress)
    try:
        with bar, writer:
            for prediction in predictor.stream(writer.missing, keep_image=overlays):
                writer.add(prediction)
                strange += predictor.is_unfamiliar(prediction)
                bar.update()
                if prediction.error:
                    failed += 1
                if prediction.error and failed <= _MOST_ERRORS:
                    bar.clear()
                    _LOG.info("%s", prediction.error)
            writer.run["runtimes"] = predictor.runtimes
            writer.run["seconds"] = round(perf_counter() - started, 3)
    except (KeyboardInterrupt, ResultsError) as error:
        if writer.counts.total() or isinstance(error, KeyboardInterrupt):
            _LOG.info(
                "%d of %d images are done, and their results in %s complete%s",
                writer.counts.total(),
                count,
                writer.output,
                ": resume goes on" if isinstance(error, ResultsError) else "",
            )
        raise
    finally:
        if failed > _MOST_ERRORS:
            _LOG.info(
                "and %s that could not be judged: images.csv says why",
                amount(failed - _MOST_ERRORS, "more image"),
            )
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
