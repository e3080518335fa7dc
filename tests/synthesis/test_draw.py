import json

import numpy as np
import pytest

from steel_defect_detection.datasets import severstal
from steel_defect_detection.errors import ConfigError, SynthesisError
from steel_defect_detection.synthesis.draw import Drawer, StripDrawer, kind_of, looks_of
from steel_defect_detection.synthesis.painters import KINDS
from steel_defect_detection.synthesis.procedural import draw_strip
from steel_defect_detection.synthesis.sheets import Sheets
from tests.synthesis.sheets_and_defects import dataset


def drawer(data=None, kind="clean", **words):
    sheets = Sheets(dataset=data or dataset(), kinds=(kind,), shape=(64, 64))
    return Drawer(sheets=sheets, kinds={1: "scratches", 2: "pits"}, **words)


def test_a_drawn_defect_changes_the_sheet_where_its_mask_says():
    data = dataset()
    made = drawer(data).make(1, seed=4)
    sheet = data[data.names.index(made.sources[0])]
    assert np.array_equal((made.image != sheet.image).any(axis=2), made.masks[0])
    assert not made.masks[1].any()
    assert made.parameters["kind"] == "scratches"
    assert json.loads(json.dumps(made.parameters)) == made.parameters


def test_defects_of_the_sheet_stay_and_are_not_painted_on():
    data = dataset(clean=0)
    made = drawer(data, "as-is").make(2, seed=0)
    sheet = data[data.names.index(made.sources[0])]
    assert np.array_equal(made.masks & sheet.masks, sheet.masks)
    assert made.masks.sum(axis=0).max() == 1


def test_the_same_seed_gives_the_same_pixels():
    assert np.array_equal(drawer().make(1, 5).image, drawer().make(1, 5).image)
    assert not np.array_equal(drawer().make(1, 5).image, drawer().make(1, 6).image)


def test_drawn_defects_are_as_bright_as_the_real_ones():
    looks = looks_of(dataset())
    assert set(looks) == {1, 2}
    bright = [drawer(looks=looks).make(1, seed).parameters["polarity"] for seed in range(6)]
    dark = [drawer(looks=looks).make(2, seed).parameters["polarity"] for seed in range(6)]
    assert set(bright) == {"bright"}
    assert set(dark) == {"dark"}


def test_number_0_is_a_sheet_without_defect():
    assert not drawer().make(0, seed=0).masks.any()


def test_a_strip_is_that_of_draw_strip():
    made = StripDrawer(shape=(64, 128)).make(3, seed=9)
    strip = draw_strip(seed=9, defects=[3], shape=(64, 128))
    assert np.array_equal(made.image[..., 0], strip.image[..., 0])
    assert np.array_equal(made.masks, strip.masks)
    assert made.sources == ()
    assert not StripDrawer(shape=(64, 128)).make(0, seed=9).masks.any()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("scratches", "scratches"),
        ("MT_Blowhole", "pits"),
        ("crazing", "cracks"),
        ("rolled-in_scale", "rolled-in scale"),
        ("Inclusion", "inclusions"),
        ("pitted_surface", "pits"),
        ("dirt", None),
    ],
)
def test_names_say_what_a_class_looks_like(name, kind):
    assert kind_of(name) == kind


def test_all_classes_that_the_package_knows_have_a_kind():
    assert all(kind_of(name) in KINDS for name in severstal.CLASSES)


def test_what_cannot_be_drawn_is_refused():
    sheets = Sheets(dataset=dataset(), kinds=("clean",), shape=(64, 64))
    with pytest.raises(ConfigError, match=r"defects are drawn as scratches, .*; got moss"):
        Drawer(sheets=sheets, kinds={1: "moss"})
    with pytest.raises(ConfigError, match=r"expected a difficulty.*got 0\.9 to 0\.1"):
        Drawer(sheets=sheets, kinds={}, difficulty=(0.9, 0.1))


def test_a_sheet_full_of_defects_has_no_room():
    data = dataset(count=2, clean=0)
    entries = []
    for entry in data.entries:
        full = np.zeros((2, 64, 64), np.bool_)
        full[0] = True
        entries.append(
            type(entry)(name=entry.name, pixels=entry.pixels, masks=type(entry.masks)(full))
        )
    crowded = type(data)(classes=data.classes, entries=tuple(entries)).labelled()
    with pytest.raises(SynthesisError, match=r"no room to draw 'scratch' on 10 sheets"):
        drawer(crowded, "as-is").make(1, seed=0)
