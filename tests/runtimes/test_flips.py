import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.config import Preprocessing
from steel_defect_detection.runtimes import tiling
from steel_defect_detection.runtimes.flips import copies, flipping, looks, refuse_unknown

ALL = ("none", "horizontal", "vertical", "both")
TIMES = {"none": 1, "horizontal": 2, "vertical": 2, "both": 4}


class Toy:
    """A network that a test makes up; notes the shapes of what it was shown."""

    name, parallel, precision = "toy cpu float32", 3, "bfloat16"
    preprocessing = Preprocessing(channels=1)

    def __init__(self):
        self.shapes = []

    def run(self, images, **features):
        self.shapes.append(images.shape)
        return self.answer(images[..., 0].astype(np.float32))


class Edges(Toy):
    """How far a pixel is from its neighbours: exactly the same in a mirror."""

    def answer(self, pixels):
        pairs = [(np.roll(pixels, 1, axis), np.roll(pixels, -1, axis)) for axis in (1, 2)]
        map_ = sum(np.abs(2 * pixels - (one + other)) for one, other in pairs) / 1020
        return {"probabilities": map_[:, None], "defect_probability": map_.max(axis=(1, 2))}


class TopLeft(Toy):
    """Sees the pixel in the upper left corner alone, in percent."""

    def answer(self, pixels):
        map_ = np.zeros_like(pixels)
        map_[:, 0, 0] = pixels[:, 0, 0] / 100
        return {"probabilities": map_[:, None]}


class TopLeftClassifier(Toy):
    """Says of the whole image what its upper left corner says, and how familiar that is."""

    def answer(self, pixels):
        share = pixels[:, 0, 0] / 100
        return {
            "probabilities": np.stack([share, 1 - share], axis=1),
            "defect_probability": share,
            "familiarity": share,
        }


class Crooked(Toy):
    """Weighs each place of an image in its own way, and not in proportion."""

    def answer(self, pixels):
        weights = np.random.default_rng(5).random((2, *pixels.shape[1:]), dtype=np.float32)
        map_ = np.tanh(pixels[:, None] / 255 * weights) ** 2
        return {"probabilities": map_, "defect_probability": map_.mean(axis=(1, 2, 3))}


def picture(values) -> np.ndarray:
    return np.array(values, dtype=np.uint8)[None, ..., None]


CORNERS = picture([[10, 20], [30, 40]])
NOISE = np.random.default_rng(0).integers(0, 256, (3, 5, 8, 1), dtype=np.uint8)


@pytest.mark.parametrize("flips", ALL)
def test_a_network_that_sees_no_sides_says_exactly_what_it_says_without(flips):
    network = Edges()
    plain = Edges().run(NOISE)
    found = flipping(network, flips).run(NOISE)
    assert list(found) == list(plain)
    for name, values in plain.items():
        assert np.array_equal(found[name], values)
        assert found[name].dtype == np.float32
    assert network.shapes == [NOISE.shape] * TIMES[flips]
    assert looks(flips) == TIMES[flips]


# By hand: each mirrored copy brings another of the four pixels into the corner.
@pytest.mark.parametrize(
    ("flips", "expected"),
    [
        ("none", [[0.1, 0], [0, 0]]),
        ("horizontal", [[0.05, 0.1], [0, 0]]),
        ("vertical", [[0.05, 0], [0.15, 0]]),
        ("both", [[0.025, 0.05], [0.075, 0.1]]),
    ],
)
def test_maps_are_turned_back_before_they_are_averaged(flips, expected):
    found = flipping(TopLeft(), flips).run(CORNERS)["probabilities"]
    assert found.shape == (1, 1, 2, 2)
    assert np.allclose(found[0, 0], expected, atol=1e-7)


@pytest.mark.parametrize(
    ("flips", "expected"), [("none", 0.1), ("horizontal", 0.15), ("vertical", 0.2), ("both", 0.25)]
)
def test_of_whole_images_the_mean_probability_counts_and_the_image_s_own_familiarity(
    flips, expected
):
    found = flipping(TopLeftClassifier(), flips).run(CORNERS)
    assert np.allclose(found["probabilities"], [[expected, 1 - expected]])
    assert np.allclose(found["defect_probability"], [expected])
    assert np.allclose(found["familiarity"], [0.1])


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from(ALL))
def test_probabilities_that_add_up_to_one_still_do(seed, count, flips):
    class Exclusive(Toy):
        def answer(self, pixels):
            odds = np.exp(pixels[:, 0, :4] / 20)
            return {"probabilities": odds / odds.sum(axis=1, keepdims=True)}

    images = np.random.default_rng(seed).integers(0, 256, (count, 3, 6, 1), dtype=np.uint8)
    found = flipping(Exclusive(), flips).run(images)["probabilities"]
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert (found >= 0).all()


MIRRORS = {"horizontal": (-1,), "vertical": (-2,), "both": (-1, -2)}


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.sampled_from(ALL[1:]))
def test_a_mirrored_image_gives_the_mirrored_answer(seed, height, width, flips):
    images = np.random.default_rng(seed).integers(0, 256, (2, height, width, 1), dtype=np.uint8)
    runtime = flipping(Crooked(), flips)
    axes = MIRRORS[flips]
    mirrored = np.ascontiguousarray(np.flip(images, [axis - 1 for axis in axes]))
    one, other = runtime.run(images), runtime.run(mirrored)
    assert np.array_equal(np.flip(other["probabilities"], axes), one["probabilities"])
    assert np.array_equal(other["defect_probability"], one["defect_probability"])


class Half(Toy):
    """First half of a network: features are halved images."""

    def answer(self, pixels):
        return {
            "defect_probability": pixels[:, 0, 0] / 100,
            "feature_1": pixels[:, None, ::2, ::2],
        }


class OtherHalf(Toy):
    """Second half: doubles the features, with more weight to the left."""

    def run(self, images, feature_1):
        self.shapes.append(feature_1.shape)
        map_ = feature_1.repeat(2, axis=2).repeat(2, axis=3)[..., : images.shape[2]]
        return {"probabilities": map_ / 255 / np.arange(1, images.shape[2] + 1)}


class Whole(Toy):
    """Both halves in one."""

    def run(self, images):
        first = Half().run(images)
        return OtherHalf().run(images, feature_1=first["feature_1"])


@pytest.mark.parametrize("flips", ALL)
def test_halves_go_on_from_the_features_of_each_copy(flips):
    images = NOISE[:, :4].copy()
    first, second = flipping(Half(), flips), flipping(OtherHalf(), flips)
    seen = first.run(images)
    found = second.run(images, feature_1=seen["feature_1"])
    expected = flipping(Whole(), flips).run(images)
    assert np.array_equal(found["probabilities"], expected["probabilities"])


def test_copies_are_what_a_flipping_runtime_shows():
    class Remembering(Toy):
        shown = ()

        def answer(self, pixels):
            self.shown = (*self.shown, pixels[0].tolist())
            return {"defect_probability": pixels[:, 0, 0]}

    for flips in ALL:
        network = Remembering()
        flipping(network, flips).run(CORNERS)
        assert [one[..., 0].tolist() for one in copies(CORNERS[0], flips)] == list(network.shown)
    assert [one[0, 0, 0] for one in copies(CORNERS[0], "both")] == [10, 20, 30, 40]


def test_a_flipping_runtime_says_of_itself_what_the_network_says():
    runtime = flipping(Toy(), "both")
    assert (runtime.name, runtime.parallel, runtime.precision) == ("toy cpu float32", 3, "bfloat16")
    assert runtime.preprocessing == Toy.preprocessing


def test_tiles_of_a_large_image_are_flipped_one_by_one(monkeypatch):
    monkeypatch.setattr(tiling, "MOST_PIXELS", 100)
    monkeypatch.setattr(tiling.windows, "__kwdefaults__", {"size": 8, "overlap": 0})
    image = np.random.default_rng(1).integers(0, 256, (16, 24, 1), dtype=np.uint8)
    network = Crooked()
    found = tiling.segment(flipping(network, "both"), image)["probabilities"]
    assert network.shapes == [(1, 8, 8, 1)] * 6 * 4
    for top, left in [(0, 0), (8, 16)]:
        tile = image[top : top + 8, left : left + 8]
        alone = tiling.segment(flipping(Crooked(), "both"), tile)["probabilities"]
        assert np.array_equal(found[:, top : top + 8, left : left + 8], alone)
    mirrored = tiling.segment(flipping(Crooked(), "both"), image[::-1, ::-1])["probabilities"]
    assert np.array_equal(mirrored[:, ::-1, ::-1], found)


def test_a_word_that_stands_for_no_flips_is_refused():
    for flips in ALL:
        refuse_unknown(flips)
    message = "flips must be none, horizontal, vertical or both, got 'sideways'"
    with pytest.raises(ConfigError, match=re.escape(message)):
        refuse_unknown("sideways")
