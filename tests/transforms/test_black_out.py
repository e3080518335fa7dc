import numpy as np
import pytest

from steel_defect_detection.transforms.black_out import black_out


def sheet_with_scratches() -> tuple[np.ndarray, np.ndarray]:
    """A grey sheet with a dark scratch (class 0) and a bright blotch (class 2)."""
    noise = np.random.default_rng(0).normal(100, 5, (64, 160, 1)).clip(0, 255).astype(np.uint8)
    image = np.repeat(noise, 3, axis=2)
    masks = np.zeros((3, 64, 160), dtype=np.bool_)
    masks[0, 10:14, 10:70] = True
    masks[2, 30:50, 100:130] = True
    image[masks[0]] = 20
    image[masks[2]] = 230
    return image, masks


def test_painted_out_defects_are_gone_and_so_are_their_labels():
    image, masks = sheet_with_scratches()
    painted, left = black_out(image, masks, probability=1, seed=0)
    assert not left.any()
    assert (painted.shape, painted.dtype, left.dtype) == (image.shape, np.uint8, np.bool_)
    # The sheet is 100 ± 5, the scratch was 20 and the blotch 230.
    for mask in (masks[0], masks[2]):
        assert abs(painted[mask].mean() - 100) < 6
        assert painted[mask].min() > 70
        assert painted[mask].max() < 130


def test_the_rest_of_the_sheet_stays_as_it_is():
    image, masks = sheet_with_scratches()
    painted, _ = black_out(image, masks, probability=1, seed=0, grow=0)
    rest = ~masks.any(axis=0)
    assert np.array_equal(painted[rest], image[rest])


def test_painted_places_have_the_grain_of_the_sheet():
    image, masks = sheet_with_scratches()
    painted, _ = black_out(image, masks, probability=1, seed=0)
    # Away from the rim, the noise of the sheet has a deviation of 5.
    assert 3 < painted[32:48, 102:128, 0].astype(float).std() < 8


def test_each_class_is_drawn_by_itself():
    image, masks = sheet_with_scratches()
    labels = [
        tuple(black_out(image, masks, probability=0.5, seed=seed)[1].any(axis=(1, 2)).tolist())
        for seed in range(200)
    ]
    kinds = {(a, False, b) for a in (False, True) for b in (False, True)}
    assert set(labels) == kinds
    # 50 of 200 each; 25 is more than four standard deviations away.
    assert min(labels.count(kind) for kind in kinds) > 25


def test_the_seed_alone_decides_and_the_given_arrays_stay():
    image, masks = sheet_with_scratches()
    kept, kept_masks = image.copy(), masks.copy()
    first, again, other = (
        black_out(image, masks, probability=1, seed=seed)[0] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(image, kept)
    assert np.array_equal(masks, kept_masks)


def test_masks_of_other_classes_lose_what_was_painted():
    image, masks = sheet_with_scratches()
    masks[1, 8:40, 60:64] = True  # crosses the scratch
    for seed in range(50):
        painted, left = black_out(image, masks, probability=0.5, seed=seed)
        changed = (painted != image).any(axis=2)
        assert not (left & changed).any()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 3), (33, 549)])
def test_any_size_is_fine(shape, channels):
    image = np.random.default_rng(0).integers(0, 256, (*shape, channels), dtype=np.uint8)
    masks = np.zeros((2, *shape), dtype=np.bool_)
    masks[1, 0, 0] = True
    painted, left = black_out(image, masks, probability=1, seed=0, grow=1)
    assert (painted.shape, left.shape) == (image.shape, masks.shape)


def test_grey_stays_grey():
    image, masks = sheet_with_scratches()
    painted, _ = black_out(image, masks, probability=1, seed=0)
    assert (painted == painted[..., :1]).all()


def test_images_that_are_all_defect_or_show_none_stay_as_they_are():
    image, masks = sheet_with_scratches()
    for same in (np.zeros_like(masks), np.ones_like(masks), masks[:0]):
        painted, left = black_out(image, same, probability=1, seed=0)
        assert np.array_equal(painted, image)
        assert np.array_equal(left, same)


def test_probability_zero_paints_nothing():
    image, masks = sheet_with_scratches()
    assert np.array_equal(black_out(image, masks, probability=0, seed=0)[0], image)
