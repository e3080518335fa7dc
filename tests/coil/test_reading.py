import logging
import os
import re

import numpy as np
import pytest

from steel_defect_detection import coil
from steel_defect_detection.errors import ConfigError, ResultsError
from tests.coil import built


def label_map(*boxes, shape=(20, 40)):
    """Boxes of a class: number, top, bottom, left, right."""
    found = np.zeros(shape, dtype=np.uint8)
    for number, top, bottom, left, right in boxes:
        found[top:bottom, left:right] = number
    return found


@pytest.fixture
def folder(tmp_path):
    maps = {
        "a.png": label_map((1, 2, 6, 10, 14), (2, 0, 2, 30, 40)),
        "b.png": label_map((2, 0, 2, 0, 10)),
        "c.png": label_map(),
    }
    return built.results(tmp_path / "results", maps)


def test_defects_lie_where_their_images_do(folder):
    found = coil.read(folder)
    assert found.classes == built.CLASSES
    assert (found.length, found.width) == (120, 20)
    # The second reaches over the seam: 10 pixels on each side of 40.
    assert found.defects.along.tolist() == [12, 40]
    assert found.defects.across.tolist() == [4, 1]
    assert found.defects.area.tolist() == [16, 40]
    assert found.defects.along_size.tolist() == [4, 20]
    assert found.defects.across_size.tolist() == [4, 2]
    assert found.defects.image.tolist() == [0, 1]
    assert found.defects.class_number.tolist() == [1, 2]


def test_with_y_rows_run_along_the_coil(tmp_path):
    maps = {"a.png": label_map((1, 15, 20, 3, 5)), "b.png": label_map((1, 0, 5, 5, 7))}
    found = coil.read(built.results(tmp_path, maps), length_axis="y", join=-1)
    assert (found.length, found.width) == (40, 40)
    # They touch corner to corner over the seam.
    assert found.defects.along.tolist() == [20]
    assert found.defects.across.tolist() == [5]
    assert found.defects.area.tolist() == [20]


def test_specks_are_joined_unless_told_otherwise(tmp_path):
    maps = {"a.png": label_map((1, 2, 4, 10, 12), (1, 2, 4, 15, 17))}
    folder = built.results(tmp_path, maps)
    assert len(coil.read(folder).defects) == 1
    assert len(coil.read(folder, join=2).defects) == 2


def test_an_image_that_could_not_be_judged_takes_its_place(tmp_path):
    maps = {"a.png": label_map(), "b.png": label_map(), "c.png": label_map((1, 0, 2, 0, 2))}
    found = coil.read(built.results(tmp_path, maps, errors=["b.png"]))
    assert found.unread.tolist() == [False, True, False]
    assert found.unseen().tolist() == [[40, 80]]
    assert found.defects.along.tolist() == [81]


def test_an_order_says_what_lies_where(folder, tmp_path, caplog):
    path = tmp_path / "order.csv"
    path.write_text("image,start_mm\nb.png,100\na.png,160\n")
    with caplog.at_level(logging.INFO):
        found = coil.read(folder, order_file=path, mm_per_pixel=0.5)
    assert found.images == ("b.png", "a.png")
    assert found.starts.tolist() == [0, 120]
    assert found.unseen().tolist() == [[40, 120]]
    # Not joined: there is a gap between the halves now.
    assert found.defects.along.tolist() == [5, 132, 155]
    assert caplog.messages == [
        f"left out, because {path} does not name them: 1",
        "places are counted from where the first image begins: at 100 mm of the order",
    ]


def test_a_name_that_is_no_text_is_found(tmp_path):
    """The tables hold its bytes as escapes."""
    folder = built.results(tmp_path / "results", {"bad-x.png": label_map((1, 2, 6, 10, 14))})
    (folder / "masks/bad-x.png").rename(folder / os.fsdecode(b"masks/bad-\xff.png"))
    for name in ("images.csv", "predictions.csv"):
        (folder / name).write_text((folder / name).read_text().replace("-x.png", "-\\udcff.png"))
    assert coil.read(folder).defects.area.tolist() == [16]


def test_starts_that_are_a_little_too_early_are_moved(tmp_path):
    maps = {name: label_map(shape=(20, 100)) for name in ("a.png", "b.png", "c.png")}
    folder = built.results(tmp_path / "results", maps)
    path = tmp_path / "order.csv"
    path.write_text("image,start\na.png,7\nb.png,105\nc.png,220\n")
    assert coil.read(folder, order_file=path).starts.tolist() == [0, 100, 213]
    path.write_text("image,start\na.png,7\nb.png,104\nc.png,220\n")
    with pytest.raises(ConfigError, match=re.escape("b.png begins before a.png ends")):
        coil.read(folder, order_file=path)


def test_an_image_that_could_not_be_judged_ends_where_the_next_begins(tmp_path):
    maps = {name: label_map() for name in ("a.png", "b.png", "c.png")}
    folder = built.results(tmp_path / "results", maps, errors=["b.png"])
    path = tmp_path / "order.csv"
    path.write_text("image,start\na.png,0\nb.png,40\nc.png,60\n")
    assert coil.read(folder, order_file=path).unseen().tolist() == [[40, 60]]


def test_the_order_of_images_matters_through_their_places_only(folder, tmp_path):
    path = tmp_path / "order.csv"
    path.write_text("image\na.png\nb.png\nc.png\n")
    usual, ordered = coil.read(folder), coil.read(folder, order_file=path)
    assert usual.defects.along.tolist() == ordered.defects.along.tolist()


def test_starts_in_millimetres_need_the_size_of_a_pixel(folder, tmp_path):
    path = tmp_path / "order.csv"
    path.write_text("image,start_mm\na.png,0\n")
    message = "the order gives starts in millimetres: say how large a pixel is, or give 'start'"
    with pytest.raises(ConfigError, match=re.escape(message)):
        coil.read(folder, order_file=path)


@pytest.mark.parametrize("start", ["9e11", "1e308"])
def test_a_coil_beyond_all_measure_is_refused(folder, tmp_path, start):
    (tmp_path / "order.csv").write_text(f"image,start\na.png,0\nb.png,{start}\n")
    with pytest.raises(ConfigError, match="are the starts in the right unit"):
        coil.read(folder, order_file=tmp_path / "order.csv")


def test_images_of_another_width_are_refused(tmp_path):
    maps = {"a.png": label_map(), "b.png": label_map(shape=(30, 40))}
    message = (
        "b.png is 30 pixels across and a.png is 20: all images of a coil must be equally wide. "
        "Does x run along the coil?"
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        coil.read(built.results(tmp_path, maps))
    assert coil.read(tmp_path, length_axis="y").length == 50


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(ResultsError, match=re.escape("images.csv cannot be read")):
        coil.read(tmp_path)


@pytest.mark.parametrize("record", [None, "no json", '{"classes": "abc"}', "[]"])
def test_a_record_is_needed(folder, record):
    (folder / "run.json").unlink()
    if record is not None:
        (folder / "run.json").write_text(record)
    message = (
        f"{folder} holds no results: run.json is missing or no record of a run. Judge the images "
        "with sdd-predict"
    )
    with pytest.raises(ResultsError, match=re.escape(message)):
        coil.read(folder)


def test_results_without_outlines_are_refused(folder):
    text = (folder / "images.csv").read_text().replace("masks/a.png", "")
    (folder / "images.csv").write_text(text)
    message = (
        "a.png was judged, but nothing outlines its defects. Judge the images with a model that "
        "does, such as the built-in one"
    )
    with pytest.raises(ResultsError, match=re.escape(message)):
        coil.read(folder)


def test_a_missing_mask_is_named(folder):
    (folder / "masks" / "b.png").unlink()
    message = f"{folder} is not complete: {folder / 'masks' / 'b.png'} cannot be read"
    with pytest.raises(ResultsError, match=re.escape(message)):
        coil.read(folder)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"text", b"GIF89a" + bytes(30)])
def test_a_mask_without_a_head_is_named(folder, content):
    (folder / "masks" / "b.png").write_bytes(content)
    with pytest.raises(ResultsError, match=r"is not complete: .*b\.png"):
        coil.read(folder)


def test_a_coil_of_errors_is_refused(tmp_path):
    folder = built.results(tmp_path, {"a.png": label_map()}, errors=["a.png"])
    message = "none of 1 images could be judged, so there is no coil to lay out"
    with pytest.raises(ResultsError, match=re.escape(message)):
        coil.read(folder)


def test_results_of_no_image_are_refused(tmp_path):
    with pytest.raises(ResultsError, match="the results hold no image"):
        coil.read(built.results(tmp_path, {}))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param(["a.png,3,1 2"], "names class 3, but run.json has 2", id="class"),
        pytest.param(
            ["a.png,1,1 2", "a.png,1,5 2"],
            "has two rows for one image and class: give each one row",
            id="twice",
        ),
        pytest.param(
            ["a.png,1,1 900"],
            "predictions.csv, a.png: run 1 900 ends at pixel 900, but a 20 x 40 mask has 800 "
            "pixels",
            id="outside",
        ),
    ],
)
def test_predictions_that_do_not_fit_are_refused(folder, rows, message):
    text = "\n".join(["ImageId,ClassId,EncodedPixels", *rows]) + "\n"
    (folder / "predictions.csv").write_text(text)
    with pytest.raises(ResultsError, match=re.escape(message)):
        coil.read(folder)
