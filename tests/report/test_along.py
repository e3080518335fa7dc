import numpy as np
import pytest

from steel_defect_detection.coil.map import STYLE
from steel_defect_detection.report import along
from steel_defect_detection.report.blocks import Drawing, Note
from steel_defect_detection.report.write import write
from tests import browsing
from tests.report.folders_of import SHAPE, prediction, results
from tests.report.reading import addresses


def strips(*verdicts: str):
    return [prediction(f"{n}.png", verdict) for n, verdict in enumerate(verdicts)]


def test_results_are_laid_end_to_end(tmp_path):
    folder = results(tmp_path / "outputs", *strips("defect", "clean", "defect"))
    part = along.part(folder)
    assert part.title == "Along the coil"
    said = [block.text for block in part.blocks if isinstance(block, Note)]
    # Three images of 40 pixels; two patches on each of two, one at 2 to 6 and one at 30 to 32.
    assert f"120 px of strip, {SHAPE[0]}.0 px wide, on 3 images: 4 defects" in " ".join(said)
    (drawing,) = (block for block in part.blocks if isinstance(block, Drawing))
    assert "<style" not in drawing.svg
    assert "xmlns" not in drawing.svg


def test_a_report_has_the_map_and_its_style_and_no_address(tmp_path):
    name = "<b>.png"
    folder = results(tmp_path / "outputs", *strips("defect", "clean"), prediction(name, "defect"))
    page = write([folder], tmp_path / "report.html").path.read_text()
    assert 'class="coil-map"' in page
    assert STYLE in page
    assert name not in page
    assert not addresses(page)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(strips("clean", "clean", "clean"), id="nothing outlined"),
        pytest.param(strips("defect", "defect"), id="too few"),
        pytest.param(
            [
                *strips("defect", "defect"),
                prediction("high.png", image=None, label_map=np.zeros((50, 40), np.uint8)),
            ],
            id="of other widths",
        ),
        pytest.param(
            [prediction(f"{n}.png", "defect", label_map=None) for n in range(4)], id="no outlines"
        ),
    ],
)
def test_what_is_no_coil_gets_no_map(tmp_path, made):
    folder = results(tmp_path / "outputs", *made)
    assert along.part(folder) is None
    assert "Along the coil" not in write([folder], tmp_path / "r.html").path.read_text()


def test_a_report_with_a_map_fits_a_telephone(tmp_path):
    classes = ("scratch\u202e", "a_class_with_a_name_" * 4)
    names = [f"{'long-name-' * 12}{number}.png" for number in range(40)]
    made = [prediction(name, "defect", classes=classes) for name in names]
    page = write([results(tmp_path / "outputs", *made)], tmp_path / "report.html").path
    assert "\u202e" not in page.read_text(encoding="utf-8")
    with browsing.launched() as browser:
        # The page forbids what Playwright waits with.
        found = browser.new_page(**browsing.PHONE, bypass_csp=True)
        found.goto(page.as_uri())
        assert found.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [390, 390]
        assert found.locator("svg.coil-map").bounding_box()["width"] == 640
        found.get_by_role("region", name="Map of the defects").focus()
        found.keyboard.press("ArrowRight")
        found.wait_for_function("document.activeElement.scrollLeft > 0")
