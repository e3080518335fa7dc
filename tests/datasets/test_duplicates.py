import cv2
import numpy as np
import pytest

from steel_defect_detection.datasets import duplicates
from tests.datasets.drawn import draw

PICTURE = draw(0)
OTHERS = [draw(seed) for seed in range(1, 9)]


def recoded(picture: np.ndarray) -> np.ndarray:
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)[..., None]


def lit(picture: np.ndarray) -> np.ndarray:
    light = np.linspace(0.5, 1.3, picture.shape[1])[None, :, None]
    return np.clip(picture * light + 10, 0, 255).astype(np.uint8)


COPIES = {
    "equal": PICTURE.copy(),
    "coloured alike": np.repeat(PICTURE, 3, axis=2),
    "turned by 90": np.rot90(PICTURE).copy(),
    "turned by 180": np.rot90(PICTURE, 2).copy(),
    "mirrored": PICTURE[:, ::-1].copy(),
    "mirrored and turned": np.rot90(PICTURE[:, ::-1]).copy(),
    "re-coded": recoded(PICTURE),
    "brighter": np.clip(PICTURE.astype(int) * 1.2 + 20, 0, 255).astype(np.uint8),
    "under another light": lit(PICTURE),
    "smaller": cv2.resize(PICTURE, (120, 120), interpolation=cv2.INTER_AREA)[..., None],
    "cut a little": PICTURE[6:-4, 5:-3].copy(),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found_among_others(name):
    found = duplicates.find([*OTHERS[:4], PICTURE, *OTHERS[4:], COPIES[name]])
    assert found.pairs.tolist() == [[4, 9]]
    assert found.groups.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 4]


def test_copies_of_copies_form_one_group():
    found = duplicates.find([OTHERS[0], *COPIES.values()])
    assert found.groups.tolist() == [0] + [1] * len(COPIES)


@pytest.mark.parametrize("shape", [(256, 1600), (30, 30), (33, 549)])
def test_different_pictures_of_any_shape_stay_alone(shape):
    found = duplicates.find([draw(seed, shape) for seed in range(12)])
    assert not len(found.pairs)


def test_smooth_pictures_belong_together_only_if_they_are_equal():
    smooth = [np.full((50, 60, 1), value, dtype=np.uint8) for value in (90, 91, 90, 200)]
    assert duplicates.find(smooth).pairs.tolist() == [[0, 2]]


def test_tiny_pictures_belong_together_only_if_they_are_equal():
    random = np.random.default_rng(0)
    tiny = [random.integers(0, 256, (3, 3, 1), dtype=np.uint8) for _ in range(12)]
    assert duplicates.find([*tiny, tiny[4].copy()]).pairs.tolist() == [[4, 12]]


def test_nothing_is_nothing():
    found = duplicates.find([])
    assert found.pairs.shape == (0, 2)
    assert found.groups.shape == (0,)


def test_the_eight_turns_of_a_square_differ():
    image = np.arange(9).reshape(3, 3)
    ways = {tuple(turn.ravel().tolist()) for turn in duplicates.turns(image)}
    assert len(ways) == 8


@pytest.mark.parametrize("way", range(8))
def test_the_turn_is_told_that_makes_one_image_look_like_the_other(way):
    other = duplicates.turns(PICTURE[..., 0])[way]
    assert duplicates.place(PICTURE, lit(other[..., None])) == (way, 0, 0)


def test_a_cut_elsewhere_is_told_as_a_shift():
    wide = draw(0, (240, 240))
    place = duplicates.place(wide[12:212, 20:220], wide[:200, 30:230])
    # 12 of 200 rows further down, 10 of 200 columns to the left, to one in 96.
    assert place == (0, pytest.approx(0.06, abs=0.01), pytest.approx(-0.05, abs=0.01))
