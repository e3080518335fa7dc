"""What every predictor promises."""

from abc import ABC, abstractmethod

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.errors import ImageError
from steel_defect_detection.predictors.predictor import Predictor


class PredictorContract(ABC):
    """Subclasses are collected when their name starts with Test."""

    @pytest.fixture(scope="class")
    @classmethod
    @abstractmethod
    def predictor(cls) -> Predictor:
        """Build the predictor under test, which no test changes."""

    @pytest.mark.parametrize("shape", [(100, 333, 3), (3, 3, 3), (64, 64, 1), (40, 50)], ids=str)
    def test_images_of_any_size_are_judged(self, predictor, shape):
        image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        prediction = predictor.predict(image)
        assert prediction.verdict in {"clean", "defect"}
        assert prediction.classes == predictor.classes
        assert prediction.scores.shape == (len(predictor.classes),)
        assert ((prediction.scores >= 0) & (prediction.scores <= 1)).all()
        shown = predictor.shown(prediction)
        assert shown.shape == (len(predictor.classes),)
        if prediction.label_map is not None:
            assert prediction.label_map.shape == shape[:2]
            numbers = np.unique(prediction.label_map[prediction.label_map > 0])
            assert np.flatnonzero(shown).tolist() == (numbers - 1).tolist()

    def test_a_file_gives_what_its_pixels_give(self, predictor, tmp_path):
        image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
        images.write(tmp_path / "strip.png", image)
        from_file, from_array = predictor.predict(tmp_path / "strip.png"), predictor.predict(image)
        assert np.array_equal(from_file.scores, from_array.scores)
        assert from_file.source == str(tmp_path / "strip.png")
        assert from_file.times.decode_ms > 0

    def test_a_stream_keeps_the_order_and_goes_on_after_a_bad_file(self, predictor, tmp_path):
        paths = [tmp_path / f"{number}.png" for number in range(12)]
        for number, path in enumerate(paths):
            images.write(path, np.full((32, 32, 3), number * 20, dtype=np.uint8))
        paths[5].write_bytes(b"no image")
        found = list(predictor.stream(paths))
        assert [prediction.source for prediction in found] == [str(path) for path in paths]
        verdicts = [prediction.verdict == "error" for prediction in found]
        assert verdicts == [number == 5 for number in range(12)]
        assert "5.png" in found[5].error

    def test_a_stream_says_what_single_predictions_say(self, predictor, tmp_path):
        random = np.random.default_rng(1)
        paths = [tmp_path / f"{number}.png" for number in range(3)]
        for path in paths:
            images.write(path, random.integers(0, 256, (40, 70, 3), dtype=np.uint8))
        for prediction in predictor.stream(paths):
            assert np.array_equal(prediction.scores, predictor.predict(prediction.source).scores)

    def test_images_are_kept_only_when_asked_for(self, predictor, tmp_path):
        images.write(tmp_path / "a.png", np.zeros((32, 32, 3), dtype=np.uint8))
        (kept,) = predictor.stream([tmp_path / "a.png"], keep_image=True)
        (dropped,) = predictor.stream([tmp_path / "a.png"])
        assert kept.image.shape == (32, 32, 1 if predictor.grey else 3)
        assert dropped.image is None

    @pytest.mark.parametrize(
        "array",
        [
            np.zeros((8, 8, 3), dtype=np.float32),
            np.zeros((8, 8, 4), dtype=np.uint8),
            np.zeros((8, 8, 3, 1), dtype=np.uint8),
            np.zeros((1, 1, 3), dtype=np.uint8),
            np.zeros((0, 8, 3), dtype=np.uint8),
        ],
        ids=lambda array: f"{array.dtype} {array.shape}",
    )
    def test_what_is_no_image_is_refused(self, predictor, array):
        with pytest.raises(ImageError, match="image"):
            predictor.predict(array)

    @pytest.mark.parametrize(
        "array",
        [
            np.zeros((40, 30, 3)),
            np.zeros((40, 30, 4), dtype=np.uint8),
            np.zeros((40, 30), dtype=np.uint8),
        ],
    )
    def test_what_is_judged_in_memory_is_an_image(self, predictor, array):
        with pytest.raises(ImageError, match=r"strip\.png: expected a uint8 image"):
            predictor.judge(array, "strip.png")

    def test_a_path_is_not_taken_for_many(self, predictor):
        with pytest.raises(ImageError, match="expected many paths, got one"):
            next(predictor.stream("strip.png"))

    @pytest.mark.parametrize("thing", [None, b"png", 7, "a\0b"], ids=repr)
    def test_what_is_no_path_is_refused_and_a_stream_goes_on(self, predictor, tmp_path, thing):
        images.write(tmp_path / "a.png", np.zeros((32, 32, 3), dtype=np.uint8))
        with pytest.raises(ImageError, match=r"path|name"):
            predictor.predict(thing)
        found = list(predictor.stream([thing, tmp_path / "a.png"]))
        assert [one.verdict == "error" for one in found] == [True, False]

    def test_a_kept_image_is_not_the_callers_memory(self, predictor):
        image = np.zeros((32, 32, 3), dtype=np.uint8)
        prediction = predictor.predict(image, keep_image=True)
        image[:] = 255
        assert prediction.image.max() == 0

    def test_arrays_that_cannot_be_written_are_judged(self, predictor):
        image = np.zeros((32, 64, 3), dtype=np.uint8)
        image.flags.writeable = False
        assert predictor.predict(image[:, ::2]).verdict in {"clean", "defect"}

    def test_every_graph_says_where_it_runs(self, predictor):
        assert all("pytorch cpu" in name for name in predictor.runtimes.values())
