import pytest

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.report import calibrated
from steel_defect_detection.report.blocks import Facts, Table
from tests.report import folders_of


def test_thresholds_are_told_with_what_they_cost(tmp_path):
    section = calibrated.section(folders_of.calibration(tmp_path / "c"))
    found = {part.title: part for part in section.parts}
    (facts,) = (block for block in found["Labelled images"].blocks if isinstance(block, Facts))
    assert facts.items == {"images": "26", "aim": "a recall of 0.98", "temperature": "1.5"}
    chosen, tried = (block for block in found["Thresholds"].blocks if isinstance(block, Table))
    assert chosen.rows == [["any defect", "0.25", "50 % (25 % to 75 %)", "–"]]
    assert tried.rows == [["any defect", "0.25", "yes"], ["any defect", "0.5", "–"]]
    assert "Pictures" in found
    assert section.facts == {"images": 26, "thresholds": {"gate": 0.25}}


def test_a_calibration_without_thresholds_is_told(tmp_path):
    (tmp_path / "calibration.json").write_text('{"operating_points": [1]}')
    assert [part.title for part in calibrated.section(tmp_path).parts] == ["Labelled images"]


def test_a_broken_calibration_is_told(tmp_path):
    (tmp_path / "calibration.json").write_text("{")
    message = r"calibration\.json cannot be read: .*\. Run sdd-calibrate again"
    with pytest.raises(ResultsError, match=message):
        calibrated.section(tmp_path)
