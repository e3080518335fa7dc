import json
from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.clustering import report
from steel_defect_detection.clustering.choosing import Tried
from steel_defect_detection.errors import AnnotationError, ResultsError


def test_what_was_written_is_read_back(finished):
    again = report.read(finished.output)
    assert again.files == finished.files
    assert again.names == finished.names
    assert again.report() == json.loads((finished.output / "clusters.json").read_text())
    assert np.array_equal(again.labels, finished.labels)
    assert np.allclose(again.places, finished.places, atol=1e-6)


def test_numbers_that_are_not_there_are_null_in_json():
    facts = report.facts_of([], Tried(1, None, None), None)
    assert json.loads(json.dumps(facts, allow_nan=False))["silhouette"] is None


def test_a_folder_without_a_clustering_is_told(tmp_path):
    with pytest.raises(ResultsError, match=r"holds no clustering that can be read back: .*No such"):
        report.read(tmp_path)


def test_a_table_that_was_cut_short_is_told(copied):
    lines = (copied / "clusters.csv").read_text().splitlines(keepends=True)
    (copied / "clusters.csv").write_text("".join(lines[:-1]))
    message = r"clusters\.csv does not belong to clusters\.json\. Cluster again"
    with pytest.raises(ResultsError, match=message):
        report.read(copied)
    (copied / "clusters.csv").write_text("".join(lines[:1]) + "1,2\n" * 22)
    with pytest.raises(ResultsError, match="holds no clustering that can be read back"):
        report.read(copied)


def test_a_sheet_goes_from_the_nearest_crop_to_the_farthest(finished, monkeypatch):
    shown = []

    def note(pictures, **_):
        shown.append(list(pictures))

    monkeypatch.setattr(report.figures, "sheet", note)
    monkeypatch.setattr(report.figures, "write", lambda *_: None)
    many = replace(
        finished,
        labels=np.zeros(22, np.int32),
        distances=np.arange(22, 0, -1, dtype=np.float32),
    )
    monkeypatch.setattr(report, "ON_A_SHEET", 4)
    report._draw(many)
    # The last crop is the nearest.
    assert shown[0] == ["1. row 21", "8. row 14", "15. row 7", "22. row 0"]


def test_pictures_can_be_opened(finished):
    for name in ("map.png", "silhouette.png", "sheets/0.png"):
        assert images.read(finished.output / name).std() > 10


def test_groups_without_their_columns_are_refused(tmp_path):
    (tmp_path / "groups.csv").write_text("split,stem,group\ntrain,1,2\n")
    with pytest.raises(AnnotationError, match="expected the columns class, file and group"):
        report.write_groups(tmp_path, tmp_path, ["1.png"])
