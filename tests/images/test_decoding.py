import errno
import re
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from steel_defect_detection import images
from steel_defect_detection.errors import ImageError
from tests.images.pictures import HEIGHT, KINDS, LOSSLESS, WIDTH, as_file, one_line


class TestDecode:
    @pytest.mark.parametrize("kind", LOSSLESS)
    def test_lossless_formats_keep_every_pixel(self, pixels, kind):
        name, options = KINDS[kind]
        decoded = images.decode(as_file(pixels, name, **options), "x")
        assert decoded.dtype == np.uint8
        np.testing.assert_array_equal(decoded, pixels)

    @pytest.mark.parametrize("kind", ["jpeg", "progressive jpeg", "webp"])
    def test_lossy_formats_keep_red_green_and_blue_in_order(self, kind):
        red = np.full((16, 16, 3), (200, 60, 20), dtype=np.uint8)
        name, options = KINDS[kind]
        decoded = images.decode(as_file(red, name, **options), "x")
        np.testing.assert_allclose(decoded, red, atol=8)

    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "JPEG"])
    def test_grey_becomes_three_equal_channels(self, pixels, kind):
        decoded = images.decode(as_file(pixels[..., 0], kind), "x")
        assert decoded.shape == (HEIGHT, WIDTH, 3)
        np.testing.assert_array_equal(decoded[..., 0], decoded[..., 1])
        np.testing.assert_array_equal(decoded[..., 0], decoded[..., 2])
        np.testing.assert_allclose(decoded[..., 0], pixels[..., 0], atol=8)

    @pytest.mark.parametrize(
        ("kind", "options"),
        [("PNG", {}), ("TIFF", {}), ("BMP", {}), ("WEBP", {"lossless": True, "exact": True})],
    )
    def test_transparency_is_dropped_and_colours_stay(self, pixels, kind, options):
        alpha = np.broadcast_to(np.arange(WIDTH, dtype=np.uint8) * 6, (HEIGHT, WIDTH))
        data = as_file(np.dstack([pixels, alpha]), kind, **options)
        np.testing.assert_array_equal(images.decode(data, "x"), pixels)

    def test_grey_with_transparency_is_grey(self, pixels):
        grey = pixels[..., 0]
        decoded = images.decode(as_file(np.dstack([grey, 255 - grey])), "x")
        np.testing.assert_array_equal(decoded, np.dstack([grey] * 3))

    @pytest.mark.parametrize("options", [{}, {"transparency": 3}])
    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
    def test_a_palette_is_looked_up(self, pixels, kind, options):
        picture = Image.fromarray(pixels).quantize(16)
        decoded = images.decode(as_file(picture, kind, **options), "x")
        np.testing.assert_array_equal(decoded, np.array(picture.convert("RGB")))

    def test_one_bit_becomes_black_and_white(self, pixels):
        picture = Image.fromarray(pixels).convert("1")
        decoded = images.decode(as_file(picture), "x")
        np.testing.assert_array_equal(decoded[..., 0], np.array(picture) * np.uint8(255))

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_sixteen_bits_are_rounded_from_full_scale_to_full_scale(self, kind):
        deep = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
        decoded = images.decode(as_file(deep, kind), "x")
        exact = np.rint(deep.astype(np.float64) / 65535 * 255)
        np.testing.assert_array_equal(decoded, np.dstack([exact] * 3))

    def test_sixteen_bits_are_not_stretched_to_the_brightest_pixel(self):
        dark = np.full((8, 8), 2570, dtype=np.uint16)
        assert (images.decode(as_file(dark), "x") == 10).all()

    def test_sixteen_bit_colour_keeps_its_channels(self):
        deep = np.full((8, 8, 3), (257 * 200, 257 * 60, 257 * 20), dtype=np.uint16)
        _, data = cv2.imencode(".png", deep[..., ::-1])
        assert (images.decode(data.tobytes(), "x") == (200, 60, 20)).all()

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_the_orientation_of_the_camera_is_applied(self, tmp_path, kind, orientation):
        picture = np.zeros((16, 32, 3), dtype=np.uint8)
        picture[:8, :8] = 250
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        (tmp_path / "x").write_bytes(as_file(picture, kind, exif=exif))
        decoded = images.read(tmp_path / "x")
        # Where the row and the column that the camera stored first belong, by the standard.
        upright = {
            1: picture,
            2: picture[:, ::-1],
            3: picture[::-1, ::-1],
            4: picture[::-1],
            5: picture.transpose(1, 0, 2),
            6: picture[::-1].transpose(1, 0, 2),
            7: picture[::-1, ::-1].transpose(1, 0, 2),
            8: picture[:, ::-1].transpose(1, 0, 2),
        }[orientation]
        np.testing.assert_allclose(decoded, upright, atol=24)
        assert images.size(tmp_path / "x") == decoded.shape[:2]

    @pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP"])
    def test_of_several_pages_the_first_is_read(self, pixels, kind):
        options = {"lossless": True} if kind == "WEBP" else {}
        other = Image.fromarray(255 - pixels)
        data = as_file(pixels, kind, save_all=True, append_images=[other], **options)
        np.testing.assert_array_equal(images.decode(data, "x"), pixels)

    def test_the_result_may_be_changed(self, pixels):
        decoded = images.decode(as_file(pixels), "x")
        decoded[:] = 0
        assert not decoded.any()

    def test_three_pixels_a_side_are_enough(self):
        data = as_file(np.full((3, 3, 3), 7, dtype=np.uint8))
        assert images.decode(data, "x").tolist() == [[[7, 7, 7]] * 3] * 3

    @pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 50), (50, 2)])
    def test_an_image_with_less_than_three_pixels_a_side_is_refused(self, height, width):
        data = as_file(np.zeros((height, width), dtype=np.uint8))
        text = f" is {width} x {height} pixels, smaller than the least of 3 x 3"
        with pytest.raises(ImageError, match=one_line("dot.png", text)):
            images.decode(data, "dot.png")

    def test_the_size_is_checked_before_anything_is_decoded(self, pixels, monkeypatch):
        monkeypatch.setattr(cv2, "imdecode", None)
        text = " is 40 x 24 pixels, more than the most of 900"
        with pytest.raises(ImageError, match=one_line("x.png", text)):
            images.decode(as_file(pixels), "x.png", max_pixels=900)

    def test_as_many_pixels_as_allowed_are_decoded(self, pixels):
        assert images.decode(as_file(pixels), "x", max_pixels=960).shape == (24, 40, 3)

    @pytest.mark.parametrize("side", [9_500, 12_000, 30_000])
    def test_a_file_that_would_fill_the_memory_is_refused_without_a_warning(self, side):
        blank = Image.new("1", (side, 1))
        data = bytearray(as_file(blank, "BMP"))
        data[22:26] = side.to_bytes(4, "little")
        with pytest.raises(ImageError, match=r"^bomb\.bmp (is|cannot)"):
            images.decode(bytes(data), "bomb.bmp")
        assert Image.MAX_IMAGE_PIXELS == 89_478_485

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"ImageId,ClassId,EncodedPixels\n", id="text"),
            pytest.param(b"RIFF\1\2\3\4WAVEfmt ", id="sound"),
            pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", id="postscript"),
        ],
    )
    def test_what_is_no_image_is_refused(self, data):
        text = " is not an image: it has no JPEG, PNG, BMP, TIFF or WebP header"
        with pytest.raises(ImageError, match=one_line("x.png", text)):
            images.decode(data, "x.png")

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"\x89PNG\r\n\x1a\n", id="signature only"),
            pytest.param(b"\xff\xd8\xff" + bytes(range(256)), id="rubbish after a signature"),
            pytest.param(b"RIFF\1\2\3\4WEBPrubbish", id="webp"),
        ],
    )
    def test_what_only_begins_like_an_image_is_said_to_be_damaged(self, data):
        text = " is not an image: it begins like one, and then its header is damaged or cut short"
        with pytest.raises(ImageError, match=one_line("x.png", text)):
            images.decode(data, "x.png")

    def test_an_empty_file_is_said_to_be_empty(self, tmp_path):
        with pytest.raises(ImageError, match=one_line("x.png", " is not an image: it is empty")):
            images.decode(b"", "x.png")
        (tmp_path / "x.png").touch()
        with pytest.raises(ImageError, match="not an image: it is empty"):
            images.size(tmp_path / "x.png")

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("texture", ["smooth", "noise"])
    def test_a_file_cut_short_anywhere_is_refused(self, pixels, kind, texture):
        name, options = KINDS[kind]
        if texture == "noise":
            pixels = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint8)
        data = as_file(pixels, name, **options)
        ends = {*range(0, len(data), max(1, len(data) // 50)), *range(len(data) - 16, len(data))}
        for end in ends:
            with pytest.raises(ImageError, match=r"^x (is not an image|cannot be decoded|is )"):
                images.decode(data[:end], "x")

    def test_a_transparent_tiff_cut_short_is_refused(self, pixels):
        data = as_file(np.dstack([pixels, pixels[..., 0]]), "TIFF")
        text = " cannot be decoded: the file is damaged, cut short or of an unusual kind"
        with pytest.raises(ImageError, match=one_line("x", text)):
            images.decode(data[:-100], "x")

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_damaged_file_is_an_image_or_an_image_error(self, pixels, kind):
        generator = np.random.default_rng(0)
        name, options = KINDS[kind]
        data = np.frombuffer(as_file(pixels, name, **options), dtype=np.uint8)
        for _ in range(150):
            damaged = data.copy()
            # Headers lie at the front, TIFF's directory at the back.
            places = generator.integers(0, min(300, len(data)), size=3) * generator.choice([1, -1])
            damaged[places] = generator.integers(0, 256, size=3)
            try:
                decoded = images.decode(damaged.tobytes(), "x", max_pixels=10**6)
            except ImageError:
                continue
            assert decoded.ndim == 3

    def test_a_cut_file_prints_nothing(self, pixels, capfd):
        for kind in ("JPEG", "PNG", "BMP", "TIFF", "WEBP"):
            data = as_file(pixels, kind)
            with pytest.raises(ImageError):
                images.decode(data[: len(data) * 2 // 3], "x")
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("channels", [1, 3])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
    def test_wider_numbers_than_sixteen_bits_are_refused(self, dtype, channels):
        _, data = cv2.imencode(".tif", np.zeros((8, 8, channels), dtype=dtype))
        with pytest.raises(ImageError, match=r"^x\.tif (holds|is not an image|cannot be decoded)"):
            images.decode(data.tobytes(), "x.tif")

    def test_float_images_are_named_as_such(self):
        data = as_file(np.zeros((8, 8), dtype=np.float32), "TIFF")
        text = " holds float values, expected 8 or 16 bits per channel"
        with pytest.raises(ImageError, match=one_line("x.tif", text)):
            images.decode(data, "x.tif")

    @pytest.mark.parametrize("dtype", [np.int32, np.uint32])
    def test_wide_integers_are_named_as_such(self, dtype):
        data = as_file(np.zeros((8, 8), dtype=dtype), "TIFF")
        with pytest.raises(ImageError, match=r"^x\.tif holds (32-bit integers|u?int32 values), "):
            images.decode(data, "x.tif")

    def test_signed_images_are_named_as_such(self):
        _, data = cv2.imencode(".tif", np.zeros((8, 8), dtype=np.int16))
        text = " holds int16 values, expected 8 or 16 bits per channel"
        with pytest.raises(ImageError, match=one_line("x.tif", text)):
            images.decode(data.tobytes(), "x.tif")

    def test_an_error_of_opencv_is_an_image_error(self, pixels, monkeypatch):
        def fail(*_):
            raise cv2.error("assertion failed")

        monkeypatch.setattr(cv2, "imdecode", fail)
        with pytest.raises(ImageError, match=r"^x cannot be decoded"):
            images.decode(as_file(pixels), "x")

    def test_threads_leave_logging_and_warnings_as_they_were(self, pixels):
        get_level = getattr(cv2, "getLogLevel", None) or cv2.utils.logging.getLogLevel
        before = get_level(), list(warnings.filters)
        data = [as_file(pixels), as_file(pixels)[:-30]] * 40
        together = threading.Barrier(4)

        def work(share):
            together.wait()
            shapes = []
            for item in share:
                try:
                    shapes.append(images.decode(item, "x").shape)
                except ImageError:
                    shapes.append(None)
            return shapes

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(work, [data] * 4))
        assert results == [[(HEIGHT, WIDTH, 3), None] * 40] * 4
        assert (get_level(), list(warnings.filters)) == before


@pytest.mark.parametrize("use", [images.read, images.size], ids=lambda f: f.__name__)
class TestFiles:
    @pytest.mark.parametrize("as_type", [str, Path])
    def test_names_need_not_be_ascii(self, tmp_path, pixels, use, as_type):
        path = tmp_path / "Größe 缺陷.png"
        path.write_bytes(as_file(pixels))
        result = use(as_type(path))
        assert result == (HEIGHT, WIDTH) if use is images.size else (result == pixels).all()

    def test_the_ending_may_be_wrong(self, tmp_path, pixels, use):
        (tmp_path / "x.png").write_bytes(as_file(pixels, "BMP"))
        assert np.shape(use(tmp_path / "x.png"))[0] in {2, HEIGHT}

    def test_a_missing_file_is_one_line(self, tmp_path, use):
        path = tmp_path / "x.png"
        text = " cannot be read: No such file or directory"
        with pytest.raises(ImageError, match=one_line(path, text)):
            use(path)

    def test_a_folder_is_one_line(self, tmp_path, use):
        with pytest.raises(ImageError, match=one_line(tmp_path, " cannot be read: Is a directory")):
            use(tmp_path)

    def test_a_forbidden_file_is_one_line(self, tmp_path, monkeypatch, use):
        # Tests may run as a user whom no permission stops.
        def forbid(*_):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(Path, "open", forbid)
        path = tmp_path / "x.png"
        with pytest.raises(ImageError, match=one_line(path, " cannot be read: Permission denied")):
            use(path)

    def test_a_file_that_is_no_image_is_one_line(self, tmp_path, use):
        path = tmp_path / "x.png"
        path.write_text("no image")
        text = " is not an image: it has no JPEG, PNG, BMP, TIFF or WebP header"
        with pytest.raises(ImageError, match=one_line(path, text)):
            use(path)

    def test_a_picture_beyond_all_measure_is_one_line(self, tmp_path, use):
        path = tmp_path / "x.bmp"
        data = bytearray(as_file(Image.new("1", (30_000, 1)), "BMP"))
        data[22:26] = (30_000).to_bytes(4, "little")
        path.write_bytes(data)
        with pytest.raises(ImageError, match=rf"^{re.escape(str(path))} is too large: [^\n]*$"):
            use(path)


def test_size_does_not_decode(tmp_path, pixels, monkeypatch):
    (tmp_path / "x.png").write_bytes(as_file(pixels))
    monkeypatch.setattr(cv2, "imdecode", None)
    monkeypatch.setattr(Image.Image, "load", None)
    assert images.size(tmp_path / "x.png") == (HEIGHT, WIDTH)


def test_the_size_of_bytes_is_that_of_their_file(pixels, monkeypatch):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    turned = as_file(pixels, "JPEG", exif=exif)
    assert images.decode(turned, "x.jpg").shape[:2] == (WIDTH, HEIGHT)
    monkeypatch.setattr(cv2, "imdecode", None)
    assert images.size_of(turned, "x.jpg") == (WIDTH, HEIGHT)
    assert images.size_of(as_file(pixels), "x.png") == (HEIGHT, WIDTH)
    with pytest.raises(ImageError, match=r"^x\.png is not an image: it has no JPEG"):
        images.size_of(b"text", "x.png")


def test_size_takes_an_image_with_damaged_notes_as_upright(tmp_path, pixels):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = as_file(pixels, "JPEG", exif=exif).replace(b"Exif\0\0MM\0*", b"Exif\0\0MM\0?")
    (tmp_path / "x.jpg").write_bytes(data)
    assert images.size(tmp_path / "x.jpg") == (HEIGHT, WIDTH)


def test_size_works_on_a_file_cut_behind_its_header(tmp_path, pixels):
    (tmp_path / "x.png").write_bytes(as_file(pixels)[:100])
    assert images.size(tmp_path / "x.png") == (HEIGHT, WIDTH)


def test_read_refuses_more_pixels_than_it_is_told(tmp_path, pixels):
    (tmp_path / "x.png").write_bytes(as_file(pixels))
    with pytest.raises(ImageError, match=r"more than the most of 10$"):
        images.read(tmp_path / "x.png", max_pixels=10)
    # Pillow refuses so many by itself, and does not say how many.
    head = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    bomb = as_file(pixels)[:12] + head + zlib.crc32(head).to_bytes(4, "big") + as_file(pixels)[33:]
    with pytest.raises(ImageError, match=r"more than the most of 10 pixels$"):
        images.decode(bomb, "x.png", max_pixels=10)


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_grey_picture_is_read_alike_with_and_without_its_colours(tmp_path, ending):
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (40, 50, 1), dtype=np.uint8)
    images.write(tmp_path / f"three{ending}", np.repeat(grey, 3, axis=2))
    images.write(tmp_path / f"one{ending}", grey)
    for name in ("one", "three"):
        colours = images.read(tmp_path / f"{name}{ending}")
        brightness = images.read(tmp_path / f"{name}{ending}", grey=True)
        assert brightness.shape == (40, 50, 1)
        assert np.array_equal(np.repeat(brightness, 3, axis=2), colours)


@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".tiff", ".webp"])
def test_brightness_is_what_pillow_makes_of_the_colours(tmp_path, ending):
    # Smooth colours, which a JPEG keeps.
    rows, columns = np.mgrid[0:64, 0:96]
    colours = np.stack([rows * 3, columns * 2, 255 - rows - columns], axis=2).astype(np.uint8)
    path = tmp_path / f"colours{ending}"
    Image.fromarray(colours).save(path, quality=95)
    with Image.open(path) as picture:
        expected = np.asarray(picture.convert("L"), dtype=int)
    found = images.read(path, grey=True)[..., 0].astype(int)
    assert np.abs(found - expected).max() <= 2


def test_a_turned_grey_picture_is_read_upright(tmp_path):
    picture = Image.fromarray(np.tile(np.arange(40, dtype=np.uint8) * 6, (20, 1)))
    notes = Image.Exif()
    notes[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=notes, quality=100)
    upright = images.read(tmp_path / "turned.jpg", grey=True)
    assert upright.shape == (40, 20, 1)
    assert np.array_equal(upright, images.read(tmp_path / "turned.jpg")[..., :1])


def test_sixteen_bits_of_brightness_become_eight(tmp_path):
    Image.fromarray(np.full((5, 6), 65535, dtype=np.uint16)).save(tmp_path / "deep.png")
    assert images.read(tmp_path / "deep.png", grey=True).tolist() == [[[255]] * 6] * 5


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3)])
def test_brightness_of_equal_channels_is_their_value(shape):
    image = np.full(shape, 77, dtype=np.uint8)
    assert np.array_equal(images.to_grey(image), np.full((4, 5, 1), 77))


@pytest.mark.parametrize("compression", [1, 5], ids=["plain", "lzw"])
@pytest.mark.parametrize("ending", ["tif", "png"])
def test_sixteen_bits_of_colour_become_eight(tmp_path, pixels, ending, compression):
    path = tmp_path / f"a.{ending}"
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression] if ending == "tif" else []
    _, data = cv2.imencode(f".{ending}", pixels[..., ::-1].astype(np.uint16) * 257, options)
    path.write_bytes(data.tobytes())
    for _ in range(3):  # memory that was not written differs from one time to the next
        assert np.array_equal(images.read(path), pixels)
    assert np.array_equal(images.read(path, grey=True), images.to_grey(pixels))


class TestPalettes:
    numbers = np.array([[0, 1, 2], [2, 1, 0], [1, 1, 1]], dtype=np.uint8)

    def saved(self, path, palette, **how):
        picture = Image.fromarray(self.numbers, "P")
        picture.putpalette(palette)
        picture.save(path, **how)
        return path

    def test_a_palette_of_colours_gives_its_numbers_as_values(self, tmp_path):
        path = self.saved(tmp_path / "voc.png", [0, 0, 0, 128, 0, 0, 0, 128, 0])
        np.testing.assert_array_equal(images.read_values(path)[..., 1], self.numbers)
        assert images.read(path)[0, 1].tolist() == [128, 0, 0]

    def test_a_palette_of_greys_gives_the_greys(self, tmp_path):
        path = self.saved(tmp_path / "small.png", [0, 0, 0, 255, 255, 255, 7, 7, 7], bits=2)
        greys = np.array([0, 255, 7])[self.numbers]
        np.testing.assert_array_equal(images.read_values(path)[..., 0], greys)

    def test_a_cut_one_is_damaged(self, tmp_path):
        path = self.saved(tmp_path / "cut.png", [0, 0, 0, 128, 0, 0, 0, 128, 0])
        path.write_bytes(path.read_bytes()[:-18])
        with pytest.raises(ImageError, match="is damaged"):
            images.read_values(path)
