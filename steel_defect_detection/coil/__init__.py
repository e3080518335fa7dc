"""Coil: all defects of one coil along its length, and the marks that come again.

>>> from steel_defect_detection import coil
>>> laid_out = coil.read("outputs", mm_per_pixel=0.5)  # doctest: +SKIP
>>> coil.find_recurrences(laid_out).recurrences  # doctest: +SKIP
"""

from steel_defect_detection.coil.layout import Coil, CoilDefects
from steel_defect_detection.coil.recurrence import Recurrence, Search, Settings
from steel_defect_detection.coil.recurrence import find as find_recurrences

__all__ = [
    "Coil",
    "CoilDefects",
    "Recurrence",
    "Search",
    "Settings",
    "find_recurrences",
]
