"""What a finished run leaves."""

import pytest

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.experiments import records
from steel_defect_detection.experiments.grid import variants
from tests.experiments.small_studies import record, study

FIRST, SECOND = variants(study())


def test_a_record_is_read_back(tmp_path):
    written = record(FIRST.name, 2, classes__accuracy=0.75)
    records.write(records.place(tmp_path, FIRST, 2), written)
    assert records.read(tmp_path, FIRST, 2) == written


def test_no_other_run_is_taken_for_finished(tmp_path):
    records.write(records.place(tmp_path, FIRST, 1), record(FIRST.name, 1))
    assert records.read(tmp_path, FIRST, 10) is None
    assert records.read(tmp_path, SECOND, 1) is None


def test_a_record_in_the_wrong_folder_is_refused(tmp_path):
    records.write(records.place(tmp_path, SECOND, 1), record(FIRST.name, 1))
    with pytest.raises(ResultsError, match=r"is that of learning_rate=0.001, run 1"):
        records.read(tmp_path, SECOND, 1)


@pytest.mark.parametrize("text", ["{", "[]", '{"variant": "a"}'])
def test_a_damaged_record_is_refused(tmp_path, text):
    place = records.place(tmp_path, FIRST, 1)
    place.mkdir(parents=True)
    (place / records.FILE).write_text(text)
    with pytest.raises(ResultsError, match="is damaged: delete it"):
        records.read(tmp_path, FIRST, 1)
