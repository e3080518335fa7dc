import numpy as np
import pytest
import torch
from torch import nn

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.explain.targets import Aim, choose
from tests.explain import toys


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float32))[None]


def brightness(activation: type[nn.Module] = nn.Identity) -> nn.Sequential:
    """Logits are what is seen and its opposite."""
    return toys.per_pixel([[1.0], [-1.0]], activation=activation)


def squares() -> np.ndarray:
    """Grey, with 4 x 8 bright pixels and 4 x 4 dark ones."""
    image = np.full((32, 32, 1), 120, dtype=np.uint8)
    image[4:8, 4:12] = 250
    image[20:24, 20:24] = 10
    return image


@pytest.mark.parametrize("exclusive", [True, False], ids=["exclusive", "independent"])
def test_a_classifier_is_asked_for_its_likeliest_class(exclusive):
    subject = toys.classifier(brightness(), toys.Summed(), exclusive=exclusive)
    bright, dark = (np.full((32, 32, 1), value, dtype=np.uint8) for value in (128, 127))
    assert choose(subject, tensor(bright)).class_name == "pit"
    target = choose(subject, tensor(dark))
    assert (target.number, target.class_name, target.text) == (1, "scratch", "logit of scratch")
    # 1,024 pixels of (127 / 255 - 1/2) * 16 each.
    logit = 1024 * 0.5 / 255 * 16
    expected = 1 / (1 + np.exp(-2 * logit)) if exclusive else 1 / (1 + np.exp(-logit))
    assert target.probability == pytest.approx(expected, rel=1e-4)


def test_another_class_can_be_named():
    subject = toys.classifier(brightness(), toys.Summed())
    bright = tensor(np.full((32, 32, 1), 200, dtype=np.uint8))
    assert choose(subject, bright, "scratch").number == 1
    with pytest.raises(ConfigError, match="no class 'rust'"):
        choose(subject, bright, "rust")


def test_a_segmenter_is_asked_for_the_pixels_of_its_largest_class():
    subject = toys.segmenter(brightness(), pixels=(0.99, 0.99))
    target = choose(subject, tensor(squares()))
    assert target.text == "logits of pit over the 32 pixels outlined"
    assert np.array_equal(target.pixels, squares()[..., 0] == 250)
    assert (
        target.label_map.tolist()
        == np.select([squares()[..., 0] == 250, squares()[..., 0] == 10], [1, 2]).tolist()
    )
    dark = choose(subject, tensor(squares()), "scratch")
    assert np.array_equal(dark.pixels, squares()[..., 0] == 10)


def test_defects_below_the_least_area_are_not_explained():
    subject = toys.segmenter(brightness(), pixels=(0.99, 0.99), min_areas=(33, 0))
    assert choose(subject, tensor(squares())).class_name == "scratch"


def test_where_nothing_is_outlined_the_likeliest_pixels_stand_in():
    subject = toys.segmenter(brightness(), pixels=(1.0, 1.0), min_areas=(2000, 2000))
    image = squares()
    image[0, :10] = 255
    target = choose(subject, tensor(image))
    # 1 % of 1,024 pixels are ten.
    assert target.text == "logits of pit over its 10 likeliest pixels, for none is outlined"
    assert np.argwhere(target.pixels).tolist() == [[0, column] for column in range(10)]


def test_as_many_stand_in_where_all_are_equal():
    subject = toys.segmenter(brightness(), min_areas=(2000, 2000))
    target = choose(subject, tensor(np.full((32, 32, 1), 99, dtype=np.uint8)))
    assert target.pixels.sum() == 10


def test_the_aim_is_the_sum_over_the_chosen_pixels():
    subject = toys.segmenter(brightness(), pixels=(0.99, 0.99))
    target = choose(subject, tensor(squares()))
    value = Aim(subject, subject.graph, target)(torch.cat([tensor(squares())] * 2))
    # 32 pixels of (250 / 255 - 1/2) * 16.
    assert value.tolist() == pytest.approx([32 * (250 / 255 - 0.5) * 16] * 2, rel=1e-5)
