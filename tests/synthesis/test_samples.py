import numpy as np

from steel_defect_detection import images
from steel_defect_detection.sample import Sample
from steel_defect_detection.synthesis.samples import Samples


def sample(shape=(32, 32)):
    masks = np.zeros((1, *shape), np.bool_)
    masks[0, 8:20, 8:20] = True
    return Sample(
        name="1.png", image=np.full((*shape, 1), 90, np.uint8), classes=("a",), masks=masks
    )


def test_nothing_is_drawn_of_nothing(tmp_path):
    Samples(("a",)).write(tmp_path / "samples.png")
    assert not (tmp_path / "samples.png").exists()


def test_four_of_each_class_are_drawn_and_no_more(tmp_path):
    sheets = []
    for count in (3, 4, 9):
        samples = Samples(("a",))
        for _ in range(count):
            samples.add(1, sample())
        samples.write(tmp_path / "samples.png")
        sheets.append(images.read(tmp_path / "samples.png"))
    assert np.array_equal(sheets[1], sheets[2])
    assert not np.array_equal(sheets[0], sheets[1])


def height(folder, shape, count):
    samples = Samples(("a",))
    for number in range(count):
        samples.add(number, sample(shape))
    samples.write(folder / "samples.png")
    return len(images.read(folder / "samples.png"))


def test_strips_lie_below_each_other_and_other_images_side_by_side(tmp_path):
    assert height(tmp_path, (32, 200), 2) > 1.5 * height(tmp_path, (32, 200), 1)
    assert height(tmp_path, (32, 32), 2) == height(tmp_path, (32, 32), 1)
