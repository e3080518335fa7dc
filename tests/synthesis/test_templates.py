import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.synthesis import templates

PICTURE = np.arange(30, dtype=np.uint8).reshape(5, 6)


def test_a_picture_or_a_folder_of_pictures_per_class(tmp_path):
    images.write(tmp_path / "pit.png", PICTURE)
    images.write(tmp_path / "scratch/1.png", PICTURE)
    images.write(tmp_path / "scratch/2.png", PICTURE)
    found = templates.read(tmp_path, ("scratch", "pit", "rust"), least_score=0.7, ink=(10, 20))
    assert {number: len(of_class) for number, of_class in found.items()} == {1: 2, 2: 1}
    assert found[2][0].image.shape[:2] == (5, 6)
    assert (found[2][0].least_score, found[2][0].ink) == (0.7, (10, 20))


def test_what_fits_no_class_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no folder of templates"):
        templates.read(tmp_path / "none", ("pit",))
    with pytest.raises(ConfigError, match=r"no templates in .*expected pictures called pit\.png"):
        templates.read(tmp_path, ("pit",))
    images.write(tmp_path / "moss.png", PICTURE)
    with pytest.raises(ConfigError, match=r"moss\.png belongs to no class; the classes are pit"):
        templates.read(tmp_path, ("pit",))
    images.write(tmp_path / "moss.png", np.full((5, 6), 90, np.uint8))
    with pytest.raises(ConfigError, match="one colour only"):
        templates.read(tmp_path, ("moss",))
    with pytest.raises(ConfigError, match="the lower first"):
        templates.read(tmp_path, ("pit",), ink=(9, 3))
