"""Converting once for each size of images: what engines share, with one of a few lines."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from steel_defect_detection.errors import ConversionError
from steel_defect_detection.models.config import ClassifierConfig, GraphConfig, Preprocessing
from steel_defect_detection.runtimes.cache import Entry
from steel_defect_detection.runtimes.converted import ConvertedRuntime

CONFIG = GraphConfig(
    network=ClassifierConfig(classes=("pit",), encoder="resnet18"),
    preprocessing=Preprocessing(channels=1),
)
WEIGHTS = {"factor": np.array([2.0], dtype=np.float32)}
IMAGES = np.arange(2 * 4 * 6, dtype=np.uint8).reshape(2, 4, 6, 1)


class Product:
    """The sum of an image times a factor, for images of one size."""

    def __init__(self, entry):
        self.size, self.factor = json.loads(entry.network)

    def run(self, inputs):
        images = inputs["images"]
        assert list(images.shape[1:3]) == self.size
        return {"sum": self.factor * images.sum(axis=(1, 2, 3), dtype=np.float32)}


class ProductRuntime(ConvertedRuntime[Product]):
    """Multiplies; its converter writes down the size and the factor."""

    FORM = "product 1"
    CONVERTERS = ("numpy",)
    name = "product cpu float32"
    precision = "float32"

    def __init__(self, config=CONFIG, tensors=WEIGHTS, *, threads=0):
        super().__init__(config, tensors, threads=threads)
        self.converted = []

    def _convert(self, inputs):
        size = inputs["images"].shape[1:3]
        self.converted.append(size)
        return Entry(json.dumps([size, float(self._tensors["factor"][0])]).encode(), b"", {})

    def _ready(self, entry):
        return Product(entry)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """A cache folder for this test alone."""
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_network_is_converted_once_for_each_size():
    runtime = ProductRuntime()
    assert runtime.run(IMAGES)["sum"].tolist() == [2 * sum(range(24)), 2 * sum(range(24, 48))]
    runtime.run(IMAGES[:1])
    runtime.run(IMAGES[:, :3])
    runtime.run(IMAGES)
    assert runtime.converted == [(4, 6), (3, 6)]


def test_a_later_start_converts_nothing_that_is_known():
    assert not ProductRuntime().knows(IMAGES)
    ProductRuntime().run(IMAGES)
    later = ProductRuntime()
    assert later.knows(IMAGES)
    assert not later.knows(IMAGES[:, :3])
    later.run(IMAGES)
    assert later.converted == []


def test_other_weights_another_graph_or_another_form_is_another_network(monkeypatch):
    ProductRuntime().run(IMAGES)
    other_weights = {"factor": np.array([3.0], dtype=np.float32)}
    assert not ProductRuntime(tensors=other_weights).knows(IMAGES)
    scaled = CONFIG.model_copy(update={"preprocessing": Preprocessing(channels=1, scale=0.5)})
    assert not ProductRuntime(config=scaled).knows(IMAGES)
    monkeypatch.setattr(ProductRuntime, "FORM", "product 2")
    assert not ProductRuntime().knows(IMAGES)


def test_another_release_of_the_converter_converts_anew(monkeypatch):
    ProductRuntime().run(IMAGES)
    monkeypatch.setattr("steel_defect_detection.runtimes.converted.version", lambda _name: "0")
    assert not ProductRuntime().knows(IMAGES)


def test_a_damaged_network_is_made_anew(own_cache):
    expected = ProductRuntime().run(IMAGES)["sum"]
    (path,) = own_cache.glob("*.xml")
    path.write_bytes(path.read_bytes()[:-1])
    later = ProductRuntime()
    assert np.array_equal(later.run(IMAGES)["sum"], expected)
    assert later.converted == [(4, 6)]


def test_without_a_place_to_keep_it_a_network_runs_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "file"))
    assert ProductRuntime().run(IMAGES)["sum"].size == 2


def test_a_network_that_cannot_be_converted_is_asked_for_once(monkeypatch, own_cache):
    asked = []

    def refuse(_self, inputs):
        asked.append(inputs)
        raise ConversionError("no rule for this layer")

    monkeypatch.setattr(ProductRuntime, "_convert", refuse)
    runtime = ProductRuntime()
    for _ in range(2):
        with pytest.raises(ConversionError, match="no rule for this layer"):
            runtime.run(IMAGES)
    assert len(asked) == 1
    assert not own_cache.exists()


def test_threads_that_bring_the_first_images_wait_for_one_conversion():
    runtime = ProductRuntime()
    start = Barrier(4)

    def judge(factor):
        start.wait()
        return runtime.run(IMAGES[:1] * np.uint8(factor))["sum"][0]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(judge, range(4)))
    assert runtime.converted == [(4, 6)]
    assert found == [factor * 2 * sum(range(24)) for factor in range(4)]


def test_of_many_sizes_the_latest_ones_are_held(own_cache):
    runtime = ProductRuntime()
    images = np.zeros((1, 20, 6, 1), dtype=np.uint8)
    for height in range(1, 10):
        runtime.run(images[:, :height])
    for path in own_cache.iterdir():
        path.unlink()
    assert not runtime.knows(images[:, :1])
    assert all(runtime.knows(images[:, :height]) for height in range(2, 10))


def test_it_computes_as_many_images_at_once_as_it_has_threads():
    assert ProductRuntime(threads=3).parallel == 3
    assert ProductRuntime().parallel >= 1


def test_it_says_how_images_become_what_the_network_sees():
    assert ProductRuntime().preprocessing == CONFIG.preprocessing
