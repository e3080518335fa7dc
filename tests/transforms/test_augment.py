import numpy as np
import pytest

from steel_defect_detection import transforms

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
EVERYTHING = {
    "crop_size": (32, 32),
    "rotation_degrees": 30,
    "zoom": 0.3,
    "brightness": 0.3,
    "contrast": 0.3,
    "blur_and_noise": 1,
}


def masks_at(rows: slice, columns: slice) -> np.ndarray:
    masks = np.zeros((2, 40, 60), dtype=np.bool_)
    masks[1, rows, columns] = True
    return masks


def test_the_seed_alone_decides_what_is_changed():
    augment = transforms.augmentation(**EVERYTHING)
    masks = masks_at(slice(10, 20), slice(10, 30))
    first, other, again = (
        transforms.apply(augment, IMAGE, masks, seed=seed)[0] for seed in (1, 2, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_layouts_stay_what_they_are():
    masks = masks_at(slice(10, 20), slice(10, 30))
    image, changed = transforms.apply(transforms.augmentation(**EVERYTHING), IMAGE, masks, seed=0)
    assert (image.shape, image.dtype) == ((32, 32, 3), np.uint8)
    assert (changed.shape, changed.dtype) == ((2, 32, 32), np.bool_)


@pytest.mark.parametrize(("row", "column"), [(20, 50), (0, 0), (0, 59), (39, 0), (39, 59)], ids=str)
@pytest.mark.parametrize("crop_size", [(8, 8), (1, 1), (40, 60)], ids=str)
def test_crops_on_defects_show_one_also_in_the_last_row_and_column(row, column, crop_size):
    augment = transforms.augmentation(crop_size=crop_size, defect_crops=1, flips=False)
    masks = masks_at(slice(row, row + 1), slice(column, column + 1))
    for seed in range(20):
        image, shown = transforms.apply(augment, IMAGE, masks, seed=seed)
        assert image.shape[:2] == crop_size
        assert shown.any()


def test_crops_anywhere_mostly_miss_a_small_defect():
    augment = transforms.augmentation(crop_size=(8, 8), defect_crops=0, flips=False)
    masks = masks_at(slice(20, 21), slice(50, 51))
    shown = sum(transforms.apply(augment, IMAGE, masks, seed=seed)[1].any() for seed in range(60))
    assert shown < 15


def test_images_smaller_than_the_crop_are_padded():
    augment = transforms.augmentation(crop_size=(64, 64))
    image, masks = transforms.apply(augment, IMAGE, masks_at(slice(0, 2), slice(0, 2)), seed=0)
    assert image.shape == (64, 64, 3)
    assert masks.sum() == 4


@pytest.mark.parametrize("seed", range(8))
def test_flips_move_image_and_masks_together(seed):
    masks = np.stack([IMAGE[..., 0] > 127, IMAGE[..., 1] > 127])
    image, changed = transforms.apply(transforms.augmentation(), IMAGE, masks, seed=seed)
    assert np.array_equal(changed[0], image[..., 0] > 127)
    assert np.array_equal(changed[1], image[..., 1] > 127)


def test_without_changes_an_image_stays_as_it_is():
    image, masks = transforms.apply(transforms.augmentation(flips=False), IMAGE, None, seed=0)
    assert np.array_equal(image, IMAGE)
    assert masks is None


def test_the_flips_are_drawn_independently_of_each_other():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    kinds = [image, image[:, ::-1], image[::-1], image[::-1, ::-1]]
    augment = transforms.augmentation()
    flipped = [transforms.apply(augment, image, None, seed=seed)[0] for seed in range(400)]
    counts = [sum(np.array_equal(one, kind) for one in flipped) for kind in kinds]
    # 100 each; four standard deviations are 35.
    assert sum(counts) == 400
    assert min(counts) > 65


def test_no_two_operations_draw_the_same_numbers():
    # Rotation comes with every fourth image, lights with three of four.
    augment = transforms.augmentation(flips=False, rotation_degrees=90, brightness=0.5)
    image = np.full((20, 20, 1), 100, dtype=np.uint8)
    image[:10] = 50
    turned = lit = both = 0
    for seed in range(400):
        changed = transforms.apply(augment, image, None, seed=seed)[0]
        is_turned = changed[:10].std() > 0
        is_lit = not np.isin([50, 100], changed).all()
        turned, lit, both = turned + is_turned, lit + is_lit, both + (is_turned and is_lit)
    # Drawn by themselves, they meet in 3/16 of 400 images; together, in 100 of them.
    assert turned == pytest.approx(100, abs=36)
    assert lit == pytest.approx(300, abs=36)
    assert both == pytest.approx(75, abs=24)
