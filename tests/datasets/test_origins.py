from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection import files, images
from steel_defect_detection.datasets import layouts, leakage, origins
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, ConfigError


def write(folder, names, *, sources=(), synthesis=()):
    """A folder of images with masks, and what is written about them."""
    for name in names:
        images.write(folder / f"images/{name}.png", np.zeros((8, 8), np.uint8))
        images.write(folder / f"masks/{name}.png", np.zeros((8, 8), np.uint8))
    if sources:
        files.write_table(folder / "sources.csv", origins.SOURCES_COLUMNS, sources)
    if synthesis:
        files.write_table(folder / "synthesis.csv", origins.SYNTHESIS_COLUMNS, synthesis)


def copied(name, source, group=""):
    return f"images/{name}.png", source, f"/data/{source}.jpg", group, "train"


def made(name, source):
    return f"images/{name}.png", f"masks/{name}.png", "transplant", source, 5, "{}"


def entries(folder):
    return {entry.name: entry for entry in layouts.read(folder).entries}


def test_groups_come_back_from_the_sources(tmp_path):
    write(tmp_path, ["a", "b"], sources=[copied("a", "x", "tile 1"), copied("b", "y")])
    read = entries(tmp_path)
    assert read["images/a.png"].group == "tile 1"
    assert read["images/b.png"].group is None
    assert {entry.part for entry in read.values()} == {"train"}
    assert read["images/a.png"].made_from is None


def test_groups_can_be_named_for_images_of_any_layout(tmp_path):
    write(tmp_path, ["a", "b", "c"])
    rows = [("images/a.png", "tile 1"), ("images/b.png", "tile 1")]
    files.write_table(tmp_path / "groups.csv", ("image", "group"), rows)
    groups = [entries(tmp_path)[f"images/{name}.png"].group for name in "abc"]
    assert groups == ["tile 1", "tile 1", None]
    for name in ("pits/a.png", "pits/b.png", "dents/a.png"):
        images.write(tmp_path / "classes" / name, np.zeros((8, 8), np.uint8))
    rows = [("pits/a.png", "coil"), ("dents/a.png", "coil")]
    files.write_table(tmp_path / "classes" / "groups.csv", ("image", "group"), rows)
    found = {name: entry.group for name, entry in entries(tmp_path / "classes").items()}
    assert found == {"pits/a.png": "coil", "dents/a.png": "coil", "pits/b.png": None}


def test_groups_that_cannot_be_read_are_not_passed_over(tmp_path):
    write(tmp_path, ["a"])
    files.write_table(tmp_path / "groups.csv", ("image", "group"), [("images/z.png", "1")])
    with pytest.raises(AnnotationError, match=r"1 images that are not there, first: images/z\.png"):
        layouts.read(tmp_path)
    files.write_table(tmp_path / "groups.csv", ("file", "coil"), [("images/a.png", "1")])
    with pytest.raises(AnnotationError, match="expected the columns image and group"):
        layouts.read(tmp_path)


def test_a_synthetic_image_knows_the_images_here_that_it_was_made_from(tmp_path):
    write(
        tmp_path,
        ["a", "made"],
        sources=[copied("a", "x"), ("images/made.png", "made-1", "", "", "train")],
        synthesis=[made("made", "x|elsewhere")],
    )
    assert entries(tmp_path)["images/made.png"].made_from == ("images/a.png", "elsewhere")


def test_a_synthetic_image_knows_the_groups_that_it_shows(tmp_path):
    sources = [copied("a", "x", "tile 1"), ("images/made.png", "made-1", "", "tile 1|tile 2", "")]
    write(tmp_path, ["a", "made"], sources=sources, synthesis=[made("made", "x|y")])
    read = entries(tmp_path)
    assert read["images/made.png"].made_from == ("tile 1", "tile 2")
    assert read["images/made.png"].group is None
    assert origins.keys(read["images/a.png"]) == {"tile 1"}


def test_drawn_images_were_made_from_nothing_real(tmp_path, caplog):
    caplog.set_level("INFO", logger="steel_defect_detection")
    write(tmp_path, ["a", "b"], synthesis=[made("a", "")])
    assert entries(tmp_path)["images/a.png"].made_from == ()
    assert "1 of 2 images are synthetic" in caplog.text


def test_other_tables_of_these_names_say_nothing(tmp_path):
    write(tmp_path, ["a"])
    (tmp_path / "sources.csv").write_text("who,what\nme,it\n")
    (tmp_path / "synthesis.csv").write_bytes(b"\xff\xfe\x00")
    assert entries(tmp_path)["images/a.png"].made_from is None


def test_a_torn_table_is_refused(tmp_path):
    write(tmp_path, ["a"], synthesis=[made("a", "")])
    with (tmp_path / "synthesis.csv").open("a") as file:
        file.write("images/b.png,masks\n")
    with pytest.raises(AnnotationError, match=r"synthesis\.csv line 3 has another number of cells"):
        layouts.read(tmp_path)


def dataset(*given):
    return Dataset(classes=("a",), entries=given)


def test_a_synthetic_image_must_not_stand_beside_what_it_shows():
    real, neighbour = Entry(name="real", group="g"), Entry(name="neighbour", group="g")
    alone = Entry(name="alone")
    synthetic = Entry(name="made", made_from=("g", "alone"))
    assert not list(origins.leaks({"train": dataset(real, synthetic), "test": dataset()}))
    found = list(origins.leaks({"train": dataset(real, synthetic), "test": dataset(neighbour)}))
    assert found == [("made", "train", "neighbour", "test")]
    found = list(origins.leaks({"train": dataset(synthetic), "test": dataset(alone)}))
    assert found == [("made", "train", "alone", "test")]
    text = r"split\.csv leaks: 1 synthetic images .* first: made in train like alone in test"
    with pytest.raises(ConfigError, match=text):
        origins.refuse_leaks({"train": dataset(synthetic), "test": dataset(alone)}, "split.csv")


def test_two_synthetic_images_of_one_source_must_not_be_parted():
    one, other = (Entry(name=name, made_from=("source",)) for name in ("one", "other"))
    assert {leak[0] for leak in origins.leaks({"train": dataset(one), "test": dataset(other)})} == {
        "one",
        "other",
    }


def test_synthetic_images_belong_to_the_group_of_their_sources():
    given = (
        Entry(name="a", group="g"),
        Entry(name="b"),
        Entry(name="c"),
        Entry(name="made", made_from=("g", "b")),
    )
    numbers = leakage.groups(dataset(*given), "given").tolist()
    assert numbers[0] == numbers[1] == numbers[3] != numbers[2]
    drawn = replace(given[3], made_from=())
    assert len(set(leakage.groups(dataset(*given[:3], drawn), "given").tolist())) == 4
