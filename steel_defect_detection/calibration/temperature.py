"""Temperature: one number that makes a network as sure as it is right.

All logits are divided by it. It changes no order and no likeliest class, only
how sure the network sounds: above 1 less, below 1 more.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
https://arxiv.org/abs/1706.04599. A network that is right on every image would be
made infinitely sure; so the truth counts as a little less than certain, as in
Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, logit, logsumexp

COLDEST = 0.05
HOTTEST = 20.0


def fit(logits: NDArray[np.floating], shown: NDArray[np.bool_], *, exclusive: bool) -> float:
    """Find the temperature at which the truth is most likely.

    Args:
        logits: Shape ``(copies, images, outputs)``; the probabilities of mirrored
            copies are averaged.
        shown: Whether each output should be 1, bool, shape ``(images,
            outputs)``.
        exclusive: Whether exactly one output is 1, by a softmax; else each is
            judged by itself, by a sigmoid.

    Returns:
        ``COLDEST`` to ``HOTTEST``; 1 leaves everything as it is.
    """
    values = np.asarray(logits, dtype=np.float64)
    truth = softened(shown, exclusive=exclusive)

    def loss(log_temperature: float) -> float:
        cooled = values / np.exp(log_temperature)
        if exclusive:
            return -float((truth * _log_mean(log_softmax(cooled, axis=2))).sum())
        yes, no = _log_mean(log_expit(cooled)), _log_mean(log_expit(-cooled))
        return -float((truth * yes + (1 - truth) * no).sum())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def softened(shown: NDArray[np.bool_], *, exclusive: bool) -> NDArray[np.float64]:
    """Truth as a little less than certain: as after one more image of each kind.

    Args:
        shown: Whether each output should be 1, bool, shape ``(images, outputs)``.
        exclusive: Whether exactly one is.

    Returns:
        Same shape, 0 to 1.
    """
    images, outputs = shown.shape
    if exclusive:
        # What is missing to certainty is shared by all other classes.
        rest = 1 / (images + 2)
        return np.asarray(np.where(shown, 1 - rest, rest / max(outputs - 1, 1)))
    yes = shown.sum(axis=0)
    return np.asarray(np.where(shown, (yes + 1) / (yes + 2), 1 / (images - yes + 2)))


def moved(threshold: float, temperature: float) -> float:
    """Threshold that decides after cooling as another one did before.

    Args:
        threshold: The threshold before, 0 to 1.
        temperature: What logits are divided by from now on.
    """
    return float(expit(logit(threshold) / temperature))


def _log_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the mean over copies, of logarithms."""
    return np.asarray(logsumexp(values, axis=0) - np.log(len(values)))
