"""What a report says about results as images of one coil, one behind the other."""

from pathlib import Path

from markupsafe import Markup

from steel_defect_detection import coil
from steel_defect_detection.errors import ConfigError, ResultsError
from steel_defect_detection.report.blocks import Drawing, Note, Part

# A map of one or two images says less than the images do.
_LEAST_IMAGES = 3


def part(folder: Path) -> Part | None:
    """Lay results out along a coil.

    Args:
        folder: Results of ``sdd-predict``.

    Returns:
        The map and what it says; None where the images cannot be those of one
        coil, or nothing was outlined on them.
    """
    try:
        laid_out = coil.read(folder)
    except (ConfigError, ResultsError):
        return None
    if len(laid_out.images) < _LEAST_IMAGES or not len(laid_out.defects):
        return None
    report = coil.examine(laid_out)
    drawn = coil.map_svg(laid_out, report.search.recurrences, with_style=False)
    text = (
        "This is so if the images are those of one coil, from left to right, in the order in which "
        "they were judged. sdd-coil takes another order or direction, and the size of a pixel."
    )
    said = [Note(text=sentence) for sentence in coil.sentences(report)]
    # The package has escaped all names in it.
    svg = Markup(drawn)
    drawing = Drawing(label="Map of the defects", svg=svg)
    return Part(title="Along the coil", blocks=[Note(text=text), drawing, *said])
