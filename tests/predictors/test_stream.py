"""Many images at the same time, in order."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import ImageError
from steel_defect_detection.predictors.segmenter import SegmenterPredictor
from steel_defect_detection.predictors.stream import in_order

PIXEL = np.zeros((3, 3, 1), dtype=np.uint8)


def read(path):
    if "broken" in str(path):
        raise ImageError(f"{path} is broken")
    return PIXEL


def name_of(path, _picture):
    return path


def test_answers_come_in_order_however_long_each_takes():
    random = np.random.default_rng(0)
    waits = {str(number): wait for number, wait in enumerate(random.uniform(0, 0.02, 60))}

    def judge(path, _picture):
        time.sleep(waits[path])
        return path

    assert list(in_order(list(waits), read=read, judge=judge, threads=4)) == list(waits)


def test_as_many_are_judged_at_the_same_time_as_asked_for():
    together = threading.Barrier(3, timeout=20)

    def judge(path, _picture):
        together.wait()  # passes only when three wait here
        return path

    paths = [str(number) for number in range(9)]
    assert list(in_order(paths, read=read, judge=judge, threads=3)) == paths


def test_it_reads_a_bounded_number_ahead_of_a_slow_caller():
    asked = []

    def paths():
        for number in range(1000):
            asked.append(number)
            yield str(number)

    answers = in_order(paths(), read=read, judge=name_of, threads=2)
    for taken in range(1, 30):
        next(answers)
        assert len(asked) <= taken + 12
    answers.close()


def test_the_judge_hears_of_broken_files():
    def judge(path, picture):
        return (path, isinstance(picture, ImageError))

    found = list(in_order(["a", "broken", "c"], read=read, judge=judge, threads=2))
    assert found == [("a", False), ("broken", True), ("c", False)]


def test_a_mistake_of_the_judge_reaches_the_caller_and_ends_the_threads():
    def judge(path, _picture):
        raise ZeroDivisionError(path)

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(in_order(map(str, range(100)), read=read, judge=judge, threads=2))
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_a_caller_that_leaves_early_leaves_no_thread_behind():
    before = threading.active_count()
    for _ in in_order(map(str, range(100)), read=read, judge=name_of, threads=2):
        break
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_a_predictor_answers_several_threads_alike(segmenter_runtime):
    predictor = SegmenterPredictor(
        ("a", "b", "c", "d"), Thresholds.default(4), segmenter=segmenter_runtime
    )
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (32, 64, 1), dtype=np.uint8) for _ in range(12)]
    alone = [predictor.predict(image).scores for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = [found.scores for found in pool.map(predictor.predict, images)]
    assert np.array_equal(alone, together)
