"""Calibration: what a model's numbers are worth, found out on images whose truth is known.

It should be done on images that the network did not learn from: on training
images it is surer than it will be. It must not be done on those of the final
test, whose measures would then be too good.
"""

from steel_defect_detection.calibration.calibrate import KEPT, Calibrated, calibrate, place_for
from steel_defect_detection.calibration.operating_points import Aim, Decisions
from steel_defect_detection.calibration.report import report, write
from steel_defect_detection.calibration.sweep import (
    MIN_AREAS,
    THRESHOLDS,
    Sweep,
    refuse_built_in,
    store,
    sweep,
)

__all__ = [
    "KEPT",
    "MIN_AREAS",
    "THRESHOLDS",
    "Aim",
    "Calibrated",
    "Decisions",
    "Sweep",
    "calibrate",
    "place_for",
    "refuse_built_in",
    "report",
    "store",
    "sweep",
    "write",
]
