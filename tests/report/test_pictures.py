import base64

import cv2
import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.errors import ImageError
from steel_defect_detection.report import pictures


def decoded(picture):
    data = base64.b64decode(picture.source.split(",")[1])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


@pytest.mark.parametrize(
    ("shape", "large", "small"),
    [
        pytest.param((256, 1600), (154, 960), (38, 240), id="strip"),
        pytest.param((1000, 1000), (390, 390), (155, 155), id="square"),
        pytest.param((40, 60), (40, 60), (40, 60), id="small already"),
    ],
)
def test_pictures_become_small_and_keep_their_shape(shape, large, small):
    image = np.full((*shape, 3), 90, dtype=np.uint8)
    assert decoded(pictures.large(image, "a")).shape[:2] == large
    made = pictures.small(image, "a")
    assert decoded(made).shape[:2] == small == (made.height, made.width)


def test_colours_stay_what_they_are():
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    image[..., 0], image[..., 1] = 230, 159
    assert np.abs(decoded(pictures.large(image, "a")).astype(int) - image).max() <= 4


def test_a_chart_keeps_each_value(tmp_path):
    drawn = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    images.write(tmp_path / "chart.png", drawn)
    assert (decoded(pictures.chart(tmp_path / "chart.png", "a")) == drawn).all()


def test_what_a_file_holds_beside_pixels_stays_outside(tmp_path):
    data = images.encode(np.zeros((8, 8, 3), dtype=np.uint8), "a.png")
    (tmp_path / "a.png").write_bytes(data + b"my secret")
    picture = pictures.chart(tmp_path / "a.png", "a")
    assert b"secret" not in base64.b64decode(picture.source.split(",")[1])


def test_a_damaged_picture_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("<svg onload='alert(1)'>")
    with pytest.raises(ImageError, match="is not an image"):
        pictures.sheet(tmp_path / "a.png", "a")
