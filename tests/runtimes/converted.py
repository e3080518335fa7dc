"""What every runtime promises that runs what was converted; its tests inherit it."""

from types import ModuleType
from typing import ClassVar

import pytest

from steel_defect_detection.errors import ConversionError
from steel_defect_detection.runtimes import cache
from tests.runtimes.contract import GRAPHS, IMAGES, RuntimeContract, tensors_of

CONFIG = GRAPHS["grey classifier at half size"]


class ConvertedContract(RuntimeContract):
    """Tests that every runtime passes which converts a network for each size of images."""

    converter: ClassVar[ModuleType]
    """Module whose function ``convert`` it calls."""

    translate: ClassVar[str]
    """Name of the function there that hands the graph to the engine's own converter."""

    library: ClassVar[str]
    """Where the engine's own converter is found."""

    @pytest.fixture
    def own_cache(self, tmp_path, monkeypatch):
        """A cache folder for this test alone."""
        monkeypatch.setenv("SDD_CACHE", str(tmp_path / "cache"))
        return tmp_path / "cache"

    @pytest.fixture(scope="class")
    @classmethod
    def kept(cls, tmp_path_factory) -> tuple[str, cache.Entry]:
        """What is kept of a conversion, and its key."""
        place = tmp_path_factory.mktemp("cache")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SDD_CACHE", str(place))
            cls.make(CONFIG, tensors_of(CONFIG)).run(IMAGES)
            (path,) = place.glob("*.json")
            return path.stem, cache.load(path.stem)

    def test_a_broken_conversion_is_refused_and_not_kept(self, monkeypatch, own_cache):
        honest = getattr(self.converter, self.translate)

        def broken(graph, inputs):
            graph.network.network.fc.bias.data += 1  # as if a layer had been converted wrongly
            return honest(graph, inputs)

        monkeypatch.setattr(self.converter, self.translate, broken)
        with pytest.raises(ConversionError, match="differs from PyTorch: probabilities by"):
            type(self).make(CONFIG, tensors_of(CONFIG)).run(IMAGES)
        assert not list(own_cache.glob("*"))

    def test_a_network_that_cannot_be_converted_is_one_line_asked_once(
        self, monkeypatch, own_cache
    ):
        asked = []

        def refuse(*_arguments, **_settings):
            asked.append(1)
            raise TypeError("no rule\nfor this layer")

        monkeypatch.setattr(self.library, refuse)
        runtime = type(self).make(CONFIG, tensors_of(CONFIG))
        for _ in range(2):
            with pytest.raises(ConversionError, match="resnet18 cannot be converted: no rule for"):
                runtime.run(IMAGES)
        assert len(asked) == 1

    def test_the_largest_difference_is_kept_with_the_network(self, kept):
        parity = dict(kept[1].parity)
        parity.pop(cache.AGREEMENT, None)
        assert set(parity) == {"probabilities", "defect_probability"}
        assert all(0 <= value < 1e-4 for value in parity.values())
