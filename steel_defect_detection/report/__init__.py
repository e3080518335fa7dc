"""Reports: results, evaluations and training runs as one HTML file.

::

    folders ──folders.recognise──▶ one function per kind ──▶ Section: parts of blocks ──page──▶ HTML

A block is a table, a gallery, a histogram: data, and no HTML. Templates turn
blocks into HTML, and escape whatever they are given. The file refers to
nothing outside of itself: pictures are data in it, and its policy forbids
a browser to load anything.
"""

from steel_defect_detection.report.write import Report, write

__all__ = ["Report", "write"]
