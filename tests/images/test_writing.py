import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steel_defect_detection import images
from steel_defect_detection.errors import ImageError, ResultsError
from tests.images.pictures import HEIGHT, WIDTH, one_line


class TestWrite:
    def test_png_keeps_every_colour(self, tmp_path, pixels):
        images.write(tmp_path / "overlays" / "Größe.PNG", pixels)
        with Image.open(tmp_path / "overlays" / "Größe.PNG") as picture:
            np.testing.assert_array_equal(np.array(picture), pixels)

    @pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 1)])
    def test_a_label_map_stays_one_channel_of_the_same_numbers(self, tmp_path, shape):
        label_map = (np.arange(HEIGHT * WIDTH) % 5).astype(np.uint8).reshape(shape)
        images.write(tmp_path / "mask.png", label_map)
        with Image.open(tmp_path / "mask.png") as picture:
            assert picture.mode == "L"
            np.testing.assert_array_equal(np.array(picture), label_map.reshape(HEIGHT, WIDTH))

    @pytest.mark.parametrize("ending", [".jpg", ".jpeg"])
    def test_jpeg_keeps_red_green_and_blue_in_order(self, tmp_path, ending):
        red = np.full((16, 16, 3), (200, 60, 20), dtype=np.uint8)
        images.write(tmp_path / f"x{ending}", red)
        with Image.open(tmp_path / f"x{ending}") as picture:
            assert picture.format == "JPEG"
            np.testing.assert_allclose(np.array(picture), red, atol=4)

    def test_what_was_written_is_read_back(self, tmp_path, pixels):
        images.write(tmp_path / "x.png", pixels[:, ::-2])
        np.testing.assert_array_equal(images.read(tmp_path / "x.png"), pixels[:, ::-2])

    @pytest.mark.parametrize(("name", "ending"), [("x.gif", "'.gif'"), ("x", "''")])
    def test_other_endings_are_refused(self, tmp_path, pixels, name, ending):
        text = f": images are written as .png, .jpg, .jpeg, got {ending}"
        with pytest.raises(ImageError, match=one_line(tmp_path / name, text)):
            images.write(tmp_path / name, pixels)

    @pytest.mark.parametrize(
        ("array", "got"),
        [
            (np.zeros((4, 5)), "float64 of shape (4, 5)"),
            (np.zeros((4, 5, 4), dtype=np.uint8), "uint8 of shape (4, 5, 4)"),
            (np.zeros(4, dtype=np.uint8), "uint8 of shape (4,)"),
            (np.zeros((1, 4, 5, 3), dtype=np.uint8), "uint8 of shape (1, 4, 5, 3)"),
        ],
    )
    def test_arrays_that_are_no_image_are_refused(self, tmp_path, array, got):
        text = f": expected a uint8 image with 1 or 3 channels, got {got}"
        with pytest.raises(ImageError, match=one_line(tmp_path / "x.png", text)):
            images.write(tmp_path / "x.png", array)

    @pytest.mark.parametrize(
        ("name", "shape"), [("x.png", (0, 5)), ("x.jpg", (3, 70_000))], ids=["empty", "too wide"]
    )
    def test_sizes_that_a_format_cannot_hold_are_refused(self, tmp_path, name, shape, capfd):
        text = f": an image of shape {shape} cannot be written as {Path(name).suffix}"
        with pytest.raises(ImageError, match=one_line(tmp_path / name, text)):
            images.write(tmp_path / name, np.zeros(shape, dtype=np.uint8))
        assert list(tmp_path.iterdir()) == []
        assert capfd.readouterr().err == ""

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows words it otherwise")
    def test_a_place_that_cannot_be_written_is_a_results_error(self, tmp_path, pixels):
        (tmp_path / "x.png").mkdir()
        with pytest.raises(ResultsError, match=r"x\.png cannot be written: Is a directory$"):
            images.write(tmp_path / "x.png", pixels)
