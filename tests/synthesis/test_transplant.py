import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steel_defect_detection.errors import ConfigError, SynthesisError
from steel_defect_detection.synthesis.patches import Patches
from steel_defect_detection.synthesis.sheets import Sheets
from steel_defect_detection.synthesis.transplant import Handling, Transplanter, paste
from tests.synthesis.sheets_and_defects import dataset, surface

STILL = Handling(rotation=0, scale=0, flips=False, most=1)


def maker(kind="clean", data=None, how=STILL):
    data = data or dataset()
    sheets = Sheets(dataset=data, kinds=(kind,), shape=(64, 64))
    return Transplanter(patches=Patches(dataset=data, templates={}), sheets=sheets, how=how)


def test_a_defect_that_is_not_turned_or_scaled_arrives_as_it_was():
    made = maker().make(2, seed=3)
    rows, columns = np.nonzero(made.masks[1])
    assert made.masks[1].sum() == 64
    assert (np.ptp(rows), np.ptp(columns)) == (7, 7)
    assert not made.masks[0].any()
    # It was 50 on 120, and is as much darker here.
    assert made.image[..., 0][made.masks[1]].mean() == pytest.approx(50, abs=8)


def test_the_manifest_says_where_it_came_from():
    made = maker().make(1, seed=0)
    patch = made.parameters["patches"][0]
    assert made.sources == (patch["source"], made.parameters["sheet"])
    assert made.parameters["sheet_kind"] == "clean"
    assert {"angle", "scale", "top", "left", "box", "mirrored", "score"} < patch.keys()
    assert json.loads(json.dumps(made.parameters)) == made.parameters


@given(st.integers(0, 10_000), st.sampled_from(["clean", "cleaned", "as-is", "drawn"]))
@settings(max_examples=40, deadline=None)
def test_classes_never_overlap_and_all_is_as_large_as_the_sheet(seed, kind):
    made = maker(kind, how=Handling(rotation=30, scale=1, most=3)).make(1 + seed % 2, seed)
    assert made.masks.shape == (2, *made.image.shape[:2])
    assert made.masks.sum(axis=0).max() <= 1
    assert made.masks[seed % 2].any()


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_same_seed_gives_the_same_pixels_in_any_process(seed):
    first = maker(how=Handling()).make(1, seed)
    again = pickle.loads(pickle.dumps(maker(how=Handling()))).make(1, seed)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.masks, again.masks)


def test_other_defects_of_the_sheet_stay_where_they_are():
    data = dataset(clean=0)
    made = maker("as-is", data).make(2, seed=1)
    sheet = data[data.names.index(made.parameters["sheet"])]
    assert np.array_equal(made.masks & sheet.masks, sheet.masks)
    assert made.masks.sum() > sheet.masks.sum()


def test_a_defect_that_ran_out_of_its_image_runs_out_of_the_sheet():
    data = dataset()
    image, masks = surface(0), np.zeros((2, 64, 64), np.bool_)
    masks[0, :20, 30:34] = True
    image[masks[0]] = 230
    first = data.entries[0]
    cut_off = replace(
        first, pixels=type(first.pixels)(image[..., None]), masks=type(first.masks)(masks)
    )
    few = replace(data, entries=(cut_off, *data.entries[6:])).labelled()
    for seed in range(5):
        made = maker(data=few, how=Handling(rotation=5, scale=0, flips=False, most=1)).make(1, seed)
        assert made.masks[0, 0].any()
        assert not made.masks[0, -1].any()
        mirrored = maker(data=few, how=Handling(rotation=0, scale=0, most=1)).make(1, seed)
        upside_down = mirrored.parameters["patches"][0]["mirrored"][0]
        assert mirrored.masks[0, -1 if upside_down else 0].any()


def test_number_0_is_the_sheet_itself():
    made = maker().make(0, seed=0)
    assert not made.masks.any()
    assert made.sources == (made.parameters["sheet"],)


def test_colour_and_grey_go_together():
    data = dataset()
    patch = Patches(dataset=data, templates={}).pick(1, np.random.default_rng(0))
    sheet = Sheets(dataset=data, kinds=("clean",), shape=(64, 64)).pick(np.random.default_rng(0))
    colour = replace(sheet, image=np.repeat(sheet.image, 3, axis=2))
    pasted = paste(colour, patch, 1, np.random.default_rng(0), STILL)
    assert pasted.sheet.image.shape == (64, 64, 3)
    bright = replace(patch, image=np.repeat(patch.image, 3, axis=2))
    assert paste(sheet, bright, 1, np.random.default_rng(0), STILL).sheet.image.shape == (64, 64, 1)


def test_a_sheet_without_room_is_refused_after_some_attempts():
    data = dataset(clean=1)
    dark = surface(0)
    dark[:, 4:] = 0
    last = data.entries[-1]
    hidden = replace(last, pixels=type(last.pixels)(dark[..., None]))
    with pytest.raises(SynthesisError, match=r"no room found for 'scratch' after 10 attempts"):
        maker(data=replace(data, entries=(*data.entries[:-1], hidden))).make(1, seed=0)


def test_impossible_handling_is_refused():
    with pytest.raises(ConfigError, match=r"expected a rotation of 0 to 180 degrees"):
        maker(how=Handling(rotation=181))
