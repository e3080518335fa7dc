import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import layouts, severstal, splits
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError, ResultsError
from steel_defect_detection.synthesis.amounts import Amount
from steel_defect_detection.synthesis.draw import StripDrawer
from steel_defect_detection.synthesis.made import Made
from steel_defect_detection.synthesis.patches import Patches
from steel_defect_detection.synthesis.sheets import Sheets
from steel_defect_detection.synthesis.synthesize import part, synthesize
from steel_defect_detection.synthesis.transplant import Transplanter
from tests.synthesis.sheets_and_defects import dataset


def transplanter(images_):
    sheets = Sheets(dataset=images_, kinds=("clean", "as-is"), shape=(64, 64))
    return Transplanter(patches=Patches(dataset=images_, templates={}), sheets=sheets)


def drawer(_):
    return StripDrawer(shape=(64, 64))


def parts():
    data = dataset(count=12, clean=4)
    return {
        "train": data.subset([*range(8), 12, 13]),
        "validation": data.subset([8, 9, 14]),
        "test": data.subset([10, 11, 15]),
    }


def test_real_and_synthetic_images_make_one_data_set(tmp_path):
    given = parts()
    made = synthesize(given, transplanter, tmp_path, {"train": Amount(per_class=3)}, seed=1)
    assert made.real == {"train": 10, "validation": 3, "test": 3}
    assert made.synthetic == {"train": {"scratch": 3, "pit": 3}}
    written = layouts.read(tmp_path)
    assert made.layout == layouts.recognise(tmp_path) == "mask-folders"
    assert len(written) == 16 + 6
    manifest = pd.read_csv(tmp_path / "synthesis.csv", keep_default_na=False)
    assert list(manifest) == ["image", "mask", "way", "source", "seed", "parameters"]
    assert set(manifest["way"]) == {"transplant"}
    assert (tmp_path / "samples.png").is_file()


def test_the_manifest_is_enough_to_make_an_image_again(tmp_path):
    given = parts()
    synthesize(given, transplanter, tmp_path, {"train": Amount(per_class=3)}, seed=1)
    for row in pd.read_csv(tmp_path / "synthesis.csv").to_dict("records"):
        number = 1 + ("pit" in row["image"])
        again = transplanter(given["train"]).make(number, row["seed"])
        assert np.array_equal(images.read(tmp_path / row["image"])[..., :1], again.image)
        truth = images.read(tmp_path / row["mask"])[..., 0]
        assert np.array_equal(truth == np.array([1, 2])[:, None, None], again.masks)
        assert row["source"].split("|") == list(again.sources)
        assert json.loads(row["parameters"]) == again.parameters


def test_what_is_made_for_a_part_shows_images_of_that_part_alone(tmp_path):
    given = parts()
    amounts = {"train": Amount(per_class=4), "validation": Amount(per_class=2)}
    synthesize(given, transplanter, tmp_path, amounts)
    written = splits.read(tmp_path / "split.csv", layouts.read(tmp_path))
    counts = {name: len(images_) for name, images_ in written.items()}
    assert counts == {"train": 18, "validation": 7, "test": 3}
    manifest = pd.read_csv(tmp_path / "synthesis.csv", index_col="image")
    for name, images_ in written.items():
        for entry in images_.entries:
            if entry.made_from is not None:
                assert set(manifest.loc[entry.name, "source"].split("|")) <= set(given[name].names)
    # What shows the same has the same group, and no group stands in two parts.
    table = pd.read_csv(tmp_path / "split.csv")
    assert table.groupby("group")["split"].nunique().max() == 1
    assert table["group"].nunique() < len(table) - 6


@pytest.mark.parametrize(("per_class", "ratio", "real"), [(3, 0.5, 3), (4, 1.0, 0), (2, 0.4, 3)])
def test_the_ratio_leaves_real_images_out(tmp_path, per_class, ratio, real):
    amounts = {"train": Amount(per_class=per_class, ratio=ratio)}
    synthesize(parts(), transplanter, tmp_path, amounts)
    train = splits.read(tmp_path / "split.csv", layouts.read(tmp_path))["train"]
    photographs = [entry for entry in train.entries if entry.made_from is None]
    counts = Counter(entry.labels for entry in photographs)
    assert counts[(True, False)] == counts[(False, True)] == real
    assert len(train) - len(photographs) == 2 * per_class


def test_more_real_images_than_there_are_is_an_error(tmp_path):
    with pytest.raises(
        ConfigError, match=r"ask for 5 real ones of 'scratch' in train.*there are 4"
    ):
        synthesize(parts(), transplanter, tmp_path, {"train": Amount(per_class=5, ratio=0.5)})


@pytest.mark.thorough
def test_the_same_seed_writes_the_same_bytes_with_any_number_of_processes(tmp_path):
    amounts = {"train": Amount(per_class=10, clean=2)}
    empty = {"train": Dataset(classes=severstal.CLASSES, entries=())}
    for name, workers, seed in (("a", 1, 0), ("b", 2, 0), ("c", 1, 1)):
        synthesize(empty, drawer, tmp_path / name, amounts, workers=workers, seed=seed)
    first = (tmp_path / "a/train.csv").read_bytes()
    assert first == (tmp_path / "b/train.csv").read_bytes()
    assert first != (tmp_path / "c/train.csv").read_bytes()
    for path in (tmp_path / "a/train_images").iterdir():
        assert path.read_bytes() == (tmp_path / "b/train_images" / path.name).read_bytes()


def test_drawn_strips_are_a_severstal_data_set_with_masks_as_pictures_too(tmp_path):
    empty = {"train": Dataset(classes=severstal.CLASSES, entries=())}
    made = synthesize(
        empty, drawer, tmp_path, {"train": Amount(per_class=2, clean=1)}, classes=(2, 4)
    )
    assert made.layout == "severstal"
    assert made.synthetic == {"train": {"defect_2": 2, "defect_4": 2, "free of defects": 1}}
    assert not (tmp_path / "split.csv").exists()
    written = layouts.read(tmp_path)
    assert sorted(written.labels().sum(axis=0).tolist()) == [0, 0, 2, 2]
    for sample in written:
        mask = images.read(tmp_path / "masks" / sample.name)[..., 0]
        assert np.array_equal(mask == np.arange(1, 5)[:, None, None], sample.masks)


def test_images_with_labels_alone_keep_labels_alone(tmp_path):
    class Namer:
        way = "gan"

        def make(self, number, seed):
            labels = np.array([number == 1, number == 2])
            return Made(image=np.zeros((16, 16, 3), np.uint8), masks=None, labels=labels)

    data = dataset()
    bare = replace(data, entries=tuple(replace(entry, masks=None) for entry in data.entries))
    made = synthesize({"train": bare}, lambda _: Namer(), tmp_path, {"train": Amount(per_class=2)})
    assert made.layout == "label-files"
    written = layouts.read(tmp_path)
    assert written.labels().sum(axis=0).tolist() == [5, 5]
    assert not (tmp_path / "masks").exists()


def test_what_was_made_before_is_kept_and_known(tmp_path):
    first = synthesize(parts(), transplanter, tmp_path / "a", {"train": Amount(per_class=2)})
    again = part(layouts.read(first.output), tmp_path / "a/split.csv")
    seen = []

    def spy(images_):
        seen.extend(entry.made_from for entry in images_.entries)
        return transplanter(images_)

    amounts = {"train": Amount(per_class=3, ratio=0.5)}
    second = synthesize(again, spy, tmp_path / "b", amounts, seed=5)
    assert set(seen) == {None}
    # Three scratches, three pits, and both clean ones.
    assert second.real["train"] == 3 + 3 + 2
    assert second.earlier["train"] == 4
    old, new = (pd.read_csv(tmp_path / name / "synthesis.csv") for name in "ab")
    assert len(old) == 4
    assert len(new) == 10
    columns = ["way", "source", "seed", "parameters"]
    assert new[columns].iloc[:4].to_dict("list") == old[columns].to_dict("list")
    written = splits.read(tmp_path / "b/split.csv", layouts.read(tmp_path / "b"))
    train = [entry for entry in written["train"].entries if entry.made_from is not None]
    assert len(train) == 10
    # Sources go by the names that they have in the new folder, as far as they are there.
    names = set(layouts.read(tmp_path / "b").names)
    assert any(set(entry.made_from) & names for entry in train)


def test_an_image_free_of_defects_has_the_good_class_where_there_is_one(tmp_path):
    class Cleaner:
        way = "draw"

        def make(self, number, seed):
            return Made(image=np.full((16, 16, 1), 9, np.uint8), masks=np.zeros((2, 16, 16), bool))

    bare = tuple(replace(entry, masks=None) for entry in dataset().entries[:6:2])
    data = Dataset(classes=("scratch", "good"), entries=bare, good_class="good")
    synthesize({"train": data}, lambda _: Cleaner(), tmp_path, {"train": Amount(clean=2)})
    written = layouts.read(tmp_path)
    assert written.labels().sum(axis=0).tolist() == [3, 2]
    assert pd.read_csv(tmp_path / "synthesis.csv")["mask"].isna().all()


def test_without_a_split_all_images_are_for_training():
    assert set(part(dataset())) == {"train"}
    with pytest.raises(ConfigError, match=r"fold 1 belongs to a split\.csv"):
        part(dataset(), fold=1)


def test_a_split_that_leaks_is_refused(tmp_path):
    data = dataset(groups=True)
    names = dict.fromkeys(data.names, "train") | {"1.png": "test"}
    splits.write(tmp_path / "split.csv", names)
    with pytest.raises(ConfigError, match=r"the split leaks: 1 images of test stand in train too"):
        part(data, tmp_path / "split.csv")
    splits.write(tmp_path / "split.csv", names | {"0.png": "test"})
    assert [len(images_) for images_ in part(data, tmp_path / "split.csv").values()] == [6, 2]


def test_a_split_that_leaks_by_what_images_show_is_refused(tmp_path):
    data = dataset()
    twin = replace(data.entries[0], name="twin.png")
    both = replace(data, entries=(*data.entries, twin))
    splits.write(tmp_path / "split.csv", dict.fromkeys(data.names, "train") | {"twin.png": "test"})
    with pytest.raises(ConfigError, match=r"first: twin\.png like 0\.png"):
        part(both, tmp_path / "split.csv")


def test_parts_and_names_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="asked for the part 'tset', but the parts are train"):
        synthesize({"train": dataset()}, transplanter, tmp_path, {"tset": Amount(per_class=1)})
    odd = replace(dataset(), entries=(replace(dataset().entries[0], name="a|b.png"),))
    with pytest.raises(ConfigError, match=r"'a\|b\.png' has a '\|'"):
        synthesize({"train": odd}, transplanter, tmp_path, {})


def test_an_earlier_result_is_replaced_though_it_was_larger_or_not_finished(tmp_path):
    empty = {"train": Dataset(classes=severstal.CLASSES, entries=())}
    synthesize(empty, drawer, tmp_path, {"train": Amount(per_class=3)})
    (tmp_path / "train.csv").unlink()
    amounts = {"train": Amount(per_class=1)}
    synthesize(empty, drawer, tmp_path, amounts, overwrite=True)
    assert len(layouts.read(tmp_path)) == 4
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ResultsError, match=r"holds 1 files that would be mixed.*mine\.txt"):
        synthesize(empty, drawer, tmp_path, amounts, overwrite=True)
    assert (tmp_path / "mine.txt").exists()
    assert len(layouts.read(tmp_path)) == 4


def test_a_refusal_leaves_nothing_behind(tmp_path):
    amounts = {"train": Amount(per_class=9, ratio=0.1)}
    with pytest.raises(ConfigError):
        synthesize({"train": dataset()}, transplanter, tmp_path / "out", amounts)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ResultsError, match="is not empty"):
        synthesize({"train": dataset()}, transplanter, tmp_path, {})
