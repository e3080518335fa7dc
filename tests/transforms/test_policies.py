from typing import get_args

import albumentations as A  # noqa: N812
import numpy as np
import pytest

from steel_defect_detection import transforms
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.transforms import policies

NAMES = get_args(TrainConfig.model_fields["policy"].annotation)
DRAWING = sorted(set(NAMES) - {"flips", "none"})


def sheet(height: int = 48, width: int = 80) -> np.ndarray:
    """A coloured image with edges, slopes and noise: whatever is done to it can be seen."""
    rows, columns = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).normal(0, 8, (height, width, 3))
    slopes = np.stack([60 + columns, 90 + rows, 150 - columns // 2], axis=2)
    slopes[height // 4 : height // 2, width // 5 : width // 2] += 70
    return (slopes + noise).clip(20, 230).astype(np.uint8)


def grey(channels: int, height: int = 48, width: int = 80) -> np.ndarray:
    return np.repeat(sheet(height, width)[..., :1], channels, axis=2)


def done(step: policies.Step, image: np.ndarray, seed: int = 0) -> np.ndarray:
    return transforms.apply(A.Compose([step]), image, None, seed=seed)[0]


def drawn(policy: str, **settings) -> A.Compose:
    return transforms.augmentation(flips=False, policy=policy, **settings)


@pytest.mark.parametrize("policy", DRAWING)
def test_the_seed_alone_decides_what_is_drawn(policy):
    masks = np.stack([sheet()[..., 0] > 127])
    first, second = drawn(policy), drawn(policy)
    # The second has a past, the first has none.
    for seed in range(5):
        transforms.apply(second, sheet(), masks, seed=seed)
    for seed in range(15):
        ours, theirs = (transforms.apply(one, sheet(), masks, seed=seed) for one in (first, second))
        assert np.array_equal(ours[0], theirs[0])
        assert np.array_equal(ours[1], theirs[1])
    results = {transforms.apply(first, sheet(), None, seed=seed)[0].tobytes() for seed in range(30)}
    assert len(results) > 8


@pytest.mark.parametrize("policy", DRAWING)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_given_image_and_masks_stay_as_they_are(policy, channels):
    image, masks = grey(channels), sheet().transpose(2, 0, 1) > 127
    for seed in range(20):
        transforms.apply(drawn(policy), image, masks, seed=seed)
    assert np.array_equal(image, grey(channels))
    assert np.array_equal(masks, sheet().transpose(2, 0, 1) > 127)


@pytest.mark.parametrize("policy", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 3), (33, 549)])
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_and_type_stay_whatever_the_size(policy, shape, channels):
    augment = transforms.augmentation(policy=policy)
    image = np.random.default_rng(0).integers(0, 256, (*shape, channels), dtype=np.uint8)
    masks = np.zeros((5, *shape), dtype=np.bool_)
    masks[3, 0, 0] = True
    for seed in range(25 if max(shape) < 10 else 6):
        changed, moved = transforms.apply(augment, image, masks, seed=seed)
        assert (changed.shape, changed.dtype) == (image.shape, np.uint8)
        assert (moved.shape, moved.dtype) == (masks.shape, np.bool_)


@pytest.mark.parametrize("policy", DRAWING)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_images_of_one_grey_level_are_no_trouble(policy, level):
    image = np.full((12, 20, 3), level, dtype=np.uint8)
    for seed in range(25):
        assert transforms.apply(drawn(policy), image, None, seed=seed)[0].shape == image.shape


@pytest.mark.parametrize("policy", DRAWING)
def test_grey_stays_grey_and_three_channels_are_treated_like_one(policy):
    augment = drawn(policy)
    for seed in range(25):
        three = transforms.apply(augment, grey(3), None, seed=seed)[0]
        one = transforms.apply(augment, grey(1), None, seed=seed)[0]
        assert np.array_equal(three, np.repeat(one, 3, axis=2))


@pytest.mark.parametrize("name", sorted(policies.OPERATIONS))
def test_every_operation_of_the_papers_changes_something(name):
    assert not np.array_equal(done(policies.OPERATIONS[name](0.3), sheet()), sheet())


@pytest.mark.parametrize("number", range(18))
def test_every_operation_of_the_four_phases_changes_something(number):
    steps = [step for phase in policies.phases() for step in phase]
    assert len(steps) == 18
    assert not np.array_equal(done(steps[number], sheet()), sheet())


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_every_corruption_changes_something(severity):
    made = policies.corruptions(severity)
    assert sorted(made) == sorted(
        [
            *("gaussian_blur", "shot_noise", "impulse_noise", "motion_blur", "zoom_blur"),
            *("pixelate", "jpeg_compression"),
        ]
    )
    for step in made.values():
        assert not np.array_equal(done(step, grey(3)), grey(3))


def test_stronger_corruptions_stray_further():
    def distance(name: str, severity: int) -> float:
        image = grey(1, 96, 160).astype(float)
        return np.abs(done(policies.corruptions(severity)[name], grey(1, 96, 160)) - image).mean()

    for name in policies.corruptions(1):
        assert distance(name, 5) > distance(name, 1)


@pytest.mark.parametrize("policy", DRAWING)
def test_masks_move_with_their_images(policy):
    # Far from the borders, so that its mirror image does not come in.
    image = np.full((90, 120, 3), 40, dtype=np.uint8)
    image[35:55, 45:75] = 200
    masks = (image[..., 0] > 120)[None]
    agreed = []
    for seed in range(40):
        changed, moved = transforms.apply(drawn(policy), image, masks, seed=seed)
        # Whatever became of the colours, mirrored ones included, the square is
        # what differs from the sheet around.
        inside, outside = changed[moved[0]].astype(float), changed[~moved[0]].astype(float)
        assert len(inside)
        middle = (np.median(inside, axis=0) + np.median(outside, axis=0)) / 2
        sign = np.sign(np.median(inside, axis=0) - np.median(outside, axis=0))
        seen = ((changed - middle) * sign).mean(axis=2) > 0
        if sign.any():
            agreed.append((seen == moved[0]).mean())
    assert len(agreed) > 20  # equalized, two grey levels may become one
    assert min(agreed) > 0.93  # noise and blur of the corruptions
    assert np.median(agreed) > 0.99


@pytest.mark.parametrize("number", range(3))
def test_operations_of_position_move_masks_to_the_pixel(number):
    step = policies.phases()[0][number]
    image = np.zeros((90, 120, 3), dtype=np.uint8)
    image[35:55, 45:75] = 255
    for seed in range(10):
        changed, moved = transforms.apply(
            A.Compose([step]), image, image[..., 0][None] > 0, seed=seed
        )
        # Half a pixel along the rim of 100 pixels, of 10,800.
        assert ((changed[..., 0] > 127) != moved[0]).mean() < 0.008


def test_what_moves_out_is_filled_with_the_mirror_image():
    bright = np.full((40, 60, 3), 200, dtype=np.uint8)
    for name in ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"):
        assert done(policies.OPERATIONS[name](1.0), bright).min() == 200


@pytest.mark.parametrize("kind", ["noise", "sheet", "grey"])
def test_operations_do_what_torchvision_does(kind):
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("torchvision.transforms.v2.functional")
    image = {
        "noise": np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8),
        "sheet": sheet(),
        "grey": grey(1),
    }[kind]
    tensor = torch.from_numpy(image.transpose(2, 0, 1).copy())
    for share in (0.2, 0.3, 0.6, 0.9):
        expected = {
            "Posterize": theirs.posterize(tensor, 8 - round(4 * share)),
            "Solarize": theirs.solarize(tensor, 255 * (1 - share)),
            "AutoContrast": theirs.autocontrast(tensor),
            "Equalize": theirs.equalize(tensor),
            "Invert": theirs.invert(tensor),
        }
        for name, result in expected.items():
            ours = done(policies.OPERATIONS[name](share), image).astype(int)
            difference = np.abs(ours - result.numpy().transpose(1, 2, 0))
            # albumentations counts the pixels per grey level otherwise when it equalizes.
            assert difference.max() <= (8 if name == "Equalize" else 1), (name, share)


@pytest.mark.parametrize("name", ["Brightness", "Color", "Contrast", "Sharpness"])
def test_either_direction_is_that_of_torchvision(name):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    theirs = {
        "Brightness": functional.adjust_brightness,
        "Color": functional.adjust_saturation,
        "Contrast": functional.adjust_contrast,
        "Sharpness": functional.adjust_sharpness,
    }[name]
    tensor = torch.from_numpy(sheet().transpose(2, 0, 1).copy())
    # Pillow and torchvision leave the outermost pixels as they are.
    inner = (slice(1, -1), slice(1, -1))
    expected = [
        theirs(tensor, factor).numpy().transpose(1, 2, 0)[inner].astype(int)
        for factor in (1.27, 0.73)
    ]
    came = set()
    for seed in range(12):
        ours = done(policies.OPERATIONS[name](0.3), sheet(), seed)[inner]
        off = [np.abs(ours - result).max() for result in expected]
        assert min(off) <= 2
        came.add(int(np.argmin(off)))
    assert came == {0, 1}


def test_the_pairs_of_auto_augment_are_those_of_torchvision():
    auto = pytest.importorskip("torchvision.transforms.v2").AutoAugment
    theirs = [
        tuple((name, chance, magnitude or 0) for name, chance, magnitude in pair)
        for pair in auto()._get_policies(
            pytest.importorskip("torchvision.transforms").AutoAugmentPolicy.IMAGENET
        )
    ]
    assert list(policies.IMAGENET_PAIRS) == theirs


def test_operations_of_a_pair_come_with_their_probabilities(monkeypatch):
    # Inverting turns 10 into 245, posterizing to 4 bits turns that into 240 and 10 into 0.
    pair = (("Invert", 0.6, 0), ("Posterize", 0.3, 9))
    monkeypatch.setattr(policies, "IMAGENET_PAIRS", (pair,))
    augment = A.Compose([policies.auto_augment()])
    image = np.full((4, 4, 3), 10, dtype=np.uint8)
    seen = [int(transforms.apply(augment, image, None, seed=s)[0][0, 0, 0]) for s in range(500)]
    shares = {level: seen.count(level) / 500 for level in (10, 245, 0, 240)}
    # Four standard deviations of 500 draws are 0.09.
    expected = {10: 0.28, 245: 0.42, 0: 0.12, 240: 0.18}
    assert shares == pytest.approx(expected, abs=0.09)


def test_rand_augment_draws_from_the_operations_of_torchvision():
    rand = pytest.importorskip("torchvision.transforms.v2").RandAugment
    step = policies.rand_augment()
    assert len(step.transforms) == len(rand._AUGMENTATION_SPACE)
    assert set(policies.OPERATIONS) == (set(rand._AUGMENTATION_SPACE) | {"Invert"}) - {"Identity"}
    assert (step.n, step.replace) == (2, True)


def test_a_policy_comes_after_the_crop_and_none_leaves_only_the_crop():
    plain = transforms.augmentation(
        crop_size=(20, 30), rotation_degrees=30, brightness=0.5, blur_and_noise=1, policy="none"
    )
    crop = transforms.apply(plain, sheet(), sheet()[..., 0][None] > 200, seed=1)[0]
    windows = np.lib.stride_tricks.sliding_window_view(sheet(), (20, 30, 3))
    assert (windows == crop).all(axis=(-3, -2, -1)).any()
    both = transforms.augmentation(crop_size=(20, 30), policy="phases")
    masks = sheet()[..., 0][None] > 200
    assert transforms.apply(both, sheet(), masks, seed=1)[0].shape == (20, 30, 3)


def test_the_policies_are_those_of_the_settings():
    assert [policies.build(name) is not None for name in NAMES] == [True] * len(NAMES)
    with pytest.raises(
        ConfigError,
        match=r"there is no policy 'best'\. Policies: flips, rand_augment, auto_augment",
    ):
        transforms.augmentation(policy="best")
