import pytest
from pydantic import ValidationError

from steel_defect_detection.checkpoints import Calibration, Header, Thresholds
from tests.checkpoints.made import header


@pytest.mark.parametrize(
    "values",
    [
        {"pixels": (1.5, 0.5)},
        {"classes": (-0.1, 0.5)},
        {"gate": 2},
        {"min_areas": (-1, 0)},
        {"defect": 1.1},
        {"defect": -0.1},
        {"familiarity": 2},
        {"familiarity": -0.5},
    ],
)
def test_impossible_thresholds_are_refused(values):
    good = Thresholds.default(2).model_dump()
    with pytest.raises(
        ValueError, match=r"between 0 and 1|negative|(less|greater) than or equal to [01]"
    ):
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


def test_by_default_nothing_is_calibrated():
    limits = Thresholds.default(2)
    assert limits.defect is None
    assert limits.familiarity == 0
    assert header("segmenter").calibration is None


def test_a_calibration_survives_the_file():
    record = Calibration(images=8, data="coils", metrics={"temperature": 1.5})
    limits = Thresholds.default(2).model_copy(update={"defect": 0.3, "familiarity": 0.02})
    written = header("segmenter", calibration=record, thresholds=limits)
    assert Header.model_validate_json(written.model_dump_json()) == written


def test_a_header_from_before_calibration_is_read():
    old = header("segmenter").model_dump(mode="json")
    del old["calibration"], old["thresholds"]["defect"], old["thresholds"]["familiarity"]
    assert Header.model_validate(old) == header("segmenter")


def test_a_calibration_on_no_images_is_refused():
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Calibration(images=0, data="coils")
