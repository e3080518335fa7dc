import numpy as np
import pytest

from steel_defect_detection.benchmark import times
from steel_defect_detection.benchmark.times import Chunk


def test_the_summary_is_what_numpy_says():
    values = np.random.default_rng(0).exponential(size=101).tolist()
    assert times.summary(values) == pytest.approx(
        {
            "count": 101,
            "least": min(values),
            "median": sorted(values)[50],
            "p95": sorted(values)[95],
            "mean": sum(values) / 101,
        }
    )


def test_a_stage_that_did_not_run_has_no_time():
    chunk = Chunk()
    chunk.note(gate=2.0, segment=None)
    chunk.note(gate=4.0, segment=10.0)
    assert chunk.milliseconds == {"gate": [2.0, 4.0], "segment": [10.0], "image": [2.0, 14.0]}
    assert chunk.files == 2


def test_the_ratio_is_of_all_images_per_second_and_not_of_the_chunks():
    ours = [Chunk(files=10, seconds=1.0), Chunk(files=10, seconds=3.0)]
    theirs = [Chunk(files=1, seconds=1.0), Chunk(files=1, seconds=1.0)]
    found = times.ratios(ours, theirs)
    assert found["ratio"] == pytest.approx(5.0)  # 20 images in 4 s against 2 in 2 s
    assert (found["least"], found["most"], found["chunks"]) == (pytest.approx(10 / 3), 10.0, 2)


def test_the_warm_up_is_called_but_not_timed():
    called = []
    assert len(times.repeat(called.append, count=4, warm_up=3)) == 4
    assert called == list(range(7))


def test_the_share_of_the_peak_is_work_by_time_by_peak():
    # 1 GFLOP in 10 ms on average is 100 GFLOP/s.
    found = times.report_network([5.0, 5.0, 20.0], 1e9)
    assert found["images_per_second"] == pytest.approx(100)
    assert times.share(found, 400e9) == pytest.approx(0.25)
    assert times.share(found, None) is None
