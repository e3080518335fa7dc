import csv
import json

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, ImageError, NoImagesError
from steel_defect_detection.evaluation import suspects
from tests.datasets.drawn import Masks, Pixels, draw
from tests.evaluation.toys import Painted, Told

KINDS = ("pits", "rust")


def told(labels, percent, *, broken=()):
    """A data set whose images differ and make ``Told`` answer so."""
    entries = []
    for number, (label, row) in enumerate(zip(labels, percent, strict=True)):
        image = draw(number, (32, 32))
        image[0, :2, 0] = row
        shown = (label == 0, label == 1)
        entries.append(Entry(name=f"{number}.png", pixels=Pixels(image), labels=shown))
    entries += [Entry(name=path.name, path=path, labels=(True, False)) for path in broken]
    return Dataset(classes=KINDS, entries=tuple(entries))


def painted(outlined):
    """Two images on which rust is certain at the top; outlined there or nowhere."""
    entries = []
    for number, there in enumerate(outlined):
        image = np.repeat(draw(number, (32, 64)) % 40, 3, axis=2)
        image[:12, :, 1] = 97
        masks = np.zeros((3, 32, 64), dtype=np.bool_)
        masks[1, :12] = there
        entries.append(Entry(name=f"{number}.png", pixels=Pixels(image), masks=Masks(masks)))
    return Dataset(classes=(*KINDS, "scale"), entries=tuple(entries))


RIGHT = [(96, 4), (95, 5), (94, 6), (3, 97), (4, 96), (5, 95)]


def test_right_labels_give_no_suspects_and_no_sheet(tmp_path):
    dataset = told([0, 0, 0, 1, 1, 1], RIGHT)
    found = suspects.find(Told(KINDS), dataset)
    assert found.suspects == ()
    assert found.image_count == 6
    (tmp_path / "suspects.png").write_bytes(b"of an earlier search")
    written = found.write(tmp_path, Told(KINDS), dataset)
    assert [path.name for path in written] == ["suspects.csv"]
    assert [path.name for path in tmp_path.iterdir()] == ["suspects.csv"]


def test_swapped_labels_are_listed_worst_first_with_a_sheet(tmp_path):
    dataset = told([0, 1, 0, 1, 0, 1], RIGHT)
    found = suspects.find(Told(KINDS), dataset)
    # 1.png and 4.png got each other's label; the model gives it 5 and 4 percent.
    assert [(one.image, one.suggested) for one in found.suspects] == [
        ("4.png", "rust"),
        ("1.png", "pits"),
    ]
    report = json.loads(json.dumps(found.report(), allow_nan=False))
    assert report["images"] == 6
    assert report["suspects"][0]["score"] == pytest.approx(0.04)
    assert list(report["definitions"]) == ["other class"]
    assert report["unreadable"] == []
    figure = suspects.sheet(found, Told(KINDS), dataset)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "1. 4.png\nlabelled pits, 4%\nsuggested rust, 96%",
        "2. 1.png\nlabelled rust, 5%\nsuggested pits, 95%",
    ]
    names = [path.name for path in found.write(tmp_path, Told(KINDS), dataset)]
    assert names == ["suspects.csv", "suspects.png"]
    with (tmp_path / "suspects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["4.png", "1.png"]
    assert rows[0]["area_pixels"] == ""
    assert images.read(tmp_path / "suspects.png").std() > 0


def test_independent_classes_are_asked_about_one_by_one():
    dataset = told([0, 1, 0, 1, 0, 1], RIGHT)
    found = suspects.find(Told(KINDS, exclusive=False), dataset)
    assert {(one.image, one.reason, one.suggested) for one in found.suspects} == {
        ("1.png", "class not labelled", "pits"),
        ("1.png", "class not shown", "no rust"),
        ("4.png", "class not shown", "no pits"),
        ("4.png", "class not labelled", "rust"),
    }


def test_outlines_are_asked_about_and_drawn():
    dataset = painted([True, False])
    found = suspects.find(Painted(dataset.classes), dataset)
    assert [(one.image, one.reason) for one in found.suspects] == [("1.png", "defect not outlined")]
    assert found.suspects[0].area_pixels == 12 * 64
    (axes,) = suspects.sheet(found, Painted(dataset.classes), dataset).axes
    assert axes.get_title(loc="left").splitlines() == [
        "1. 1.png",
        "labelled nothing, 3%",
        "suggested rust, 97%",
        "image, truth, prediction",
    ]


def test_a_copy_with_another_label_is_drawn_beside_the_first(tmp_path):
    dataset = told([0, 0, 1, 1], [(96, 4), (95, 5), (4, 96), (5, 95)])
    copy = Entry(name="copy.png", pixels=dataset.entries[0].pixels, labels=(False, True))
    broken = tmp_path / "0-broken.png"
    broken.write_bytes(b"no image")
    bad = Entry(name="broken.png", path=broken, labels=(True, False))
    # What cannot be read comes first, so that counting it would name another image.
    planted = Dataset(classes=KINDS, entries=(bad, *dataset.entries, copy))
    found = suspects.find(Told(KINDS), planted)
    doubted, alike = found.suspects
    assert (doubted.image, doubted.reason) == ("copy.png", "other class")
    assert (alike.image, alike.beside) == ("copy.png", "0.png")
    assert list(found.unreadable) == ["broken.png"]
    first, second = suspects.sheet(found, Told(KINDS), planted).axes[:2]
    assert second.get_title(loc="left").splitlines()[-1] == "beside 0.png"
    width = second.images[0].get_array().shape[1]
    assert width == 2 * first.images[0].get_array().shape[1] + 4


def test_many_suspects_make_a_sheet_of_the_worst():
    labels = [0, 1] * 20
    percent = [(95, 5), (5, 95)] * 10 + [(5, 95), (95, 5)] * 10
    dataset = told(labels, percent)
    found = suspects.find(Told(KINDS), dataset)
    assert len(found.suspects) > suspects.MOST_DRAWN
    drawn = [axes for axes in suspects.sheet(found, Told(KINDS), dataset).axes if axes.images]
    assert len(drawn) == suspects.MOST_DRAWN


def test_what_cannot_be_judged_is_said(tmp_path):
    with pytest.raises(NoImagesError, match="there are no images to judge"):
        suspects.find(Told(KINDS), told([], []))
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match="none of 1 images can be read"):
        suspects.find(Told(KINDS), told([], [], broken=[tmp_path / "a.png"]))
    with pytest.raises(AnnotationError, match=r"0\.png shows 0 classes, but the model gives"):
        suspects.find(Told(KINDS), told([2, 0], [(95, 5), (5, 95)]))
