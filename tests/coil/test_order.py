import re

import pytest

from steel_defect_detection.coil import order
from steel_defect_detection.coil.order import Order
from steel_defect_detection.errors import ConfigError


def written(tmp_path, text):
    path = tmp_path / "order.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("column", ["image", "file"])
def test_images_come_in_the_order_of_the_rows(tmp_path, column):
    found = order.read(written(tmp_path, f"shift,{column}\n1,b.png\n2,a.png\n"))
    assert found == Order(images=("b.png", "a.png"))


def test_starts_are_read_where_there_are_some(tmp_path):
    found = order.read(written(tmp_path, "image,start_mm\na.png,0\nb.png,812.5\n"))
    assert found == Order(images=("a.png", "b.png"), starts=(0.0, 812.5), in_mm=True)
    found = order.read(written(tmp_path, "image,start\na.png,10\n"))
    assert found == Order(images=("a.png",), starts=(10.0,), in_mm=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("name\na\n", "has no column 'image' or 'file', but 'name'", id="no column"),
        pytest.param("", "has no column 'image' or 'file': its first line is empty", id="empty"),
        pytest.param("\nimage\na\n", "'file': its first line is empty", id="blank line"),
        pytest.param("image\n", "names no image", id="only titles"),
        pytest.param("image\na\na\n", "names 'a' a second time in line 3", id="twice"),
        pytest.param("image,x\na,1\n,2\n", "names no image in line 3", id="no name"),
        pytest.param(
            "image,start\na,soon\n",
            "line 2: expected a number of 0 or more as start, got 'soon'",
            id="no number",
        ),
        pytest.param(
            "image,start_mm\na,-1\n",
            "line 2: expected a number of 0 or more as start_mm, got '-1'",
            id="negative",
        ),
    ],
)
def test_what_is_no_order_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        order.read(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    message = f"{tmp_path / 'no.csv'} cannot be read as an order of images"
    with pytest.raises(ConfigError, match=re.escape(message)):
        order.read(tmp_path / "no.csv")


def test_images_are_found_by_any_of_their_names():
    names = [("a.png", "in/a.png"), ("b.png", "in/b.png")]
    assert order.resolve(Order(images=("in/b.png", "a.png")), names) == [1, 0]


def test_missing_images_are_named():
    message = (
        "not among the images: 4 of 5 images that the order names, first: b, c, d. Add what is "
        "missing, or take it out of the order"
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        order.resolve(Order(images=("a", "b", "c", "d", "e")), [("a",)])


def test_a_name_of_several_images_is_refused():
    names = [("a.png", "x/a.png"), ("a.png", "y/a.png")]
    message = "'a.png' stands for several images: name it with its folder, as images.csv does"
    with pytest.raises(ConfigError, match=re.escape(message)):
        order.resolve(Order(images=("a.png",)), names)
