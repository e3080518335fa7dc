import numpy as np

from steel_defect_detection.synthesis.cleaning import cleaned, with_rim
from tests.synthesis.sheets_and_defects import surface


def test_an_image_that_is_all_defect_or_has_none_stays_as_it_is():
    image = surface(1)[..., None]
    everywhere = np.ones((64, 64), np.bool_)
    assert np.array_equal(cleaned(image, everywhere, np.random.default_rng(0)), image)
    assert np.array_equal(cleaned(image, ~everywhere, np.random.default_rng(0)), image)


def test_a_slope_of_light_goes_on_where_a_defect_was():
    slope = np.repeat(np.linspace(80, 160, 64)[None], 64, axis=0)
    image, defect = slope.astype(np.uint8)[..., None], np.zeros((64, 64), np.bool_)
    defect[24:36, 24:36] = True
    image[defect] = 250
    result = cleaned(image, defect, np.random.default_rng(0))
    assert np.abs(result[..., 0].astype(float) - slope).max() < 8


def test_a_rim_reaches_four_pixels_further():
    defect = np.zeros((20, 20), np.bool_)
    defect[10, 10] = True
    assert with_rim(defect).sum() == 81
