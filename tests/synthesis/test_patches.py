from dataclasses import replace

import cv2
import numpy as np
import pytest

from steel_defect_detection.datasets.crops import Box
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError, SynthesisError
from steel_defect_detection.sample import Sample
from steel_defect_detection.synthesis.blending import MARGIN
from steel_defect_detection.synthesis.patches import Patches, Template, cut, match
from tests.datasets.drawn import entry
from tests.synthesis.sheets_and_defects import CLASSES, dataset, surface


def sample(masks, image=None):
    pixels = surface(0)[..., None] if image is None else image
    return Sample(name="1.png", image=pixels, classes=CLASSES, masks=masks)


def test_a_defect_is_cut_out_with_a_margin_and_its_mask():
    masks = np.zeros((2, 64, 64), np.bool_)
    masks[1, 20:28, 30:38] = True
    (patch,) = cut(sample(masks), 2)
    assert patch.box == Box(20 - MARGIN, 30 - MARGIN, 8 + 2 * MARGIN, 8 + 2 * MARGIN)
    assert patch.mask.sum() == 64
    assert patch.mask[MARGIN : MARGIN + 8, MARGIN : MARGIN + 8].all()
    assert patch.touches == (False, False, False, False)
    assert cut(sample(masks), 1) == []


def test_a_defect_at_the_border_says_which_sides_it_touches():
    masks = np.zeros((2, 64, 64), np.bool_)
    masks[0, :10, 54:] = True
    (patch,) = cut(sample(masks), 1)
    assert patch.touches == (True, False, False, True)
    assert patch.box == Box(0, 54 - MARGIN, 10 + MARGIN, 10 + MARGIN)


def test_a_neighbour_is_not_part_of_a_patch_and_is_painted_over():
    image, masks = surface(0), np.zeros((2, 64, 64), np.bool_)
    masks[0, 20:30, 20:30] = masks[1, 20:30, 34:44] = True
    image[masks.any(axis=0)] = 240
    one = entry("1.png", image, masks)
    only = Dataset(classes=CLASSES, entries=(one,)).labelled()
    patch = Patches(dataset=only, templates={}).pick(1, np.random.default_rng(0))
    assert patch.mask.sum() == 100
    assert (patch.image[patch.mask] == 240).all()
    assert patch.image[~patch.mask].max() < 200
    assert not patch.others.any()


def test_specks_are_left_out():
    masks = np.zeros((2, 64, 64), np.bool_)
    masks[0, 5:25, 5:25] = True
    masks[0, 50:52, 50:52] = True
    assert len(cut(sample(masks), 1)) == 1


def test_images_without_masks_have_nothing_to_cut():
    assert cut(Sample(name="1.png", image=surface(0)[..., None], classes=CLASSES), 1) == []


def test_a_template_is_found_where_it_lies_whatever_the_light():
    """OpenCV's own correlation, at the place where the template was put, is the reference."""
    image = surface(1)
    pattern = np.random.default_rng(5).integers(60, 140, (12, 16)).astype(np.uint8)
    image[33:45, 7:23] = pattern
    brighter = np.clip(0.8 * image.astype(float) + 30, 0, 255).astype(np.uint8)
    found = match(
        Sample(name="1.png", image=brighter[..., None], classes=CLASSES),
        Template(image=pattern[..., None]),
    )
    assert found.box == Box(33 - MARGIN, 0, 12 + 2 * MARGIN, 23 + MARGIN)
    assert found.mask.sum() == 12 * 16
    assert found.score == pytest.approx(
        np.corrcoef(brighter[33:45, 7:23].ravel(), pattern.ravel())[0, 1], abs=1e-3
    )


def test_only_the_grey_levels_of_the_ink_are_cut_out():
    image = surface(1)
    pattern = np.full((12, 12), 230, np.uint8)
    pattern[4:8, 2:10] = 40
    image[20:32, 20:32] = pattern
    whole = Sample(name="1.png", image=image[..., None], classes=CLASSES)
    found = match(whole, Template(image=pattern[..., None], ink=(0, 100)))
    assert found.mask.sum() == 32
    assert match(whole, Template(image=pattern[..., None], ink=(100, 110))) is None


def test_what_is_not_there_is_not_found():
    template = Template(image=np.random.default_rng(1).integers(0, 256, (9, 9, 1)).astype(np.uint8))
    plain = Sample(name="1.png", image=np.full((64, 64, 1), 99, np.uint8), classes=CLASSES)
    assert match(plain, template) is None
    assert match(replace(plain, image=surface(2)[..., None]), template) is None
    huge = Template(image=np.zeros((65, 10, 1), np.uint8))
    assert match(plain, huge) is None


def test_colour_images_and_grey_templates_fit_each_other():
    image = surface(1)
    pattern = np.random.default_rng(5).integers(60, 140, (12, 16)).astype(np.uint8)
    image[33:45, 7:23] = pattern
    colour = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    found = match(
        Sample(name="1.png", image=colour, classes=CLASSES), Template(image=pattern[..., None])
    )
    assert found.score > 0.99


def test_patches_of_a_class_come_from_all_its_images():
    patches = Patches(dataset=dataset(), templates={})
    assert patches.classes == (1, 2)
    sources = {patches.pick(2, np.random.default_rng(seed)).source for seed in range(30)}
    assert sources == {"1.png", "3.png", "5.png"}


def test_a_class_that_nothing_shows_is_refused_by_name():
    only_scratches = dataset().subset([0, 2, 6])
    with pytest.raises(ConfigError, match=r"no training image shows 'pit' with a mask"):
        Patches(dataset=only_scratches, templates={}).pick(2, np.random.default_rng(0))
    odd = {
        2: (
            Template(image=np.random.default_rng(0).integers(0, 256, (20, 20, 1)).astype(np.uint8)),
        )
    }
    with pytest.raises(
        SynthesisError, match=r"no 'pit' could be cut out of 3 .*place scores 0\.\d"
    ):
        Patches(dataset=dataset(), templates=odd).pick(2, np.random.default_rng(0))
    huge = {2: (Template(image=np.zeros((65, 70, 1), np.uint8)),)}
    with pytest.raises(SynthesisError, match="the templates are larger than the images"):
        Patches(dataset=dataset(), templates=huge).pick(2, np.random.default_rng(0))


def test_a_set_without_masks_needs_templates():
    bare = tuple(replace(entry, masks=None) for entry in dataset().entries)
    with pytest.raises(ConfigError, match=r"nothing to cut out.*--templates FOLDER"):
        Patches(dataset=replace(dataset(), entries=bare), templates={})
