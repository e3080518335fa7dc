import json
import logging
import re

import numpy as np
import pytest

from steel_defect_detection import coil
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.results import ResultsWriter

NAMES = ("a.png", "b.png", "c.png")


@pytest.fixture
def folder(tmp_path):
    """What sdd-predict leaves of three images: 12 pits, nothing, and 6 pits with 20 scratches."""
    maps = np.zeros((3, 30, 50), dtype=np.uint8)
    maps[0, 3:6, 10:14] = 1
    maps[2, 3:5, 10:13] = 1
    maps[2, 10:15, 20:24] = 2
    paths = [tmp_path / name for name in NAMES]
    with ResultsWriter(tmp_path / "out", paths, ("pits", "scratches"), overlays=False) as writer:
        for path, label_map in zip(paths, maps, strict=True):
            verdict = "defect" if label_map.any() else "clean"
            image = np.zeros((30, 50, 3), dtype=np.uint8)
            writer.add(
                Prediction(
                    source=path.name,
                    classes=("pits", "scratches"),
                    verdict=verdict,
                    label_map=label_map,
                    image=image,
                )
            )
    return tmp_path / "out"


def without(path, text):
    """Take the one line with a text out of a file."""
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if text not in line]
    assert len(kept) == len(lines) - 1
    path.write_text("".join(kept))


def test_whole_results_are_laid_out(folder):
    assert coil.read(folder).defects.area.tolist() == [12, 6, 20]


def test_a_table_that_lost_a_row_is_refused(folder):
    without(folder / "images.csv", "b.png")
    with pytest.raises(ResultsError, match=r"has 2 rows, but run.json says that 3 images were"):
        coil.read(folder)


def test_predictions_that_lost_a_row_are_refused(folder):
    without(folder / "predictions.csv", "c.png,2")
    message = "c.png has 0 pixels of scratches in predictions.csv, but images.csv says 20"
    with pytest.raises(ResultsError, match=re.escape(message)):
        coil.read(folder)


def test_predictions_that_lost_pixels_are_refused(folder):
    table = folder / "predictions.csv"
    rows = table.read_text().splitlines()
    table.write_text("\n".join([rows[0], rows[1].rsplit(" ", 2)[0], *rows[2:]]) + "\n")
    with pytest.raises(ResultsError, match=r"a\.png has 9 pixels of pits in predictions\.csv"):
        coil.read(folder)


def test_an_order_may_leave_images_out(folder, tmp_path):
    (tmp_path / "order.csv").write_text("image\nc.png\na.png\n")
    laid_out = coil.read(folder, order_file=tmp_path / "order.csv")
    assert laid_out.defects.area.tolist() == [6, 20, 12]


def test_a_run_that_stopped_is_remarked_upon(folder, caplog):
    record = json.loads((folder / "run.json").read_text())
    record["counts"]["asked"] = 5
    (folder / "run.json").write_text(json.dumps(record))
    with caplog.at_level(logging.WARNING, logger="steel_defect_detection"):
        assert len(coil.read(folder).images) == 3
    assert "the run stopped after 3 of 5 images" in caplog.text
    assert coil.read(folder).is_partial


@pytest.mark.parametrize("counts", [None, {}, {"images": "3"}, [3]])
def test_a_record_without_counts_says_nothing(folder, counts):
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "counts": counts}))
    assert len(coil.read(folder).images) == 3


def test_results_without_areas_are_not_compared(folder):
    table = folder / "images.csv"
    table.write_text(table.read_text().replace("area_", "size_"))
    without(folder / "predictions.csv", "c.png,2")
    assert coil.read(folder).defects.area.tolist() == [12, 6]


def test_areas_that_are_no_numbers_are_none(folder):
    table = folder / "images.csv"
    table.write_text(table.read_text().replace(",12,0,", ",twelve,0,"))
    with pytest.raises(ResultsError, match=r"images\.csv says 0"):
        coil.read(folder)


def test_a_whole_run_is_not_partial(folder):
    assert not coil.read(folder).is_partial


def test_a_verdict_that_no_run_writes_is_refused(folder):
    text = (folder / "images.csv").read_text()
    (folder / "images.csv").write_text(text.replace(",clean,", ",Clean,"))
    with pytest.raises(ResultsError, match=r"gives b\.png the verdict 'Clean', which no run does"):
        coil.read(folder)
