import json
import math

import torch

from steel_defect_detection.benchmark import machine


def test_peaks_are_numbers_above_nothing():
    peaks = machine.measure(torch.device("cpu"), side=64, megabytes=1, repeats=2)
    assert set(peaks.operations) == {"float32", "bfloat16", "int8"}
    for value in (*peaks.operations.values(), peaks.bytes_per_second):
        assert math.isfinite(value)
        assert value > 0
    assert machine.report(peaks)["gflops"]["int8"] == peaks.operations["int8"] / 1e9


def test_the_better_of_two_measurements_counts():
    one = machine.Peaks(operations={"float32": 3.0, "int8": 4.0}, bytes_per_second=5.0)
    other = machine.Peaks(operations={"float32": 6.0, "int8": 2.0}, bytes_per_second=1.0)
    best = machine.better(one, other)
    assert best.operations == {"float32": 6.0, "int8": 4.0}
    assert best.bytes_per_second == 5.0


def test_the_machine_is_described():
    about = machine.describe(1)
    assert about["processor"]
    assert about["cores"] >= 1
    assert about["packages"]["torch"] == torch.__version__.partition("+")[0] or torch.__version__
    json.dumps(about)
