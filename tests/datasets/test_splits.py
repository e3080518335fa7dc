from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.datasets import severstal, splits
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, ConfigError


def labels(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 4)) < 0.2


@given(st.integers(2, 200), st.floats(0.05, 0.95), st.integers(0, 50))
def test_the_share_is_kept_to_the_nearest_image(count, share, seed):
    chosen = splits.by_image(labels(seed, count), share=share, seed=seed)
    assert chosen.sum() == min(max(round(share * count), 1), count - 1)


@given(st.integers(20, 200), st.integers(0, 50))
def test_each_combination_is_parted_in_the_same_share(count, seed):
    known = labels(seed, count)
    chosen = splits.by_image(known, share=0.25, seed=seed)
    totals = Counter(map(tuple, known.tolist()))
    taken = Counter(map(tuple, known[chosen].tolist()))
    for combination, total in totals.items():
        assert abs(taken[combination] - total / 4) <= 1.5


@given(st.integers(10, 100), st.integers(2, 8), st.integers(0, 50))
def test_folds_differ_by_at_most_one_image_per_combination(count, fold_count, seed):
    known = labels(seed, count)
    numbers = splits.folds(known, fold_count=fold_count, seed=seed)
    for combination in np.unique(known, axis=0):
        here = numbers[(known == combination).all(axis=1)]
        sizes = np.bincount(here, minlength=fold_count)
        assert sizes.max() - sizes.min() <= 1


def test_the_same_seed_gives_the_same_split_and_another_one_another():
    known = labels(0, 60)
    first, again, other = (splits.by_image(known, share=0.2, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("share", [0, 1, -0.1, 2])
def test_impossible_shares_are_refused(share):
    with pytest.raises(ConfigError, match="validation share must lie between 0 and 1"):
        splits.by_image(labels(0, 10), share=share, seed=0)


def test_one_image_cannot_be_split():
    with pytest.raises(ConfigError, match="a split needs at least 2 images, got 1"):
        splits.by_image(labels(0, 1), share=0.5, seed=0)


@pytest.mark.parametrize("fold_count", [1, 11])
def test_impossible_fold_counts_are_refused(fold_count):
    with pytest.raises(ConfigError, match=f"between 2 and 10 images, got {fold_count}"):
        splits.folds(labels(0, 10), fold_count=fold_count, seed=0)


def test_a_manifest_gives_the_parts_back(tiny_severstal, tmp_path):
    dataset = severstal.read(tiny_severstal)
    wanted = {name: "train" if number < 5 else "test" for number, name in enumerate(dataset.names)}
    splits.write(tmp_path / "split.csv", wanted)
    parts = splits.read(tmp_path / "split.csv", dataset)
    assert {name: parts[part].names for name, part in [("a", "train"), ("b", "test")]} == {
        "a": dataset.names[:5],
        "b": dataset.names[5:],
    }


def test_names_whose_bytes_are_no_text_are_found_again(tmp_path):
    # What Python makes of the file names b"\x80.png" and b"ok.png" on a system of UTF-8.
    names = ("\udc80.png", "ok.png")
    entries = tuple(Entry(name=name, labels=(True,)) for name in names)
    dataset = Dataset(classes=("bad",), entries=entries)
    splits.write(tmp_path / "split.csv", dict(zip(names, ("train", "test"), strict=True)))
    (tmp_path / "split.csv").read_text(encoding="utf-8")
    parts = splits.read(tmp_path / "split.csv", dataset)
    assert {part: found.names for part, found in parts.items()} == {
        "train": names[:1],
        "test": names[1:],
    }
    assert splits.parts_of(tmp_path / "split.csv", dataset) == dict(
        zip(names, ("train", "test"), strict=True)
    )


def test_a_name_that_only_looks_like_such_bytes_is_itself(tmp_path):
    dataset = Dataset(
        classes=("bad",),
        entries=tuple(Entry(name=name, labels=(True,)) for name in ("\udc80.png", r"\udc80.png")),
    )
    splits.write(tmp_path / "split.csv", {r"\udc80.png": "train"})
    assert splits.read(tmp_path / "split.csv", dataset)["train"].names == (r"\udc80.png",)


def test_a_manifest_of_other_images_is_refused(tiny_severstal, tmp_path):
    splits.write(tmp_path / "split.csv", {"elsewhere.png": "train"})
    with pytest.raises(
        AnnotationError, match=r"line 2 names 'elsewhere\.png', which is not in the data"
    ):
        splits.read(tmp_path / "split.csv", severstal.read(tiny_severstal))


def test_an_image_in_two_parts_is_refused(tiny_severstal, tmp_path):
    table = "image,split,fold,group\nsheet-1.png,train,,\nsheet-1.png,validation,,\n"
    (tmp_path / "split.csv").write_text(table)
    with pytest.raises(AnnotationError, match=r"line 3 names sheet-1\.png a second time"):
        splits.read(tmp_path / "split.csv", severstal.read(tiny_severstal))


def test_a_manifest_in_another_encoding_is_refused(tiny_severstal, tmp_path):
    (tmp_path / "split.csv").write_bytes("image,split\nhäuser.png,train\n".encode("latin-1"))
    with pytest.raises(AnnotationError, match="is no table of text in UTF-8"):
        splits.read(tmp_path / "split.csv", severstal.read(tiny_severstal))


def test_what_is_no_manifest_is_refused(tiny_severstal, tmp_path):
    (tmp_path / "split.csv").write_text("a,b\n1,2\n")
    dataset = severstal.read(tiny_severstal)
    with pytest.raises(AnnotationError, match="is no split manifest"):
        splits.read(tmp_path / "split.csv", dataset)
    with pytest.raises(AnnotationError, match="no split manifest in"):
        splits.read(tmp_path / "missing.csv", dataset)


groupings = st.integers(0, 50).map(
    lambda seed: np.random.default_rng(seed).integers(0, 25, size=80).tolist()
)


@given(groupings, st.integers(0, 20))
def test_groups_stay_whole(groups, seed):
    parts = splits.assign(
        labels(seed, 80), shares={"train": 0.7, "test": 0.3}, seed=seed, groups=groups
    )
    places = {}
    for group, part in zip(groups, parts, strict=True):
        assert places.setdefault(group, part) == part
    assert set(parts) == {"train", "test"}


@given(groupings, st.integers(2, 6))
def test_folds_of_groups_are_of_like_size(groups, fold_count):
    numbers = splits.folds(labels(0, 80), fold_count=fold_count, seed=0, groups=groups)
    places = {}
    for group, number in zip(groups, numbers.tolist(), strict=True):
        assert places.setdefault(group, number) == number
    largest = Counter(groups).most_common(1)[0][1]
    assert np.ptp(np.bincount(numbers, minlength=fold_count)) <= 2 * largest


def test_groups_are_spread_as_evenly_as_scikit_learn_does():
    from sklearn.model_selection import StratifiedGroupKFold

    random = np.random.default_rng(0)
    classes = random.choice(4, size=600, p=(0.5, 0.3, 0.15, 0.05))
    groups = random.integers(0, 150, size=600)
    known = np.eye(4, dtype=bool)[classes]
    numbers = splits.folds(known, fold_count=5, seed=0, groups=groups.tolist())
    theirs = np.empty(600, dtype=int)
    reference = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=0)
    for fold, (_, chosen) in enumerate(reference.split(classes, classes, groups)):
        theirs[chosen] = fold

    def unevenness(dealt):
        counts = np.array([np.bincount(classes[dealt == fold], minlength=4) for fold in range(5)])
        return (counts.std(axis=0) / counts.mean(axis=0)).mean()

    assert unevenness(numbers) <= unevenness(theirs)


@given(st.integers(3, 60), st.integers(0, 300))
def test_no_part_stays_empty(count, seed):
    random = np.random.default_rng(seed)
    groups = [*range(3), *random.integers(0, random.integers(3, 20), size=count - 3).tolist()]
    shares = {"train": 0.9, "validation": 0.05, "test": 0.05}
    for given_groups in (None, groups):
        parts = splits.assign(labels(seed, count), shares=shares, seed=seed, groups=given_groups)
        assert set(parts) == set(shares)


@given(st.integers(200, 400), st.integers(0, 50))
def test_shares_are_met_to_within_the_largest_group(count, seed):
    groups = np.random.default_rng(seed).integers(0, 80, size=count).tolist()
    shares = {"train": 0.7, "validation": 0.15, "test": 0.15}
    found = Counter(splits.assign(labels(seed, count), shares=shares, seed=seed, groups=groups))
    largest = Counter(groups).most_common(1)[0][1]
    for part, share in shares.items():
        assert abs(found[part] - share * count) <= largest


def test_classes_of_two_large_groups_do_not_draw_the_shares_away():
    # As in a set of weld seams: three classes come from two runs of ten frames each.
    sizes = [(0, [1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3]), (1, [10, 10]), (2, [3, 7, 10])]
    sizes += [(3, [1, 1, 2, 3, 3, 5, 5]), (4, [10, 10]), (5, [10, 10])]
    runs = [(kind, size) for kind, counts in sizes for size in counts]
    groups = np.repeat(np.arange(len(runs)), [size for _, size in runs]).tolist()
    known = np.eye(6, dtype=bool)[[runs[group][0] for group in groups]]
    shares = {"train": 0.7, "validation": 0.15, "test": 0.15}
    for seed in range(5):
        parts = Counter(splits.assign(known, shares=shares, seed=seed, groups=groups))
        assert all(abs(parts[part] - 120 * share) <= 10 for part, share in shares.items())


def test_groups_must_be_one_per_image():
    with pytest.raises(ConfigError, match="expected a group for each of 10 images, got 3"):
        splits.assign(labels(0, 10), shares={"a": 1.0}, seed=0, groups=[0, 1, 2])
    with pytest.raises(ConfigError, match="expected a group for each of 10 images, got 3"):
        splits.folds(labels(0, 10), fold_count=2, seed=0, groups=[0, 1, 2])


def test_a_negative_seed_is_refused():
    with pytest.raises(ConfigError, match="seed must be 0 or more, got -1"):
        splits.assign(labels(0, 10), shares={"a": 1.0}, seed=-1)


NAN = float("nan")


@pytest.mark.parametrize(
    "shares", [{}, {"a": 0.5, "b": 0.6}, {"a": 1.5, "b": -0.5}, {"a": NAN, "b": 0.5}]
)
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ConfigError, match="shares must be positive and add up to 1"):
        splits.assign(labels(0, 10), shares=shares, seed=0)


def test_more_parts_than_groups_are_refused():
    shares = {"a": 0.4, "b": 0.3, "c": 0.3}
    with pytest.raises(ConfigError, match="3 parts need as many groups, got 2"):
        splits.assign(labels(0, 4), shares=shares, seed=0, groups=[0, 0, 1, 1])


def test_a_manifest_of_folds_is_read_fold_by_fold(tiny_severstal, tmp_path):
    dataset = severstal.read(tiny_severstal)
    folds = {name: number % 4 for number, name in enumerate(dataset.names)}
    splits.write(tmp_path / "split.csv", dict.fromkeys(dataset.names, ""), folds=folds)
    parts = splits.read(tmp_path / "split.csv", dataset, fold=1)
    assert parts["validation"].names == (dataset.names[1], dataset.names[5])
    assert len(parts["train"]) == 6
    with pytest.raises(ConfigError, match=r"has 4 folds: say with --fold which one"):
        splits.read(tmp_path / "split.csv", dataset)
    with pytest.raises(ConfigError, match=r"has no fold 7; it has \[0, 1, 2, 3\]"):
        splits.read(tmp_path / "split.csv", dataset, fold=7)


def test_images_kept_back_as_test_stay_that_in_every_fold(tiny_severstal, tmp_path):
    dataset = severstal.read(tiny_severstal)
    back, *rest = dataset.names
    folds = {name: number % 2 for number, name in enumerate(rest)}
    parts = dict.fromkeys(rest, "") | {back: "test"}
    splits.write(tmp_path / "split.csv", parts, folds=folds)
    for fold in range(2):
        assert splits.read(tmp_path / "split.csv", dataset, fold=fold)["test"].names == (back,)


def test_a_fold_may_be_written_with_zeros_in_front(tiny_severstal, tmp_path):
    dataset = severstal.read(tiny_severstal)
    rows = [f"{name},,0{number % 2}," for number, name in enumerate(dataset.names)]
    (tmp_path / "split.csv").write_text("\n".join(["image,split,fold,group", *rows]))
    assert len(splits.read(tmp_path / "split.csv", dataset, fold=1)["validation"]) == 4


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("sheet-1.png,train", "line 2 has another number of cells"),
        ("sheet-1.png,,,", "line 2 gives 'sheet-1.png' neither a split nor a fold"),
        ("sheet-1.png,,one,", "line 2 has the fold 'one', expected a number from 0"),
        ("sheet-1.png,,-1,", "line 2 has the fold '-1', expected a number from 0"),
    ],
)
def test_a_row_that_says_nothing_is_named(tiny_severstal, tmp_path, row, message):
    (tmp_path / "split.csv").write_text(f"image,split,fold,group\n{row}\n")
    with pytest.raises(AnnotationError, match=message):
        splits.read(tmp_path / "split.csv", severstal.read(tiny_severstal))


def test_published_parts_are_read_whatever_their_publisher_calls_them():
    parts = {"a.png": "Training", "b.png": "valid", "c.png": "test", "d.png": None}
    entries = tuple(Entry(name=name, labels=(True,), part=part) for name, part in parts.items())
    found = splits.read("published", Dataset(classes=("bad",), entries=entries))
    assert {part: dataset.names for part, dataset in found.items()} == {
        "train": ("a.png",),
        "validation": ("b.png",),
        "test": ("c.png",),
    }


def test_published_parts_are_no_folds():
    dataset = Dataset(classes=("bad",), entries=(Entry(name="a.png", labels=(True,), part="x"),))
    with pytest.raises(ConfigError, match="no folds"):
        splits.read("published", dataset, fold=0)


def test_a_data_set_that_came_in_one_part_has_no_published_ones():
    dataset = Dataset(classes=("bad",), entries=(Entry(name="a.png", labels=(True,)),))
    with pytest.raises(ConfigError, match="without published parts"):
        splits.read("published", dataset)
