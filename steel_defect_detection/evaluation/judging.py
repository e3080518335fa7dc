"""Judging images whose truth is known, by a predictor or by masks that anybody made.

An image that cannot be read is left out of all measures and named. Whatever else
goes wrong ends the evaluation, because nobody must gain by failing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images, results
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import (
    AnnotationError,
    ImageError,
    InferenceError,
    MaskError,
    NoImagesError,
    ResultsError,
)
from steel_defect_detection.evaluation.evaluation import Evaluation
from steel_defect_detection.metrics.dice import DiceScores
from steel_defect_detection.metrics.tolerant import TolerantScores
from steel_defect_detection.prediction import Prediction, Verdict
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.sample import Sample


def evaluate(
    predictor: Predictor,
    samples: Sequence[Sample],
    *,
    tolerance: float = 2.0,
    progress: bool = False,
) -> Evaluation:
    """Predict images and set the predictions beside the truth.

    Args:
        predictor: What to judge with.
        samples: Images with masks or labels, of the predictor's classes.
        tolerance: Pixels that an outline may be off in the tolerant measures.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Returns:
        Everything that the measures are computed from.

    Raises:
        NoImagesError: If there are no images.
        ImageError: If none of them can be read.
        AnnotationError: If a sample has other classes, or no labels.
        InferenceError: If the network answers with not-a-number.
    """
    question = _Question(
        predictor.classes,
        predictor.good_class,
        exclusive=predictor.exclusive,
        thresholds=tuple(predictor.thresholds.classes),
    )
    asked = partial(judge, predictor)
    return _collect(question, samples, asked, tolerance=tolerance, progress=progress)


def evaluate_results(
    output: Path | str, dataset: Dataset, *, tolerance: float = 2.0, progress: bool = False
) -> Evaluation:
    """Score a finished results folder, whoever made it, without a model.

    Args:
        output: Folder with ``masks/``, label maps of the images' size; which
            image each belongs to stands in ``images.csv``, or else in the
            file's name without its ending.
        dataset: The images with their masks.
        tolerance: Pixels that an outline may be off in the tolerant measures.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Raises:
        ResultsError: If the folder holds no masks, none for an image, or one
            that cannot be read.
        NoImagesError: If the data set has no images.
        ImageError: If none of them can be read.
        AnnotationError: If a sample has no labels.
        MaskError: If a mask has another size or names an unknown class.
    """
    found = results.masks_by_image(output)
    missing = [name for name in dataset.names if _path_of(name, found) is None]

    def stored(sample: Sample) -> Judged:
        # Not before the first image of them is read: one that nobody can read has no mask either.
        if sample.name in missing:
            raise ResultsError(_no_mask_for(missing, len(dataset)))
        labels = _labels(sample, dataset.classes)
        prediction = _stored(sample, found, dataset.classes)
        return Judged(sample, labels, prediction, np.asarray(prediction.areas > 0))

    question = _Question(dataset.classes, dataset.good_class, exclusive=False, thresholds=())
    return _collect(question, dataset, stored, tolerance=tolerance, progress=progress)


class Judged(NamedTuple):
    """A sample, its labels, what was said of it, and the classes found on it."""

    sample: Sample
    labels: NDArray[np.bool_]
    prediction: Prediction
    answers: NDArray[np.bool_]


def judge(predictor: Predictor, sample: Sample) -> Judged:
    """Predict one image whose labels are known.

    Args:
        predictor: What to judge with.
        sample: The image with masks or labels, of the predictor's classes.

    Raises:
        AnnotationError: If the sample has other classes, or no labels.
        InferenceError: If the network answers with not-a-number.
    """
    labels = _labels(sample, predictor.classes)
    try:
        prediction = predictor.predict(sample.image)
    except InferenceError as error:
        msg = f"{sample.name}: {error}"
        raise InferenceError(msg) from error
    return Judged(sample, labels, prediction, predictor.shown(prediction))


def judge_all(
    samples: Sequence[Sample], judge: Callable[[Sample], Judged], unreadable: dict[str, str]
) -> Iterator[Judged]:
    """Judge what can be read, and take note of what cannot.

    Args:
        samples: What to judge.
        judge: How to judge one.
        unreadable: Gets what is wrong with each image that cannot be read, by
            its name.

    Raises:
        NoImagesError: If there are no images.
        ImageError: If none of them can be read.
    """
    judged = 0
    for number in range(len(samples)):
        try:
            found = judge(samples[number])
        except ImageError as error:
            name = samples.names[number] if isinstance(samples, Dataset) else f"image {number}"
            unreadable[name] = str(error)
            continue
        judged += 1
        yield found
    if judged:
        return
    if unreadable:
        first = next(iter(unreadable.values()))
        msg = f"none of {len(unreadable)} images can be read, first: {first}"
        raise ImageError(msg)
    msg = "there are no images to judge"
    raise NoImagesError(msg)


class _Question(NamedTuple):
    """What is asked of all images."""

    classes: tuple[str, ...]
    good_class: str | None
    exclusive: bool
    thresholds: tuple[float, ...]


def _collect(
    question: _Question,
    samples: Sequence[Sample],
    judge: Callable[[Sample], Judged],
    *,
    tolerance: float,
    progress: bool,
) -> Evaluation:
    """Take down what the measures need, and forget the rest image by image."""
    overlaps, tolerant = DiceScores(len(question.classes)), TolerantScores(tolerance)
    unreadable: dict[str, str] = {}
    rows = []
    found = judge_all(samples, judge, unreadable)
    for judged in progress_bar(found, total=len(samples), unit="image", shown=progress):
        truth, prediction = judged.sample.masks, judged.prediction
        if truth is not None and prediction.label_map is not None:
            overlaps.add(prediction.masks, truth)
            tolerant.add(prediction.label_map > 0, np.asarray(truth.any(axis=0)))
        rows.append(_row(judged))
    names, labels, answers, probabilities, scores, defects, outlined, mapped, groups = zip(
        *rows, strict=True
    )
    return Evaluation(
        classes=question.classes,
        good_class=question.good_class,
        exclusive=question.exclusive,
        thresholds=None if any(mapped) else question.thresholds,
        names=names,
        labels=np.array(labels),
        answers=np.array(answers),
        probabilities=np.array(probabilities),
        scores=np.array(scores),
        defects=np.array(defects),
        outlined=np.array(outlined),
        dice=overlaps,
        tolerant=tolerant,
        unreadable=unreadable,
        groups=groups,
    )


class _Row(NamedTuple):
    """What is kept of one image."""

    name: str
    labels: NDArray[np.bool_]
    answers: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    score: float
    defect: bool
    outlined: bool
    mapped: bool
    group: str | None


def _row(judged: Judged) -> _Row:
    prediction = judged.prediction
    mapped = prediction.label_map is not None
    return _Row(
        name=judged.sample.name,
        labels=judged.labels,
        answers=judged.answers,
        probabilities=_per_class(prediction),
        score=_score(prediction),
        # What a model does not know is held back like a defect.
        defect=prediction.verdict != "clean",
        outlined=mapped and judged.sample.masks is not None,
        mapped=mapped,
        group=judged.sample.group,
    )


def _path_of(name: str, found: Mapping[str, Path]) -> Path | None:
    """Mask of an image by its whole name, its last part, or that without ending."""
    keys = (name, Path(name).name, Path(name).stem)
    return next((found[key] for key in keys if key in found), None)


def _no_mask_for(missing: Sequence[str], count: int) -> str:
    if len(missing) == 1:
        return f"the results hold no mask for {missing[0]}"
    return (
        f"the results hold no mask for {len(missing)} of {count} images, "
        f"first: {', '.join(missing[:3])}"
    )


def _stored(sample: Sample, found: Mapping[str, Path], classes: tuple[str, ...]) -> Prediction:
    """Read what somebody said of an image."""
    path = _path_of(sample.name, found)
    if path is None:
        raise ResultsError(_no_mask_for([sample.name], 1))
    try:
        label_map = images.read_values(path)[..., 0]
    except ImageError as error:
        # Not the image, but what was said of it: leaving it out would be a gain.
        msg = f"the results hold a mask that cannot be read: {error}"
        raise ResultsError(msg) from error
    if label_map.shape != sample.shape:
        msg = f"{path} has the shape {label_map.shape}, its image {sample.shape}"
        raise MaskError(msg)
    verdict: Verdict = "defect" if label_map.any() else "clean"
    return Prediction(source=sample.name, classes=classes, verdict=verdict, label_map=label_map)


def _labels(sample: Sample, classes: tuple[str, ...]) -> NDArray[np.bool_]:
    if sample.classes != classes:
        msg = (
            f"{sample.name} has the classes {', '.join(sample.classes)}, but the model knows "
            f"{', '.join(classes)}"
        )
        raise AnnotationError(msg)
    if sample.labels is None:
        msg = f"{sample.name} is without labels and masks, so nothing can be measured on it"
        raise AnnotationError(msg)
    return sample.labels


def _score(prediction: Prediction) -> float:
    """Probability of any defect: the gate's, or that of the likeliest class."""
    if prediction.gate_probability is not None:
        return prediction.gate_probability
    if prediction.scores is None:
        return float(prediction.verdict == "defect")
    return float(prediction.scores.max())


def _per_class(prediction: Prediction) -> NDArray[np.float64]:
    if prediction.scores is None:
        return np.full(len(prediction.classes), np.nan)
    return prediction.scores.astype(np.float64)
