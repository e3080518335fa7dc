import pytest

from steel_defect_detection.datasets import severstal, splits
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, ConfigError


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
    with pytest.raises(AnnotationError, match=r"is no split\.csv: its first line names"):
        splits.read(tmp_path / "split.csv", dataset)
    with pytest.raises(AnnotationError, match=r"is no split\.csv: there is no such file"):
        splits.read(tmp_path / "missing.csv", dataset)


def test_a_manifest_of_folds_is_read_fold_by_fold(tiny_severstal, tmp_path):
    dataset = severstal.read(tiny_severstal)
    folds = {name: number % 4 for number, name in enumerate(dataset.names)}
    splits.write(tmp_path / "split.csv", dict.fromkeys(dataset.names, ""), fold_numbers=folds)
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
    splits.write(tmp_path / "split.csv", parts, fold_numbers=folds)
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


def test_images_without_a_group_get_that_of_the_manifest_if_asked_for(tmp_path):
    entries = (Entry(name="a"), Entry(name="b"), Entry(name="c", group="1"), Entry(name="d"))
    path = tmp_path / "split.csv"
    numbers = {"a": 1, "b": 1, "c": 2}
    splits.write(path, dict.fromkeys("abcd", "test"), group_numbers=numbers)
    dataset = Dataset(classes=("bad",), entries=entries)
    assert splits.read(path, dataset)["test"].entries == entries
    found = splits.read(path, dataset, with_groups=True)["test"]
    groups = [entry.group for entry in found.entries]
    assert groups[0] == groups[1] != groups[2] == "1"
    assert groups[3] is None


def test_a_name_that_is_nearly_one_of_the_data_is_suggested(tmp_path):
    entries = tuple(Entry(name=f"images/{n:06d}.png") for n in (667, 700))
    dataset = Dataset(classes=("a",), entries=entries)
    path = tmp_path / "split.csv"
    for written in ("Images\\000667.png", "images/000667.PNG"):
        path.write_text(f"image,split\n{written},train\n")
        with pytest.raises(AnnotationError, match=r"Is 'images/000667\.png' meant\?"):
            splits.read(path, dataset)
