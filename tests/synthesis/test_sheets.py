from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError, SynthesisError
from steel_defect_detection.sample import Sample
from steel_defect_detection.synthesis import sheets
from steel_defect_detection.synthesis.patches import Template
from steel_defect_detection.synthesis.sheets import Sheets
from tests.datasets.drawn import entry
from tests.synthesis.sheets_and_defects import dataset, surface


def supply(kind, data=None):
    return Sheets(dataset=data or dataset(), kinds=(kind,), shape=(64, 96))


def sample(masks, image=None):
    pixels = surface(0)[..., None] if image is None else image
    return Sample(name="1.png", image=pixels, classes=("a", "b"), masks=masks)


def square(class_number, rows=slice(20, 30), columns=slice(20, 30)):
    masks = np.zeros((2, 64, 64), np.bool_)
    masks[class_number, rows, columns] = True
    return masks


def test_clean_sheets_are_images_without_defect():
    names = {supply("clean").pick(np.random.default_rng(seed)).source for seed in range(20)}
    assert names == {"6.png", "7.png"}


def test_sheets_as_they_are_keep_their_defects_and_are_not_free_there():
    sheet = supply("as-is").pick(np.random.default_rng(0))
    defects = sheet.masks.any(axis=0)
    assert defects.any()
    assert not (sheet.free & defects).any()
    assert (sheet.free | defects).all()


def test_a_cleaned_sheet_has_the_light_and_the_grain_of_the_rest():
    image = surface(3, level=120)
    image[20:30, 20:30] = 250
    sheet = sheets.of_sample(
        sample(square(0), image[..., None]), "cleaned", np.random.default_rng(0)
    )
    inside, outside = sheet.image[20:30, 20:30, 0], image[40:60, 40:60]
    assert not sheet.masks.any()
    assert sheet.free.all()
    assert abs(inside.mean() - outside.mean()) < 3
    assert 0.5 < inside.std() / outside.std() < 1.5
    # Nothing changes a few pixels away.
    far = np.ones((64, 64), np.bool_)
    far[14:36, 14:36] = False
    assert np.array_equal(sheet.image[far][:, 0], image[far])


def test_an_image_that_is_mostly_defect_is_not_cleaned():
    masks = square(1, slice(0, 40), slice(0, 40))
    assert sheets.of_sample(sample(masks), "cleaned", np.random.default_rng(0)) is None
    first = dataset().entries[0]
    covered = replace(first, masks=type(first.masks)(masks))
    everything = replace(dataset(), entries=(covered,)).labelled()
    with pytest.raises(SynthesisError, match=r"the defects cover more than 25% of each"):
        supply("cleaned", everything).pick(np.random.default_rng(0))


def test_nothing_is_put_on_the_darkness_beyond_the_strip():
    image = surface(0)[..., None]
    image[:, 40:] = 4
    sheet = sheets.of_sample(sample(np.zeros((2, 64, 64), np.bool_), image), "clean", None)
    assert sheet.free[:, :30].all()
    assert not sheet.free[:, 50:].any()
    # Also where most of the image is dark; an image that is nothing but dark has no edge.
    image[:, 20:] = 4
    assert not sheets.is_steel(image)[:, 30:].any()
    assert sheets.is_steel(np.zeros((64, 64, 1), np.uint8)).all()


def test_a_pixel_of_two_classes_belongs_to_the_first():
    masks = square(0) | square(1, slice(25, 35), slice(25, 35))
    sheet = sheets.of_sample(sample(masks), "as-is", np.random.default_rng(0))
    assert np.array_equal(sheet.masks[0], masks[0])
    assert np.array_equal(sheet.masks[1], masks[1] & ~masks[0])


def test_drawn_sheets_have_the_shape_asked_for_and_no_source():
    sheet = supply("drawn").pick(np.random.default_rng(1))
    assert sheet.image.shape == (64, 96, 1)
    assert sheet.source is None
    assert sheet.masks.shape == (2, 64, 96)


def test_drawn_sheets_are_as_large_as_the_images_unless_told_otherwise():
    sheets_ = Sheets(dataset=dataset(), kinds=("drawn",))
    assert sheets_.pick(np.random.default_rng(1)).image.shape == (64, 64, 1)
    nothing = replace(dataset(), entries=())
    drawn = Sheets(dataset=nothing, kinds=("drawn",)).pick(np.random.default_rng(1))
    assert drawn.image.shape == (256, 1600, 1)
    for shape in ((16, 64), (100_000, 100_000)):
        with pytest.raises(ConfigError, match=r"expected a shape of at least 32 x 32 and at most"):
            Sheets(dataset=dataset(), kinds=("drawn",), shape=shape)


def test_images_without_masks_are_cleaned_where_their_templates_are_found():
    pattern = np.random.default_rng(5).integers(0, 90, (10, 12)).astype(np.uint8)
    image = surface(1)
    image[20:30, 40:52] = pattern
    bare = [
        entry("1.png", image, labels=(True, False)),
        entry("2.png", surface(2), labels=(True, False)),
    ]
    data = Dataset(classes=("a", "b"), entries=tuple(bare))
    templates = {1: (Template(image=pattern[..., None]),)}
    assert sheets.choose_kinds(data) == ("drawn",)
    assert sheets.choose_kinds(data, templates) == ("cleaned",)
    supplied = Sheets(dataset=data, kinds=("cleaned",), templates=templates)
    for seed in range(4):
        sheet = supplied.pick(np.random.default_rng(seed))
        assert sheet.source == "1.png"
        assert sheet.image[20:30, 40:52].mean() > 110
    with pytest.raises(ConfigError, match="as-is need masks"):
        Sheets(dataset=data, kinds=("cleaned",), templates={2: templates[1]})


def test_another_image_is_taken_where_there_is_one():
    data = dataset(count=2, clean=2)
    found = {
        supply("clean", data).pick(np.random.default_rng(seed), without="2.png").source
        for seed in range(10)
    }
    assert found == {"3.png"}
    alone = dataset(count=2, clean=1)
    assert supply("clean", alone).pick(np.random.default_rng(0), without="2.png").source == "2.png"


def test_clean_sheets_are_chosen_where_there_are_any():
    assert sheets.choose_kinds(dataset()) == ("clean",)
    assert sheets.choose_kinds(dataset(clean=0)) == ("as-is",)


def test_kinds_that_do_not_exist_or_have_no_image_are_refused():
    with pytest.raises(ConfigError, match=r"sheets are clean, cleaned, as-is, drawn; got dirty"):
        supply("dirty")
    with pytest.raises(
        ConfigError, match=r"no training image to take as a sheet of the kind clean"
    ):
        supply("clean", dataset(clean=0))
