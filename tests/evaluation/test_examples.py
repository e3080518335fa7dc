import json

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import ConfigError, ImageError, NoImagesError
from steel_defect_detection.evaluation import examples
from tests.evaluation.toys import CLASSES, Brightness, Told, samples, told

KINDS = ("good", "pit", "rust")


def listed(*names: str) -> Dataset:
    return Dataset(classes=CLASSES, entries=tuple(Entry(name=name) for name in names))


def test_prediction_and_truth_are_not_swapped():
    (sample,) = told(np.array([[2, 90, 8]]), np.array([[False, False, True]]), KINDS)
    example = examples.judge(Told(KINDS), sample)
    assert example.title == "0.png\npredicted pit 90%\nactual rust"
    assert example.report() == {
        "image": "0.png",
        "actual": ["rust"],
        "predicted": ["pit"],
        "confidences": pytest.approx({"good": 0.02, "pit": 0.9, "rust": 0.08}),
    }


def test_outlines_of_truth_and_prediction_stand_beside_the_image():
    sample = samples()[1]
    example = examples.judge(Brightness(CLASSES, Thresholds.default(1)), sample)
    image, truth, prediction = np.split(example.picture[:, :], [18, 38], axis=1)
    assert np.array_equal(image[:, :16], sample.image)
    # The truth is twice as wide as what is found, and its outline reaches further.
    changed = [
        np.flatnonzero((picture[:, :16] != sample.image).any(axis=(0, 2))).max()
        for picture in (truth[:, 2:], prediction[:, 2:])
    ]
    assert changed[0] > changed[1]
    assert example.actual == example.predicted == ("scratch",)
    assert example.title.splitlines()[-1] == "image, truth, prediction"


def test_of_a_long_name_the_end_is_shown():
    (sample,) = told(np.array([[2, 90, 8]]), np.array([[False, True, False]]), KINDS)
    name = "a long name of a run/" * 3 + "image-0012.png"
    example = examples.judge(Told(KINDS), type(sample)(**{**vars(sample), "name": name}))
    assert example.title.splitlines()[0].endswith("run/image-0012.png")
    assert len(example.title.splitlines()[0]) == 38


def test_nothing_known_is_said_to_be_unknown():
    (sample,) = told(np.array([[2, 90, 8]]), [None], KINDS)
    example = examples.judge(Told(KINDS), sample)
    assert example.actual_words == "unknown"
    assert json.dumps(example.report(), allow_nan=False)


@pytest.mark.parametrize("name", ["runs/a.png", "a.png", "a"])
def test_an_image_is_found_by_its_name_or_the_last_part_of_it(name):
    assert examples.find(listed("b.png", "runs/a.png"), name) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("c.png", r"no image 'c\.png'; they have 2 images, first: one/a\.png, two/a\.png"),
        ("a", r"2 images are called 'a': one/a\.png, two/a\.png\. Give the whole name"),
    ],
)
def test_an_image_that_cannot_be_told_is_an_error(name, message):
    with pytest.raises(ConfigError, match=message):
        examples.find(listed("one/a.png", "two/a.png"), name)


def test_the_lots_depend_on_the_seed_alone():
    dataset = listed(*map(str, range(50)))
    assert examples.draw_lots(dataset, 9, seed=3) == examples.draw_lots(dataset, 9, seed=3)
    assert examples.draw_lots(dataset, 9, seed=3) != examples.draw_lots(dataset, 9, seed=4)
    assert len(set(examples.draw_lots(dataset, 9, seed=3))) == 9
    assert sorted(examples.draw_lots(listed("a", "b"), 9, seed=3)) == [0, 1]
    assert len(examples.draw_lots(listed("a", "b"), 9, seed=3, again=True)) == 9
    with pytest.raises(NoImagesError, match="no images to choose from"):
        examples.draw_lots(listed(), 9, seed=0)


def test_nine_images_make_three_rows_of_three(tmp_path):
    percent = np.full((9, 3), 30)
    judged = [
        examples.judge(Told(KINDS), sample)
        for sample in told(percent, np.eye(3, dtype=bool)[[0, 1, 2] * 3], KINDS)
    ]
    axes = examples.sheet(judged).axes
    assert len(axes) == 9
    columns = {ax.get_subplotspec().colspan.start for ax in axes}
    rows = {ax.get_subplotspec().rowspan.start for ax in axes}
    assert columns == rows == {0, 1, 2}
    assert axes[1].get_title(loc="left") == "1.png\npredicted good 30%\nactual pit"


def test_what_cannot_be_read_is_named_and_the_rest_is_judged(tmp_path):
    images.write(tmp_path / "a.png", np.zeros((16, 16, 1), dtype=np.uint8))
    (tmp_path / "b.png").write_bytes(b"no image")
    entries = tuple(Entry(name=path.name, path=path) for path in sorted(tmp_path.iterdir()))
    dataset = Dataset(classes=CLASSES, entries=entries)
    predictor = Brightness(CLASSES, Thresholds.default(1))
    judged, unreadable = examples.judge_all(predictor, dataset)
    assert [example.name for example in judged] == ["a.png"]
    assert list(unreadable) == ["b.png"]
    with pytest.raises(ImageError, match=r"b\.png is not an image"):
        examples.judge_all(predictor, dataset.subset([1]))
