import pytest
from pydantic import ValidationError

from steel_defect_detection.checkpoints import Thresholds
from tests.checkpoints.made import header


@pytest.mark.parametrize(
    "values",
    [
        {"pixels": (1.5, 0.5)},
        {"classes": (-0.1, 0.5)},
        {"gate": 2},
        {"min_areas": (-1, 0)},
    ],
)
def test_impossible_thresholds_are_refused(values):
    good = Thresholds.default(2).model_dump()
    with pytest.raises(ValueError, match=r"between 0 and 1|negative|less than or equal to 1"):
        Thresholds(**(good | values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "cascade"}, "a cascade has the graphs"),
        ({"classes": ("pit",)}, "the graphs know other classes than the header's"),
        ({"thresholds": Thresholds.default(3)}, "expected one threshold per class, 2 in all"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        header("segmenter", **change)
