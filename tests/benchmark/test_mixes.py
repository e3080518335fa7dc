import hashlib
from itertools import combinations

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.benchmark import mixes
from steel_defect_detection.errors import ConfigError

SHAPE = (64, 96)


def is_bright(image: np.ndarray) -> bool:
    return bool(image.mean() > 150)


def make(strips, folder, *, seed=0, clean=12, bright=6):
    counts = {False: clean, True: bright}
    return mixes.make(sorted(strips.iterdir()), folder, counts, is_bright, shape=SHAPE, seed=seed)


def test_no_two_files_are_alike(strips, tmp_path):
    made = make(strips, tmp_path)
    paths = [*made[False], *made[True]]
    assert len({hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}) == 18
    pixels = [images.read(path) for path in paths]
    assert not any(np.array_equal(one, other) for one, other in combinations(pixels, 2))


def test_each_file_is_what_the_gate_says_of_it_and_of_the_size_asked_for(strips, tmp_path):
    for kind, paths in make(strips, tmp_path).items():
        for path in paths:
            image = images.read(path)
            assert image.shape == (*SHAPE, 3)
            assert is_bright(image) == kind
            assert path.suffix == ".jpg"


def test_grey_strips_stay_grey(strips):
    image = images.read(strips / "strip-0.png")
    varied = mixes.vary(image, SHAPE, np.random.default_rng(0))
    assert (varied == varied[..., :1]).all()


def test_the_same_seed_gives_the_same_files(strips, tmp_path):
    first, again, other = (
        [path.read_bytes() for path in make(strips, tmp_path / name, seed=seed)[False]]
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == again
    assert first != other


def test_strips_of_another_size_are_brought_to_size(tmp_path):
    image = np.full((30, 200, 3), 80, dtype=np.uint8)
    assert mixes.vary(image, SHAPE, np.random.default_rng(0)).shape == (*SHAPE, 3)


def test_a_gate_that_never_fires_is_one_line(strips, tmp_path):
    sources = sorted(strips.iterdir())
    with pytest.raises(ConfigError, match="fires on 0 of 140 files that were made of 3 images"):
        mixes.make(sources, tmp_path, {True: 2}, lambda _: False, shape=SHAPE, seed=0)


@pytest.mark.parametrize(("share", "fired"), [(0.0, 0), (0.5, 5)])
def test_every_stretch_of_a_mix_has_its_share(share, fired):
    files = {False: [f"clean-{n}" for n in range(10)], True: [f"fires-{n}" for n in range(5)]}
    chosen = mixes.mix(files, 10, share)
    marks = [name.startswith("fires") for name in chosen]
    assert sum(marks) == fired
    assert all(sum(marks[start : start + 2]) == 2 * share for start in range(0, 10, 2))
    assert len(set(chosen)) == 10
