"""Coil: all defects of one coil along its length, and the marks that come again.

::

    from steel_defect_detection import coil

    laid_out = coil.read("outputs", mm_per_pixel=0.5)
    report = coil.examine(laid_out)
    coil.write(report, "coil")
"""

from steel_defect_detection.coil.layout import Coil, CoilDefects
from steel_defect_detection.coil.map import map_svg
from steel_defect_detection.coil.reading import JOIN, read
from steel_defect_detection.coil.recurrence import Recurrence, Search, Settings
from steel_defect_detection.coil.recurrence import find as find_recurrences
from steel_defect_detection.coil.report import ZONES, Report, examine
from steel_defect_detection.coil.units import Units
from steel_defect_detection.coil.words import sentences
from steel_defect_detection.coil.writing import write

__all__ = [
    "JOIN",
    "ZONES",
    "Coil",
    "CoilDefects",
    "Recurrence",
    "Report",
    "Search",
    "Settings",
    "Units",
    "examine",
    "find_recurrences",
    "map_svg",
    "read",
    "sentences",
    "write",
]
