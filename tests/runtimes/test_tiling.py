from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.errors import InferenceError
from steel_defect_detection.models.config import Preprocessing
from steel_defect_detection.runtimes import tiling


class Pointwise:
    """A network that looks at each pixel alone; notes the sizes that it was given."""

    name = "pointwise"
    preprocessing = Preprocessing(channels=3)

    def __init__(self) -> None:
        self.shapes: list[tuple[int, int]] = []

    def run(self, images):
        self.shapes.append(images.shape[1:3])
        values = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
        return {"probabilities": values, "defect_probability": values.max(axis=(1, 2, 3))}


class Border(Pointwise):
    """A network that is wrong along the border of what it sees, and right inside."""

    def run(self, images):
        values = np.zeros((1, 1, *images.shape[1:3]), dtype=np.float32)
        values[..., :8, :] = values[..., -8:, :] = values[..., :8] = values[..., -8:] = 1
        return {"probabilities": values}


@pytest.fixture
def small_tiles(monkeypatch):
    """Tile everything above 100 x 100 pixels."""
    monkeypatch.setattr(tiling, "MOST_PIXELS", 10_000)


IMAGE = np.random.default_rng(0).integers(0, 256, (1300, 2500, 3), dtype=np.uint8)


def test_a_network_that_looks_at_pixels_alone_says_the_same_in_tiles(small_tiles):
    network = Pointwise()
    found = tiling.segment(network, IMAGE)["probabilities"]
    assert np.allclose(found, IMAGE.transpose(2, 0, 1) / 255, atol=1e-6)
    assert len(network.shapes) > 1
    assert max(max(shape) for shape in network.shapes) <= tiling.TILE


def test_of_the_tiles_the_highest_probability_counts(small_tiles):
    dark = np.zeros((1300, 2500, 3), dtype=np.uint8)
    dark[1299, 2499] = (10, 255, 20)
    found = tiling.classify(Pointwise(), dark)
    assert found["defect_probability"] == 1
    assert found["probabilities"].max(axis=(1, 2)) == pytest.approx([10 / 255, 1, 20 / 255])


def test_of_exclusive_classes_the_most_suspicious_tile_speaks(small_tiles):
    class Good(Pointwise):
        """Sure that dark tiles are good; says of a bright one that it is scratched."""

        def run(self, images):
            scratched = 0.97 if images.max() > 200 else 0.01
            probabilities = np.array([[1 - scratched, scratched]], dtype=np.float32)
            return {"probabilities": probabilities, "defect_probability": probabilities[:, 1]}

    image = np.zeros((1300, 2500, 3), dtype=np.uint8)
    image[1299, 2499] = 255
    found = tiling.classify(Good(), image, exclusive=True)
    assert found["probabilities"] == pytest.approx([0.03, 0.97])
    assert found["defect_probability"] == pytest.approx(0.97)


@pytest.mark.parametrize("look", [tiling.segment, tiling.classify])
def test_what_is_brought_to_one_size_is_never_cut(small_tiles, look):
    network = Pointwise()
    network.preprocessing = Preprocessing(channels=3, size=(64, 64))
    look(network, IMAGE)
    assert network.shapes == [(1300, 2500)]


@pytest.mark.parametrize("look", [tiling.segment, tiling.classify])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_an_answer_that_is_no_number_never_passes(look, number):
    class Broken(Pointwise):
        def run(self, images):
            outputs = super().run(images)
            outputs["probabilities"][0, 0, 5, 5] = number
            return outputs

    with pytest.raises(InferenceError, match=r"the network \(pointwise\) answered with not-a-n"):
        look(Broken(), IMAGE[:64, :64])


def test_strips_pass_in_one_piece():
    network = Pointwise()
    tiling.segment(network, IMAGE[:256, :1600])
    assert network.shapes == [(256, 1600)]


def test_overlaps_are_averaged(small_tiles):
    found = tiling.segment(Border(), IMAGE[:1000, :1500, :1])["probabilities"]
    inner = found[0, 100:900, 100:1400]
    assert inner.max() == 0.5  # one tile's border, averaged with its neighbour's inside


@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.integers(20, 100),
    st.integers(0, 19),
)
def test_windows_cover_every_pixel_and_overlap_as_they_should(shape, size, overlap):
    hits = np.zeros(shape, dtype=int)
    rows = set()
    for window in tiling.windows(shape, size=size, overlap=overlap):
        assert hits[window].shape == (min(size, shape[0]), min(size, shape[1]))
        hits[window] += 1
        rows.add(window[0].start)
    assert hits.min() >= 1
    starts = sorted(rows)
    assert all(before + size - after >= overlap for before, after in pairwise(starts))


class Knowing(Pointwise):
    """A network that knows what is not white."""

    def run(self, images):
        familiarity = 1 - images.max(axis=(1, 2, 3)).astype(np.float32) / 255
        return super().run(images) | {"familiarity": familiarity}


@pytest.mark.parametrize("exclusive", [False, True])
def test_of_the_tiles_the_strangest_says_how_familiar_an_image_is(small_tiles, exclusive):
    image = np.full((1300, 2500, 3), 51, dtype=np.uint8)
    looks = (
        lambda: tiling.segment(Knowing(), image),
        lambda: tiling.classify(Knowing(), image, exclusive=exclusive),
    )
    for look in looks:
        assert look()["familiarity"] == pytest.approx(0.8)
    image[0, 0] = 204
    for look in looks:
        assert look()["familiarity"].shape == ()
        assert look()["familiarity"] == pytest.approx(0.2)


def test_of_exclusive_classes_a_tile_may_speak_that_is_not_the_strangest(small_tiles):
    class Split(Pointwise):
        """Sees a scratch on the bright tiles and something strange on the black ones."""

        def run(self, images):
            scratched = 0.9 if images.max() > 200 else 0.1
            probabilities = np.array([[1 - scratched, scratched]], dtype=np.float32)
            return {
                "probabilities": probabilities,
                "defect_probability": probabilities[:, 1],
                "familiarity": np.array([0.6 if images.min() > 0 else 0.01], dtype=np.float32),
            }

    image = np.full((1300, 2500, 3), 90, dtype=np.uint8)
    image[1299, 2499] = 255
    image[0, 0] = 0
    found = tiling.classify(Split(), image, exclusive=True)
    assert found["probabilities"] == pytest.approx([0.1, 0.9])
    assert found["familiarity"] == pytest.approx(0.01)


def test_a_network_that_knows_nothing_says_nothing_of_familiarity(small_tiles):
    assert set(tiling.segment(Pointwise(), IMAGE)) == {"probabilities"}
    assert "familiarity" not in tiling.classify(Pointwise(), IMAGE)


@pytest.mark.parametrize("look", [tiling.segment, tiling.classify])
def test_a_familiarity_that_is_no_number_never_passes(look):
    class Broken(Pointwise):
        def run(self, images):
            return super().run(images) | {"familiarity": np.array([np.nan], dtype=np.float32)}

    with pytest.raises(InferenceError, match="not-a-number"):
        look(Broken(), IMAGE[:64, :64])


@pytest.mark.parametrize(("size", "count"), [(None, 9), ((256, 256), 1)])
def test_a_large_image_is_covered_by_tiles_unless_all_are_brought_to_one_size(size, count):
    image = np.zeros((2000, 2500, 1), dtype=np.uint8)
    assert len(list(tiling.cover(image, Preprocessing(size=size)))) == count
    (whole,) = tiling.cover(image[:1000], Preprocessing(size=size))
    assert image[:1000][whole].shape == (1000, 2500, 1)
