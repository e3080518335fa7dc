import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis
from scipy.stats import multivariate_normal

from steel_defect_detection.models.config import FamiliarityConfig
from steel_defect_detection.models.familiarity import Familiarity

CHANNELS = (3, 5)
SIZES = (6, 10)
DIRECTIONS = 2
PLACES = (slice(0, 6), slice(6, 16))


def density(seed: int = 0, kinds: int = 2) -> Familiarity:
    """A density with random kinds, and with the directions of each at right angles."""
    random = np.random.default_rng(seed)
    made = Familiarity(FamiliarityConfig(kinds=kinds, channels=CHANNELS, directions=DIRECTIONS))

    def fill(name: str, low: float, high: float) -> None:
        buffer = getattr(made, name)
        buffer.copy_(torch.from_numpy(random.uniform(low, high, tuple(buffer.shape))))

    fill("mean", -3, 3)
    fill("spread", 0.5, 2)
    fill("variances", 1, 4)
    fill("residue", 0.1, 1)
    fill("center", -1, 1)
    fill("scale", 0.5, 2)
    fill("steepness", 0.5, 2)
    for kind in range(kinds):
        for size, place in zip(SIZES, PLACES, strict=True):
            upright, _ = np.linalg.qr(random.normal(size=(size, DIRECTIONS)))
            made.directions[kind, :, place] = torch.from_numpy(upright.T)
    return made


def covariance(made: Familiarity, kind: int, stage: int) -> np.ndarray:
    """The covariance that the buffers of one kind at one stage stand for, written out."""
    place = PLACES[stage]
    along = made.directions[kind, :, place].numpy().T.astype(np.float64)
    onto = along @ along.T
    inside = along @ np.diag(made.variances[kind, stage].numpy()) @ along.T
    outside = float(made.residue[kind, stage]) * (np.eye(SIZES[stage]) - onto)
    spread = np.diag(made.spread[kind, place].numpy())
    return spread @ (inside + outside) @ spread


def numbers(seed: int, batch: int = 1) -> torch.Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.normal(0, 4, (batch, sum(SIZES))).astype(np.float32))


@pytest.mark.parametrize("seed", range(3))
def test_log_distances_are_those_of_mahalanobis(seed):
    made, shown = density(seed), numbers(seed, batch=4)
    found = made.log_distances(shown)
    assert found.shape == (4, 2, 2)
    for image in range(4):
        for kind in range(2):
            for stage, place in enumerate(PLACES):
                inverse = np.linalg.inv(covariance(made, kind, stage))
                mean = made.mean[kind, place].numpy()
                distance = mahalanobis(shown[image, place].numpy(), mean, inverse)
                assert float(found[image, kind, stage]) == pytest.approx(
                    2 * math.log(distance), abs=1e-4
                )


def test_a_distance_is_how_much_less_likely_an_image_is_than_the_mean():
    made, shown = density(), numbers(7)
    place = PLACES[1]
    mean = made.mean[0, place].numpy()
    normal = multivariate_normal(mean, covariance(made, 0, 1))
    expected = 2 * (normal.logpdf(mean) - normal.logpdf(shown[0, place].numpy()))
    assert float(made.log_distances(shown)[0, 0, 1].exp()) == pytest.approx(expected, rel=1e-4)


def test_strangeness_of_an_example_worked_by_hand():
    made = Familiarity(FamiliarityConfig(kinds=1, channels=(1, 1), directions=1))
    # Squared distances 3 * 3 + 4 * 4 and 1: the logarithm of their mean.
    assert float(made.strangeness(torch.tensor([[3.0, 4, 1, 0]]))[0]) == pytest.approx(math.log(13))
    # Along a direction with variance 9 three are one: 1 + 16 at the first stage.
    made.directions[0, 0, 0] = 1
    made.variances[0, 0, 0] = 9
    assert float(made.strangeness(torch.tensor([[3.0, 4, 1, 0]]))[0]) == pytest.approx(math.log(9))


def only(made: Familiarity, kind: int) -> Familiarity:
    """One kind of a density."""
    config = FamiliarityConfig(kinds=1, channels=CHANNELS, directions=DIRECTIONS)
    alone = Familiarity(config)
    alone.load_state_dict(
        {
            name: value if name in {"center", "scale", "median", "steepness"} else value[[kind]]
            for name, value in made.state_dict().items()
        }
    )
    return alone


@given(st.integers(0, 1000))
def test_the_nearest_kind_counts(seed):
    made, shown = density(seed, kinds=3), numbers(seed, batch=5)
    each = torch.stack([only(made, kind).strangeness(shown) for kind in range(3)])
    assert torch.allclose(made.strangeness(shown), each.min(dim=0).values, atol=1e-5)


@given(st.integers(0, 1000))
def test_the_median_image_is_half_familiar(seed):
    made, shown = density(seed), numbers(seed)
    made.median.copy_(made.strangeness(shown)[0])
    assert float(made(shown)[0]) == pytest.approx(0.5)


@given(st.integers(0, 1000))
def test_familiarity_falls_along_every_ray_away_from_a_mean(seed):
    made = density(seed, kinds=1)
    made.median.fill_(2)
    steps = torch.linspace(0.5, 20, 30)[:, None]
    found = made(made.mean[0] + steps * numbers(seed))
    assert (found[1:] <= found[:-1]).all()
    assert found[0] > found[-1]


@given(st.integers(0, 1000), st.integers(0, 1))
def test_a_stage_that_is_stranger_makes_the_image_stranger(seed, stage):
    made = density(seed, kinds=1)
    shown = made.mean.clone()
    shown[0, :] += 0.1
    moved = shown.clone()
    moved[0, PLACES[stage]] += 5 * made.spread[0, PLACES[stage]]
    assert made.strangeness(moved)[0] > made.strangeness(shown)[0]


@given(st.integers(0, 1000))
def test_images_of_a_batch_do_not_touch_each_other(seed):
    made, shown = density(seed), numbers(seed, batch=3)
    alone = torch.cat([made(image[None]) for image in shown])
    assert torch.allclose(made(shown), alone, atol=1e-6)


def test_before_it_is_filled_everything_is_familiar():
    made = Familiarity(FamiliarityConfig(kinds=2, channels=CHANNELS, directions=3))
    assert (made(1e6 * numbers(0, batch=9)) == 1).all()


@pytest.mark.parametrize("value", [0.0, -7.0, 1e12, -1e30, 1e36])
def test_what_is_constant_or_huge_has_a_familiarity(value):
    made = density()
    made.median.fill_(3)
    found = float(made(torch.full((1, sum(SIZES)), value))[0])
    assert 0 <= found <= 1
    if abs(value) > 1e6:
        assert found < 1e-3


def test_the_mean_itself_has_a_familiarity():
    made = density()
    made.median.fill_(3)
    assert float(made(made.mean[:1])[0]) > 0.5


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_stays_none(value):
    # Whoever runs the network refuses such an answer; it must not pass as a familiarity.
    shown = numbers(0)
    shown[0, 3] = value
    assert torch.isnan(density()(shown)).all()


def test_a_density_survives_being_stored():
    made, other = density(1), density(2)
    other.load_state_dict(made.state_dict())
    assert torch.equal(other(numbers(0)), made(numbers(0)))
    assert set(made.state_dict()) == {
        *("mean", "spread", "directions", "variances", "residue"),
        *("center", "scale", "median", "steepness"),
    }
