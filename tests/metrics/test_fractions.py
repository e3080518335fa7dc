import math

import numpy as np

from steel_defect_detection.metrics.fractions import mean, ratio


def test_nothing_divided_by_nothing_is_what_one_says():
    assert np.array_equal(ratio([1, 0], [2, 0]), [0.5, np.nan], equal_nan=True)
    assert ratio([1, 0], [2, 0], empty=1).tolist() == [0.5, 1]


def test_the_mean_leaves_out_what_is_unknown():
    assert mean([1, math.nan, 2]) == 1.5


def test_the_mean_of_nothing_is_unknown():
    assert math.isnan(mean([]))
    assert math.isnan(mean([math.nan]))
