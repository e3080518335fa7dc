import re

import numpy as np
import pytest
import torch

from steel_defect_detection.calibration import density
from steel_defect_detection.calibration.density import Look
from steel_defect_detection.errors import ConfigError

CHANNELS = (2, 3)
NUMBERS = 10


def looks(count, *, center=0.0, seed=0, kind=0, first_group=0, tiles=1) -> list[Look]:
    """Images of a cloud; each number has its own mean and spread."""
    random = np.random.default_rng(seed)
    scale = np.linspace(0.5, 2, NUMBERS)
    numbers = random.normal(center, 1, (count, tiles, NUMBERS)) * scale + 5
    return [
        Look(numbers=part.astype(np.float32), kind=kind, group=first_group + place)
        for place, part in enumerate(numbers)
    ]


def familiar(fitted, images) -> np.ndarray:
    """Familiarity of each image, that of its strangest tile."""
    found = [fitted(torch.from_numpy(look.numbers)).min() for look in images]
    return np.array([float(value) for value in found])


@pytest.mark.parametrize("kept", [0.98, 0.9])
@pytest.mark.parametrize("held_out", [True, False])
def test_of_new_images_of_the_cloud_the_share_is_kept(kept, held_out):
    own = looks(500, seed=1)
    others = looks(500, seed=2) if held_out else ()
    fitted = density.fit(own, CHANNELS, held_out=others, kept=kept)
    new = familiar(fitted, looks(2000, seed=3))
    assert (new >= 1 - kept).mean() == pytest.approx(kept, abs=0.025)
    assert np.median(new) == pytest.approx(0.5, abs=0.05)


def test_what_is_further_away_is_stranger():
    fitted = density.fit(looks(200), CHANNELS, kept=0.98)
    images = [looks(1, center=far)[0] for far in (0, 3, 10, 1000)]
    steps = [float(fitted.strangeness(torch.from_numpy(one.numbers))[0]) for one in images]
    assert steps == sorted(steps)
    assert familiar(fitted, looks(1, center=10))[0] < 0.02


@pytest.mark.parametrize(
    ("few", "kinds"),
    [pytest.param(25, 2, id="enough"), pytest.param(19, 1, id="too few")],
)
def test_a_kind_with_few_images_has_no_density_of_its_own(few, kinds):
    both = looks(60) + looks(few, center=9, kind=1, seed=1, first_group=60)
    fitted = density.fit(both, CHANNELS, kept=0.9)
    assert fitted.config.kinds == kinds
    between = looks(20, center=4.5, seed=7)
    # Between two clouds there is nothing, but the middle of one wide cloud is there.
    assert (familiar(fitted, between).mean() < 0.05) == (kinds == 2)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_class_without_images_is_no_kind(missing):
    numbers = [kind for kind in range(3) if kind != missing]
    both = [
        look
        for place, kind in enumerate(numbers)
        for look in looks(30, center=9 * place, kind=kind, seed=place, first_group=100 * place)
    ]
    assert density.fit(both, CHANNELS, kept=0.9).config.kinds == 2


def test_a_kind_that_is_one_group_is_held_out_with_the_others():
    alone = [Look(numbers=look.numbers, kind=1, group=999) for look in looks(30, center=3, seed=1)]
    fitted = density.fit(looks(60) + alone, CHANNELS, kept=0.9)
    assert fitted.config.kinds == 1
    # Held-out images of another part need no folds.
    parted = density.fit(looks(60) + alone, CHANNELS, held_out=looks(40, seed=2), kept=0.9)
    assert parted.config.kinds == 2


def test_copies_of_an_image_do_not_make_each_other_familiar():
    random = np.random.default_rng(0)
    # Twelve images ten times each, with little noise, as frames of a film.
    films = [
        Look(
            numbers=(look.numbers + random.normal(0, 0.01, (1, NUMBERS))).astype(np.float32),
            kind=0,
            group=look.group,
        )
        for look in looks(12)
        for _ in range(10)
    ]
    loose = [Look(numbers=look.numbers, kind=0, group=place) for place, look in enumerate(films)]
    new = looks(300, seed=9)
    shares = [
        (familiar(density.fit(images, CHANNELS, kept=0.9), new) >= 0.1).mean()
        for images in (films, loose)
    ]
    assert shares[0] > 0.75
    assert shares[1] < shares[0] - 0.2


def test_the_same_seed_gives_the_same_density_and_another_one_other_folds():
    fitted = [density.fit(looks(40), CHANNELS, kept=0.95, seed=seed) for seed in (0, 0, 1)]
    first, again, other = (one.state_dict() for one in fitted)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert torch.equal(first["mean"], other["mean"])
    assert not torch.equal(first["center"], other["center"])


def test_few_images_are_refused():
    message = "familiarity needs at least 8 images, got 7. Leave it out with --no-familiarity"
    with pytest.raises(ConfigError, match=re.escape(message)):
        density.fit(looks(7), CHANNELS, kept=0.98)


def test_images_of_one_group_cannot_be_judged_by_others():
    one = [Look(numbers=look.numbers, kind=0, group=0) for look in looks(20)]
    with pytest.raises(ConfigError, match="20 images are 1 group, and beside 20 of them too few"):
        density.fit(one, CHANNELS, kept=0.98)
    assert density.fit(one, CHANNELS, held_out=looks(20, seed=1), kept=0.98)
    two = [Look(numbers=look.numbers, kind=0, group=place > 2) for place, look in enumerate(one)]
    with pytest.raises(ConfigError, match="20 images are 2 groups, and beside 17 of them too few"):
        density.fit(two, CHANNELS, kept=0.98)


def test_images_that_all_look_alike_are_refused():
    same = [Look(numbers=looks(1)[0].numbers, kind=0, group=place) for place in range(20)]
    with pytest.raises(ConfigError, match="all held-out images look the same to the network"):
        density.fit(same, CHANNELS, kept=0.98)


def test_a_number_that_never_moves_makes_no_strangers():
    still = looks(100)
    for look in still:
        look.numbers[:, 4] = 1.0
    fitted = density.fit(still, CHANNELS, kept=0.95)
    new = looks(100, seed=4)
    for look in new:
        look.numbers[:, 4] = 1.0
    assert (familiar(fitted, new) >= 0.05).mean() > 0.85
