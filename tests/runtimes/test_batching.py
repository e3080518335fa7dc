"""Batches of what several threads ask for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from steel_defect_detection.errors import InferenceError
from steel_defect_detection.runtimes.batching import BatchingRuntime
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime
from tests.runtimes.contract import RuntimeContract


def batched_pytorch(*arguments, **settings):
    return BatchingRuntime(PyTorchRuntime(*arguments, device="cpu", **settings))


class TestBatching(RuntimeContract):
    make = partial(batched_pytorch)


class Sums:
    """Answers the sum of each image, when it is let, and remembers what it was asked."""

    name, parallel, grey = "sums cpu float32", 1, True

    def __init__(self):
        self.batches = []
        self.started = threading.Event()
        self.go_on = threading.Event()

    def run(self, images, **features):
        self.started.set()
        assert self.go_on.wait(30)
        self.batches.append(images.shape)
        if (images == 13).any():
            raise InferenceError("thirteen")
        sums = images.reshape(len(images), -1).sum(axis=1).astype(np.float32)
        return {"probabilities": sums + sum(values.sum(axis=1) for values in features.values())}


def picture(value, shape=(1, 2, 2, 1)):
    return np.full(shape, value, dtype=np.uint8)


def ask_while_busy(runtime, sums, questions):
    """One call that keeps the runtime busy, and calls that come meanwhile."""
    with ThreadPoolExecutor(len(questions) + 1) as pool:
        first = pool.submit(runtime.run, picture(1))
        assert sums.started.wait(30)
        asked = [pool.submit(runtime.run, *one) for one in questions]
        while len(runtime._waiting) < len(questions):
            pass
        sums.go_on.set()
        first.result(30)
        return asked


def test_what_comes_while_a_batch_is_computed_is_the_next_batch():
    sums = Sums()
    runtime = BatchingRuntime(sums, most=4)
    asked = ask_while_busy(runtime, sums, [(picture(value),) for value in range(6)])
    answers = [one.result()["probabilities"].tolist() for one in asked]
    assert sorted(answers) == [[4.0 * value] for value in range(6)]
    assert answers == [[4.0 * value] for value in range(6)]
    assert [shape[0] for shape in sums.batches] == [1, 4, 2]


def test_images_of_different_sizes_are_not_joined():
    sums = Sums()
    runtime = BatchingRuntime(sums)
    questions = [(picture(1),), (picture(1, (1, 3, 2, 1)),), (picture(2),)]
    asked = ask_while_busy(runtime, sums, questions)
    assert [one.result()["probabilities"].tolist() for one in asked] == [[4.0], [6.0], [8.0]]
    assert sorted(sums.batches[1:]) == [(1, 3, 2, 1), (2, 2, 2, 1)]


def test_a_call_with_more_images_than_a_batch_is_one_batch():
    sums = Sums()
    sums.go_on.set()
    answers = BatchingRuntime(sums, most=2).run(picture(1, (5, 2, 2, 1)))
    assert answers["probabilities"].tolist() == [4.0] * 5
    assert [shape[0] for shape in sums.batches] == [5]


def test_features_are_joined_with_their_images():
    sums = Sums()
    sums.go_on.set()
    features = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
    answers = BatchingRuntime(sums).run(picture(0, (2, 2, 2, 1)), feature_1=features)
    assert answers["probabilities"].tolist() == [3.0, 7.0]


def test_a_failed_batch_fails_for_all_of_it_and_the_next_one_is_answered():
    sums = Sums()
    runtime = BatchingRuntime(sums)
    asked = ask_while_busy(runtime, sums, [(picture(13),), (picture(2),)])
    for one in asked:
        with pytest.raises(InferenceError, match="thirteen"):
            one.result()
    assert runtime.run(picture(3))["probabilities"].tolist() == [12.0]
