import re

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.coil import ahead
from steel_defect_detection.errors import ConfigError


@pytest.fixture
def strips(tmp_path):
    """Images of one coil: 64 pixels across, of several lengths."""
    return [strip(tmp_path / f"{number}.png", 64, 80 + number) for number in range(4)]


def strip(path, height, width):
    images.write(path, np.zeros((height, width), dtype=np.uint8))
    return path


def order(tmp_path, text):
    path = tmp_path / "order.csv"
    path.write_text(text)
    return path


def test_images_of_one_width_pass(strips):
    ahead.refuse_unfit(strips)


def test_images_of_other_widths_are_named(strips, tmp_path):
    other = strip(tmp_path / "other.png", 50, 80)
    message = (
        f"{other} is 50 pixels across and {strips[0]} is 64: all images of a coil must be equally "
        "wide. Does x run along the coil?"
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        ahead.refuse_unfit([*strips, other])


def test_along_the_other_axis_the_other_side_must_be_equal(strips, tmp_path):
    with pytest.raises(ConfigError, match=r"81 pixels across and .* is 80.*Does y run"):
        ahead.refuse_unfit(strips, length_axis="y")
    ahead.refuse_unfit([strips[0], strip(tmp_path / "long.png", 500, 80)], length_axis="y")


def test_what_is_no_image_is_left_to_those_who_judge(strips, tmp_path):
    text, tiny = tmp_path / "x.png", strip(tmp_path / "tiny.png", 2, 2)
    text.write_text("no image")
    ahead.refuse_unfit([text, tiny, *strips, tmp_path / "gone.png"])


def test_images_that_the_order_leaves_out_may_be_of_any_size(strips, tmp_path):
    other = strip(tmp_path / "other.png", 50, 80)
    named = order(tmp_path, f"image\n3.png\n{strips[0]}\n")
    ahead.refuse_unfit([other, *strips], order_file=named)


def test_an_order_of_other_images_is_refused(strips, tmp_path):
    named = order(tmp_path, "image\n3.png\nnope.png\n")
    with pytest.raises(ConfigError, match=r"1 of 2 images that the order names, first: nope\.png"):
        ahead.refuse_unfit(strips, order_file=named)


def test_starts_in_millimetres_need_the_size_of_a_pixel(strips, tmp_path):
    named = order(tmp_path, "image,start_mm\n3.png,0\n")
    with pytest.raises(ConfigError, match="say how large a pixel is"):
        ahead.refuse_unfit(strips, order_file=named)
    ahead.refuse_unfit(strips, order_file=named, mm_per_pixel=0.5)
