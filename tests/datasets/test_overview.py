import json
import re

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import layouts, overview
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.inspection import inspect
from steel_defect_detection.errors import ResultsError
from tests.datasets.drawn import entry

TINY = """\
images: 8 (4 defective, 4 clean), classes: 4

defect types on an image  images
0                              4
1                              4

class         images  pixels    share
defect_1           0       0   0.000%
defect_2           0       0   0.000%
defect_3           4   4,096   8.333%
defect_4           0       0   0.000%
(background)          45,056  91.667%
pixels of the 8 images with masks

width x height  images
96 x 64              8"""


def test_the_table_of_eight_sheets_reads_as_counted_by_hand(tiny_severstal):
    assert overview.text(inspect(layouts.read(tiny_severstal))) == TINY


def test_the_table_names_what_is_odd():
    mask = np.zeros((2, 3, 3))
    mask[:, 0, 0] = 1
    entries = (
        entry("a\x1b[31m.png", np.zeros((3, 3)), mask),
        entry("b.png", np.zeros((3, 3)), np.zeros((2, 3, 3)), labels=(True, False)),
        entry("c.png", np.ones((3, 3))),
        Entry(name="d.png"),
        entry("e.png", np.ones((3, 3)), np.ones((1, 1, 1))),
    )
    text = overview.text(inspect(Dataset(classes=("pit", "in\nclusion"), entries=entries)))
    assert "images: 5 (2 defective, 0 clean), classes: 2" in text
    assert "images with neither labels nor masks: 2" in text
    assert "images with problems, not counted below: 1" in text
    assert re.search(r"^pit \+ in\?clusion +1$", text, re.MULTILINE)
    assert "a?[31m.png, b.png" in text
    assert "empty masks of images that claim a class: 1: b.png (pit)" in text
    assert "pixels of more than one class: 1, images: 1: a?[31m.png" in text
    assert "\x1b" not in text


def test_long_lists_are_cut_but_classes_are_not():
    count = 30
    classes = tuple(f"class {number}" for number in range(count))
    entries = tuple(
        entry(f"{number}", np.zeros((3, 3 + number)), labels=np.eye(count, dtype=bool)[number])
        for number in range(count)
    )
    text = overview.text(inspect(Dataset(classes=classes, entries=entries)))
    assert all(name in text for name in classes)
    assert text.endswith("... and 20 more")


def test_json_and_plots_are_written(tiny_severstal, tmp_path):
    dataset = layouts.read(tiny_severstal)
    inspection = inspect(dataset)
    written = overview.write(inspection, dataset, tmp_path / "new/folder")
    assert sorted(path.name for path in written) == [
        "distribution.png",
        "examples.png",
        "inspection.json",
        "positions.png",
    ]
    content = json.loads((tmp_path / "new/folder/inspection.json").read_text())
    assert content == json.loads(json.dumps(overview.as_json(inspection)))
    assert content["classes"][2] == {"name": "defect_3", "images": 4, "pixels": 4 * 32 * 32}
    assert content["sizes"] == [{"height": 64, "width": 96, "images": 8}]
    for path in written[1:]:
        assert np.ptp(images.read(path)) > 0


def test_sets_without_masks_or_images_get_the_plots_that_can_be_drawn(tmp_path):
    labels = {"labels": (True, False)}
    pictures = Dataset(classes=("a", "b"), entries=(entry("x", np.ones((9, 9)), **labels),))
    tables = Dataset(classes=("a", "b"), entries=(Entry(name="x", shape=(9, 9), **labels),))
    empty = Dataset(classes=(), entries=())
    for dataset, plots in (
        (pictures, {"distribution.png", "examples.png"}),
        (tables, {"distribution.png"}),
        (empty, {"distribution.png"}),
    ):
        written = overview.write(inspect(dataset), dataset, tmp_path)
        assert {path.name for path in written} == {"inspection.json"} | plots


def test_examples_of_overlapping_masks_can_be_drawn(tmp_path):
    dataset = Dataset(
        classes=("a", "b"), entries=(entry("x", np.ones((9, 9)), np.ones((2, 9, 9))),)
    )
    overview.write(inspect(dataset), dataset, tmp_path)
    assert (tmp_path / "examples.png").is_file()


def test_an_output_that_is_a_file_is_refused(tiny_severstal, tmp_path):
    (tmp_path / "file").write_text("x")
    dataset = layouts.read(tiny_severstal)
    with pytest.raises(ResultsError, match="cannot be written"):
        overview.write(inspect(dataset), dataset, tmp_path / "file")
