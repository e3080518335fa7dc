import numpy as np
import pytest

from steel_defect_detection import images


def photograph(path):
    images.write(path, np.random.default_rng(0).integers(90, 140, (40, 60, 3), dtype=np.uint8))
    return path


def mask(path):
    label_map = np.zeros((40, 60), dtype=np.uint8)
    label_map[5:20, 10:30] = 255
    images.write(path, label_map)
    return path


def test_masks_are_found_among_photographs(tmp_path):
    paths = [
        photograph(tmp_path / "a.png"),
        mask(tmp_path / "b.png"),
        photograph(tmp_path / "c.jpg"),
    ]
    assert images.rather_masks(paths) == ([tmp_path / "b.png"], 3)


def test_sixteen_are_looked_at_all_along(tmp_path):
    paths = [photograph(tmp_path / f"{number:02d}.png") for number in range(20)]
    paths += [mask(tmp_path / f"{number}.png") for number in range(20, 40)]
    found, looked_at = images.rather_masks(paths)
    assert (len(found), looked_at) == (8, 16)
    assert paths[-1] in found


def test_what_cannot_be_read_is_not_looked_at(tmp_path):
    (tmp_path / "text.png").write_text("text")
    assert images.rather_masks([tmp_path / "text.png", tmp_path / "none.png"]) == ([], 0)
    assert images.rather_masks([]) == ([], 0)


def test_the_sample_strips_are_photographs():
    assert images.rather_masks(images.samples())[0] == []


@pytest.mark.parametrize("values", [2, 8, 9])
def test_eight_grey_values_are_few(tmp_path, values):
    image = np.arange(40 * 60).reshape(40, 60) % values
    images.write(tmp_path / "a.png", (20 * image).astype(np.uint8))
    found, _ = images.rather_masks([tmp_path / "a.png"])
    assert bool(found) == (values <= 8)
