"""What every runtime promises that runs what was converted; its tests inherit it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest

from steel_defect_detection.errors import InferenceError
from steel_defect_detection.runtimes import cache
from steel_defect_detection.runtimes.runtime import Runtime
from tests.runtimes.contract import GRAPHS, IMAGES, RuntimeContract, tensors_of

CONFIG = GRAPHS["grey classifier at half size"]


class ConvertedContract(RuntimeContract):
    """Tests that every runtime passes which converts a network for each size of images.

    Converting takes seconds: what one test has converted serves the others, but
    for those that ask for a cache of their own.
    """

    converter: ClassVar[ModuleType]
    """Module whose function ``convert`` it calls."""

    translate: ClassVar[str]
    """Name of the function there that hands the graph to the engine's own converter."""

    library: ClassVar[str]
    """Where the engine's own converter is found."""

    @pytest.fixture(scope="class")
    @staticmethod
    def common_cache(tmp_path_factory):
        return tmp_path_factory.mktemp("cache")

    @pytest.fixture(autouse=True)
    def _share(self, common_cache, monkeypatch):
        monkeypatch.setenv("SDD_CACHE", str(common_cache))

    @pytest.fixture
    def own_cache(self, tmp_path, monkeypatch):
        """A cache folder for this test alone."""
        monkeypatch.setenv("SDD_CACHE", str(tmp_path / "cache"))
        return tmp_path / "cache"

    @pytest.fixture
    def conversions(self, monkeypatch, own_cache):
        """The sizes that were converted, which still are converted."""
        made = []
        real = self.converter.convert

        def counted(config, tensors, inputs):
            made.append(inputs["images"].shape[1:3])
            return real(config, tensors, inputs)

        monkeypatch.setattr(self.converter, "convert", counted)
        return made

    @property
    def runtime(self) -> Callable[..., Runtime]:
        return type(self).make

    def test_a_network_is_converted_once_for_each_size(self, conversions):
        tensors = tensors_of(CONFIG)
        first = self.runtime(CONFIG, tensors).run(IMAGES)
        self.runtime(CONFIG, tensors).run(IMAGES[:1])
        again = self.runtime(CONFIG, tensors).run(IMAGES)
        assert np.array_equal(first["probabilities"], again["probabilities"])
        self.runtime(CONFIG, tensors).run(IMAGES[:, :32])
        assert conversions == [(40, 70), (32, 70)]

    def test_other_weights_are_another_network(self, conversions):
        tensors = tensors_of(CONFIG)
        first = self.runtime(CONFIG, tensors).run(IMAGES)
        other = self.runtime(CONFIG, tensors | {"fc.bias": tensors["fc.bias"] + 1}).run(IMAGES)
        assert len(conversions) == 2
        assert not np.allclose(first["probabilities"], other["probabilities"])

    def test_a_damaged_network_is_made_anew(self, conversions, own_cache):
        tensors = tensors_of(CONFIG)
        expected = self.runtime(CONFIG, tensors).run(IMAGES)
        (path,) = own_cache.glob("*.xml")
        path.write_bytes(path.read_bytes()[:-1])
        found = self.runtime(CONFIG, tensors).run(IMAGES)
        assert len(conversions) == 2
        assert np.array_equal(found["probabilities"], expected["probabilities"])

    def test_without_a_place_to_keep_it_a_network_runs_all_the_same(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv("SDD_CACHE", str(tmp_path / "file"))
        assert self.runtime(CONFIG, tensors_of(CONFIG)).run(IMAGES)["probabilities"].size

    def test_threads_may_bring_the_first_images(self, conversions):
        runtime = self.runtime(CONFIG, tensors_of(CONFIG), threads=1)
        images = [np.roll(IMAGES, shift, axis=2) for shift in range(8)]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda image: runtime.run(image)["probabilities"], images))
        assert len(conversions) == 1
        for image, array in zip(images, found, strict=True):
            assert np.array_equal(runtime.run(image)["probabilities"], array)

    def test_a_broken_conversion_is_refused_and_not_kept(self, monkeypatch, own_cache):
        honest = getattr(self.converter, self.translate)

        def broken(graph, inputs):
            graph.network.network.fc.bias.data += 1  # as if a layer had been converted wrongly
            return honest(graph, inputs)

        monkeypatch.setattr(self.converter, self.translate, broken)
        with pytest.raises(InferenceError, match="differs from PyTorch: probabilities by"):
            self.runtime(CONFIG, tensors_of(CONFIG)).run(IMAGES)
        assert not list(own_cache.glob("*"))

    def test_a_network_that_cannot_be_converted_is_one_line_asked_once(
        self, monkeypatch, own_cache
    ):
        asked = []

        def refuse(*_arguments, **_settings):
            asked.append(1)
            raise TypeError("no rule\nfor this layer")

        monkeypatch.setattr(self.library, refuse)
        runtime = self.runtime(CONFIG, tensors_of(CONFIG))
        for _ in range(2):
            with pytest.raises(InferenceError, match="resnet18 cannot be converted: no rule for t"):
                runtime.run(IMAGES)
        assert len(asked) == 1

    def test_the_largest_difference_is_kept_with_the_network(self, own_cache):
        self.runtime(CONFIG, tensors_of(CONFIG)).run(IMAGES)
        (path,) = own_cache.glob("*.json")
        parity = dict(cache.load(path.stem).parity)
        parity.pop(cache.AGREEMENT, None)
        assert set(parity) == {"probabilities", "defect_probability"}
        assert all(0 <= value < 1e-4 for value in parity.values())
