import time
from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import ImageError, NoImagesError
from steel_defect_detection.evaluation import timing
from steel_defect_detection.prediction import Times
from tests.evaluation.toys import CLASSES, Brightness, Told, told


class Slow(Brightness):
    """Takes ten milliseconds, ten times as long for the first two images."""

    calls = 0

    def judge(self, image, source):
        self.calls += 1
        milliseconds = 100 if self.calls <= 2 else 10
        time.sleep(milliseconds / 1000)
        return replace(super().judge(image, source), times=Times(segment_ms=milliseconds))


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    """Four images with labels, the odd ones with a scratch."""
    entries = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        images.write(path, np.full((16, 16, 1), 200 * (number % 2), dtype=np.uint8))
        entries.append(Entry(name=path.name, path=path, labels=(bool(number % 2),)))
    return Dataset(classes=CLASSES, entries=tuple(entries))


def test_the_first_calls_are_not_counted(dataset):
    predictor = Slow(CLASSES, Thresholds.default(1))
    found = timing.measure(predictor, dataset, count=6, warm_up=2)
    summary = found.summary()
    assert predictor.calls == 8
    assert (summary["images"], summary["warm_up"]) == (6, 2)
    assert summary["milliseconds"]["segment"] == {
        "images": 6,
        "median": 10,
        "p95": 10,
        "mean": 10,
    }
    # The machine may be busy, but it cannot be quicker than the sleep.
    assert summary["milliseconds"]["total"]["median"] >= 10
    assert "gate" not in summary["milliseconds"]
    assert 0 < summary["images_per_second"] <= 100


def test_images_are_drawn_again_by_the_seed_and_answers_compared(dataset):
    predictor = Brightness(CLASSES, Thresholds.default(1))
    first, second, other = (
        timing.measure(predictor, dataset, count=20, seed=seed) for seed in (1, 1, 2)
    )
    assert len(first.names) == 20
    assert first.names == second.names != other.names
    assert first.summary()["accuracy"] == 1
    odd = sum(int(name[0]) % 2 for name in first.names)
    assert first.summary()["accuracy_majority"] == max(odd, 20 - odd) / 20


def test_the_median_and_the_95th_percentile_are_those_of_a_sorted_list():
    found = timing.Timing(
        runtimes={},
        names=("a",) * 21,
        milliseconds={"total": np.arange(21.0), "gate": np.full(21, np.nan)},
        warm_up=0,
        said=np.zeros(21, dtype=int),
        truth=np.full(21, -1),
        left_out=0,
        unreadable={},
    )
    summary = found.summary()
    total = {"images": 21, "median": 10, "p95": 19, "mean": 10}
    assert summary["milliseconds"] == {"total": total}
    assert summary["images_per_second"] == 100
    assert "accuracy" not in summary


def test_exclusive_answers_are_compared_class_by_class():
    kinds = ("good", "pit", "rust")
    numbers = np.array([0, 1, 2, 2])
    percent = np.array([[90, 5, 5], [5, 90, 5], [5, 90, 5], [5, 5, 90]])
    made = told(percent, numbers[:, None] == np.arange(3), kinds)

    class Kept:
        def __init__(self, image):
            self.image = image

        def read(self):
            return self.image

    entries = tuple(
        Entry(name=each.name, pixels=Kept(each.image), labels=tuple(each.labels.tolist()))
        for each in made
    )
    dataset = Dataset(classes=kinds, entries=entries)
    found = timing.measure(Told(kinds), dataset, count=12)
    wrong = found.names.count("2.png")
    assert found.summary()["accuracy"] == pytest.approx(1 - wrong / 12)


def test_images_that_cannot_be_read_are_named_and_counted(dataset):
    dataset.entries[0].path.write_bytes(b"no image")
    found = timing.measure(Brightness(CLASSES, Thresholds.default(1)), dataset, count=20)
    assert set(found.unreadable) == {"0.png"}
    assert found.summary()["images"] + found.summary()["images_left_out"] == 20
    with pytest.raises(ImageError, match=r"none of 50 images can be read, first: .*0\.png"):
        timing.measure(Brightness(CLASSES, Thresholds.default(1)), dataset.subset([0]))
    with pytest.raises(NoImagesError):
        timing.measure(Brightness(CLASSES, Thresholds.default(1)), dataset.subset([]))


def test_each_name_of_the_summary_is_defined(dataset):
    summary = timing.measure(Slow(CLASSES, Thresholds.default(1)), dataset, count=3).summary()
    assert {*summary, *summary["milliseconds"]} <= set(timing.DEFINITIONS)
