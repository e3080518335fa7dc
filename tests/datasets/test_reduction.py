import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import layouts
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.label_maps import LabelMapFile
from steel_defect_detection.datasets.reduction import reduce
from steel_defect_detection.errors import AnnotationError, ConfigError, ResultsError
from tests.datasets.drawn import entry


def labelled(*kinds, groups=None):
    """A data set of classes a, b and c; each kind names the classes of one image."""
    entries = tuple(
        entry(
            f"{number}.png",
            np.full((4, 4), number),
            labels=tuple(name in kind for name in "abc"),
            group=groups[number] if groups else None,
        )
        for number, kind in enumerate(kinds)
    )
    return Dataset(classes=("a", "b", "c"), entries=entries)


def test_each_class_and_the_clean_get_as_many_images_as_asked_for(tmp_path):
    dataset = labelled(*["a"] * 20, *["b"] * 9, *["c"] * 5, *[""] * 30)
    reduction = reduce(dataset, tmp_path, per_class=4)
    assert reduction.class_images == {"a": 4, "b": 4, "c": 4}
    assert (reduction.clean, reduction.short, reduction.problems) == (4, (), ())
    assert not reduction.few_clean
    read = layouts.read(tmp_path)
    assert read.labels().sum(axis=0).tolist() == [4, 4, 4]
    assert len(read) == len(reduction.names) == 16


def test_an_image_of_two_classes_counts_for_both(tmp_path):
    dataset = labelled(*["ab"] * 3, *["a"] * 10, *["b"] * 10, *["c"] * 3)
    reduction = reduce(dataset, tmp_path, per_class=3)
    labels = layouts.read(tmp_path).labels()
    assert labels.sum(axis=0).min() >= 3
    assert list(reduction.class_images.values()) == labels.sum(axis=0).tolist()


def test_classes_with_fewer_images_give_all_they_have(tmp_path):
    reduction = reduce(labelled("a", "a", "a", "b", ""), tmp_path, per_class=2)
    assert reduction.class_images == {"a": 2, "b": 1, "c": 0}
    assert reduction.short == ("b", "c")
    assert reduction.few_clean


def test_the_seed_decides_which(tmp_path):
    dataset = labelled(*["a"] * 50, *["b"] * 50)
    names = [
        reduce(dataset, tmp_path / str(number), per_class=5, seed=seed).names
        for number, seed in enumerate((1, 1, 2))
    ]
    assert names[0] == names[1] != names[2]


def test_images_of_different_groups_come_first(tmp_path):
    dataset = labelled(
        *["a"] * 40, *["b"] * 4, groups=[str(n // 10) for n in range(40)] + ["x"] * 4
    )
    reduction = reduce(dataset, tmp_path, per_class=4)
    groups = {item.name: item.group for item in dataset.entries}
    assert {groups[name] for name in reduction.names} == {"0", "1", "2", "3", "x"}
    assert reduction.class_images == {"a": 4, "b": 4, "c": 0}


def test_a_good_class_and_the_clean_are_the_same_images(tmp_path):
    entries = tuple(
        entry(f"{n}", np.full((4, 4), n), labels=(n % 2 == 0, n % 2 == 1)) for n in range(12)
    )
    dataset = Dataset(classes=("good", "pit"), entries=entries, good_class="good")
    reduction = reduce(dataset, tmp_path, per_class=3)
    assert (len(reduction.names), reduction.clean) == (6, 3)
    assert layouts.read(tmp_path).good_class == "good"


def test_images_that_cannot_be_used_are_named_and_left_out(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = Entry(name="bad.png", path=tmp_path / "bad.png", labels=(False, True, False))
    overlapping = np.ones((3, 4, 4))
    good = labelled(*["a"] * 3, *["b"] * 3).entries
    dataset = Dataset(classes=("a", "b", "c"), entries=(bad, *good))
    reduction = reduce(dataset, tmp_path / "out", per_class=4)
    assert [problem.image for problem in reduction.problems] == ["bad.png"]
    assert reduction.class_images["b"] == 3
    masked = Dataset(
        classes=("a", "b", "c"),
        entries=(
            entry("both.png", np.zeros((4, 4)), overlapping),
            entry("wrong.png", np.zeros((5, 5)), overlapping),
            entry("fine.png", np.zeros((4, 4)), np.eye(3, 4)[:, None].repeat(4, axis=1)),
        ),
    )
    reduction = reduce(masked, tmp_path / "masked", per_class=2)
    assert reduction.names == ("fine.png",)
    assert {problem.image for problem in reduction.problems} == {"both.png", "wrong.png"}


def test_masks_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    images.write(tmp_path / "image.png", np.zeros((4, 4), dtype=np.uint8))
    masks = LabelMapFile(path=tmp_path / "broken.png", class_count=3)
    bad = Entry(name="bad", path=tmp_path / "image.png", masks=masks)
    fine = entry("fine", np.zeros((4, 4)), np.eye(3, 4)[:, None].repeat(4, axis=1))
    dataset = Dataset(classes=("a", "b", "c"), entries=(bad, fine))
    reduction = reduce(dataset, tmp_path / "out", per_class=2)
    assert [problem.image for problem in reduction.problems] == ["bad"]
    assert reduction.names == ("fine",)


def test_a_smaller_severstal_folder_is_read_as_one(tiny_severstal, tmp_path):
    reduction = reduce(layouts.read(tiny_severstal), tmp_path / "small", per_class=2)
    assert reduction.layout == layouts.recognise(tmp_path / "small") == "severstal"
    truth = {sample.name: sample for sample in layouts.read(tiny_severstal)}
    small = layouts.read(tmp_path / "small")
    assert small.names == reduction.names
    assert small.labels()[:, 2].sum() == 2
    assert all(np.array_equal(sample.masks, truth[sample.name].masks) for sample in small)


def test_nothing_to_choose_from_is_refused(tmp_path):
    only = Entry(name="x", shape=(4, 4), labels=(True, False, False))
    unknown = entry("y", np.zeros((4, 4)))
    dataset = Dataset(classes=("a", "b", "c"), entries=(only, unknown))
    with pytest.raises(AnnotationError, match="none of 2 images can be chosen: each needs"):
        reduce(dataset, tmp_path, per_class=1)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = Entry(name="bad.png", path=tmp_path / "bad.png", labels=(True, False, False))
    with pytest.raises(AnnotationError, match=r"none of 1 images can be read, first: .*bad\.png"):
        reduce(Dataset(classes=dataset.classes, entries=(bad,)), tmp_path / "o", per_class=1)


def test_the_number_must_be_positive(tmp_path):
    with pytest.raises(ConfigError, match="images per class must be positive, got 0"):
        reduce(labelled("a"), tmp_path, per_class=0)


def test_a_folder_in_use_is_refused_and_an_earlier_result_replaced(tmp_path):
    dataset = labelled(*["a"] * 9, *["b"] * 9)
    reduce(dataset, tmp_path, per_class=4)
    with pytest.raises(ResultsError, match="is not empty"):
        reduce(dataset, tmp_path, per_class=4)
    reduce(dataset, tmp_path, per_class=4, overwrite=True)
    with pytest.raises(ResultsError, match="would be mixed with the new ones"):
        reduce(dataset, tmp_path, per_class=2, overwrite=True)
    assert len(layouts.read(tmp_path)) == 8


@pytest.mark.real_data
def test_three_tiles_per_class_come_from_different_tiles(real_data, tmp_path):
    dataset = layouts.read(real_data / "magnetic_tile")
    reduction = reduce(dataset, tmp_path, per_class=3)
    assert set(reduction.class_images.values()) == {3}
    groups = {item.name: item.group for item in dataset.entries}
    assert len({groups[name] for name in reduction.names}) == len(reduction.names) == 18
    truth = {sample.image.tobytes(): sample.masks for sample in layouts.read(tmp_path)}
    for name in reduction.names:
        sample = dataset[dataset.names.index(name)]
        assert np.array_equal(truth[sample.image.tobytes()], sample.masks)
