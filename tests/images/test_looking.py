import numpy as np
import pytest
from PIL import Image

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
    assert images.look(paths) == (3, [tmp_path / "b.png"], [])


def test_sixteen_are_looked_at_all_along(tmp_path):
    paths = [photograph(tmp_path / f"{number:02d}.png") for number in range(20)]
    paths += [mask(tmp_path / f"{number}.png") for number in range(20, 40)]
    looked = images.look(paths)
    assert (len(looked.masks), looked.looked_at) == (8, 16)
    assert paths[-1] in looked.masks


def test_what_cannot_be_read_is_not_looked_at(tmp_path):
    (tmp_path / "text.png").write_text("text")
    assert images.look([tmp_path / "text.png", tmp_path / "none.png"]) == (0, [], [])
    assert images.look([]) == (0, [], [])


def test_the_sample_strips_are_photographs():
    assert images.look(images.samples()) == (6, [], [])


@pytest.mark.parametrize("values", [2, 8, 9])
def test_eight_grey_values_are_few(tmp_path, values):
    image = np.arange(40 * 60).reshape(40, 60) % values
    images.write(tmp_path / "a.png", (20 * image).astype(np.uint8))
    assert bool(images.look([tmp_path / "a.png"]).masks) == (values <= 8)


@pytest.mark.parametrize("bits", [10, 12, 13, 16])
def test_twelve_bits_in_a_file_of_sixteen_are_dark(tmp_path, bits):
    values = np.random.default_rng(0).integers(0, 2**bits, (40, 60), dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert bool(images.look([tmp_path / "a.png"]).dark) == (bits <= 12)


def test_a_mask_of_sixteen_bits_is_a_mask_and_not_dark(tmp_path):
    Image.fromarray(np.eye(40, dtype=np.uint16) * 255).save(tmp_path / "a.png")
    assert images.look([tmp_path / "a.png"]) == (1, [tmp_path / "a.png"], [])


def test_sizes_of_up_to_sixteen_are_read_from_the_files(tmp_path):
    paths = [photograph(tmp_path / f"{number:02d}.png") for number in range(20)]
    (tmp_path / "00.png").write_text("text")
    found = images.sizes(paths)
    assert len(found) == 15
    assert found[-1] == (paths[-1], (40, 60))
    assert images.sizes([]) == []
