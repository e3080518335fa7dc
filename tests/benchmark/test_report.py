import json

import pytest

from steel_defect_detection import images
from steel_defect_detection.benchmark import report


@pytest.mark.thorough
def test_three_files_are_written_and_the_numbers_are_all_finite(found, tmp_path):
    paths = report.write(found, tmp_path / "out")
    assert [path.name for path in paths] == ["benchmark.json", "benchmark.md", "benchmark.png"]
    assert json.loads(paths[0].read_text(encoding="utf-8")) == found
    assert images.read(paths[2]).shape[1] == 1000


def test_tables_have_as_many_cells_in_each_row(found):
    assert [table.title for table in report.tables(found)][:4] == [
        "From files on disk to results on disk",
        "Stages of one image",
        "Networks alone",
        "Every configuration, from files on disk to results on disk",
    ]
    for table in report.tables(found):
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_what_was_left_out_stands_below_the_tables(found):
    assert "needs a CUDA device" in report.markdown(found)
