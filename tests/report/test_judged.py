import math
import os

import numpy as np
import pytest

from steel_defect_detection import images, report
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.report import judged
from tests.report import folders_of
from tests.report.folders_of import prediction


def test_what_was_written_is_read_back(tmp_path):
    folder = folders_of.results(
        tmp_path, prediction("a/one.png", "defect"), prediction("a/two.png", "error")
    )
    found = judged.read(folder)
    one, two = found.images
    assert found.classes == ("scratch", "patch")
    assert (one.name, one.verdict, one.class_name) == ("one.png", "defect", "patch")
    assert (one.areas, one.area, one.pixels, one.share) == ((0, 12), 12, 800, 0.015)
    assert (one.scores, one.gate_probability, one.score) == ((0.125, 0.75), 0.9, 0.9)
    assert one.mask == folder / "masks/one.png"
    assert one.overlay == folder / "overlays/one.png"
    assert (two.error, two.mask, two.overlay) == ("a/two.png is broken", None, None)
    assert math.isnan(two.share)
    assert found.threshold("gate") == 0.5
    assert found.about("model", "name") == "mine"
    assert found.about("model", "name", "deeper") is None


def test_names_that_repeat_are_whole_paths(tmp_path):
    folder = folders_of.results(tmp_path, *map(prediction, ("a/x.png", "b/x.png", "c/y.png")))
    assert [image.name for image in judged.read(folder).images] == ["a/x.png", "b/x.png", "y.png"]


def test_connected_defects_are_counted(tmp_path):
    found = judged.read(folders_of.results(tmp_path, prediction("one.png", "defect")))
    outlined = judged.outlined(found, found.images[0])
    assert outlined.pieces.tolist() == [0, 2]
    assert outlined.areas.tolist() == [0, 12]
    (tmp_path / "masks/one.png").unlink()
    found = judged.read(tmp_path)
    assert judged.outlined(found, found.images[0]) is None


def test_classifiers_find_their_pictures_without_masks(tmp_path):
    # The second one's name is taken, as tests/results/test_naming.py says.
    shown = [prediction(name, label_map=None) for name in ("a/x.png", "b/x.png")]
    found = judged.read(folders_of.results(tmp_path, *shown))
    assert [image.overlay.name for image in found.images] == ["x.png", "x-2.png"]
    assert all(math.isnan(image.area) for image in found.images)


def test_an_overlay_is_drawn_from_original_and_mask(tmp_path):
    images.write(tmp_path / "one.png", np.full((*folders_of.SHAPE, 3), 120, dtype=np.uint8))
    shown = prediction(str(tmp_path / "one.png"), "defect")
    folder = folders_of.results(tmp_path / "outputs", shown, overlays=False)
    found = judged.read(folder)
    assert (judged.picture(found, found.images[0]) == shown.overlay()).all()
    (tmp_path / "one.png").unlink()
    assert judged.picture(found, found.images[0]) is None


def test_a_name_with_bytes_that_are_no_text_is_found(tmp_path):
    name = os.fsdecode(b"strip-\xff.png")
    folder = folders_of.results(tmp_path, prediction(name, "defect"))
    (found,) = judged.read(folder).images
    assert found.name == r"strip-\udcff.png"
    assert found.overlay.name == found.mask.name == name


def test_no_file_outside_of_the_folder_is_looked_at(tmp_path):
    images.write(tmp_path / "secret.png", np.zeros((9, 9), dtype=np.uint8))
    folder = folders_of.results(tmp_path / "outputs", prediction("one.png", "defect"))
    table = (folder / "images.csv").read_text()
    (folder / "images.csv").write_text(table.replace("masks/one.png", "../secret.png"))
    (found,) = judged.read(folder).images
    assert found.mask is None


def test_cells_that_are_no_numbers_are_unknown(tmp_path):
    folder = folders_of.results(tmp_path, prediction("one.png", "defect"))
    table = (folder / "images.csv").read_text()
    (folder / "images.csv").write_text(table.replace("0.9", "NaN").replace("0.75", "high"))
    (found,) = judged.read(folder).images
    assert math.isnan(found.gate_probability)
    assert math.isnan(found.scores[1])
    assert found.score == 0.125


def test_paths_of_windows_are_cut_as_there(tmp_path):
    folder = folders_of.results(tmp_path, prediction("one.png"))
    table = (folder / "images.csv").read_text()
    (folder / "images.csv").write_text(table.replace("one.png,masks", "C:\\coil\\one.png,masks"))
    assert judged.read(folder).images[0].name == "one.png"
    assert judged.last_part("C:\\coil\\one.png") == judged.last_part("coil/one.png") == "one.png"


@pytest.mark.parametrize("content", ["", "{", "[1]"], ids=["empty", "cut short", "a list"])
def test_without_a_record_the_rest_is_read(tmp_path, content):
    folder = folders_of.results(tmp_path, prediction("one.png"))
    (folder / "run.json").write_text(content)
    found = judged.read(folder)
    assert len(found.images) == 1
    assert math.isnan(found.threshold("gate"))


@pytest.mark.parametrize("value", [10**400, -1, "0.5", None, [0.5]])
def test_a_threshold_that_is_none_is_unknown(tmp_path, value):
    folder = folders_of.results(tmp_path, prediction("one.png"))
    folders_of.change_run(folder, thresholds={"gate": value}, seconds=10**400)
    found = judged.read(folder)
    assert math.isnan(found.threshold("gate"))
    report.write([folder], tmp_path / "report.html")


def test_a_run_that_has_finished_nothing_is_told(tmp_path):
    (tmp_path / "run.json").write_text('{"classes": [], "counts": {}}')
    message = r"holds run\.json and no images\.csv: no image is finished\. Run sdd-predict again"
    with pytest.raises(ResultsError, match=message):
        judged.read(tmp_path)
