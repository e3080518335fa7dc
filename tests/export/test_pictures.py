import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.errors import NoImagesError
from steel_defect_detection.export import pictures
from steel_defect_detection.export.pictures import Pictures, fit


def test_the_samples_are_the_default_and_come_in_the_size_asked_for():
    found = Pictures(None, (64, 96))
    assert found.source == "built-in samples"
    assert len(found) == 6
    assert {picture.shape for picture in found} == {(1, 64, 96, 3)}


def test_an_image_of_the_size_stays_as_it_is(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    images.write(tmp_path / "a.png", image)
    assert np.array_equal(Pictures(tmp_path, (30, 40))[0][0], image)


@pytest.mark.parametrize("shape", [(10, 10), (300, 20), (33, 500), (64, 128)])
def test_another_image_covers_the_size_with_its_middle(shape):
    image = np.zeros((64, 128, 3), dtype=np.uint8)
    image[16:48, 32:96] = 200
    fitted = fit(image, shape)
    assert fitted.shape == (*shape, 3)
    assert fitted[shape[0] // 2, shape[1] // 2].tolist() == [200, 200, 200]


def test_of_many_images_some_are_taken_from_first_to_last(tmp_path, monkeypatch):
    for number in range(9):
        images.write(tmp_path / f"{number}.png", np.full((4, 4, 3), number, dtype=np.uint8))
    monkeypatch.setattr(pictures, "MOST_PICTURES", 3)
    assert [int(picture.max()) for picture in Pictures(tmp_path, (4, 4))] == [0, 4, 8]


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(NoImagesError):
        Pictures(tmp_path, (4, 4))
