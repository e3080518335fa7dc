import numpy as np
import pytest

from steel_defect_detection.errors import (
    AnnotationError,
    ConfigError,
    NoImagesError,
    SynthesisError,
)
from steel_defect_detection.synthesis.gan import train_gan
from steel_defect_detection.synthesis.gan_config import GanConfig
from steel_defect_detection.synthesis.gan_file import Gan
from steel_defect_detection.synthesis.generate import GanMaker, train_makers
from tests.synthesis.sheets_and_defects import dataset

CONFIG = GanConfig(image_size=16, latent_size=4, epochs=1, batch_size=2)


@pytest.fixture(scope="module")
def makers(tmp_path_factory):
    """One generator per class, and where they lie."""
    output = tmp_path_factory.mktemp("gans")
    return train_makers(dataset(), CONFIG, output, (1, 2)), output


def test_each_class_has_a_generator_and_each_image_shows_its_class(makers):
    maker, output = makers
    assert sorted(path.name.split("-")[0] for path in output.iterdir()) == ["pit", "scratch"]
    made = maker.make(2, seed=1)
    assert made.image.shape == (16, 16, 1)
    assert made.masks[1].sum() >= 12
    assert made.sources == ("1.png", "3.png", "5.png")
    assert made.parameters["epochs"] == 1
    assert np.array_equal(made.image, maker.make(2, seed=1).image)


def test_a_generator_that_was_trained_already_is_taken(makers, monkeypatch):
    _, output = makers
    monkeypatch.setattr("steel_defect_detection.synthesis.generate.train_gan", None)
    again = train_makers(dataset(), CONFIG, output, (1, 2))
    assert set(again.gans) == {1, 2}
    with pytest.raises(ConfigError, match=r"with other settings or of other images.*--gans"):
        train_makers(dataset(), CONFIG.model_copy(update={"latent_size": 5}), output, (1, 2))


def test_one_generator_of_all_classes_needs_masks(tmp_path):
    maker = train_makers(dataset(), CONFIG, tmp_path, (1, 2), combined=True)
    assert set(maker.gans) == {0}
    assert len(list(tmp_path.glob("combined-*/samples/epoch-0001.png"))) == 1
    with pytest.raises(AnnotationError, match=r"one generator of all classes needs masks"):
        train_makers(
            dataset(), CONFIG.model_copy(update={"masks": False}), tmp_path, (1, 2), combined=True
        )


def test_without_masks_an_image_has_the_label_of_its_generator(tmp_path):
    gan = train_gan(dataset(), CONFIG.model_copy(update={"masks": False}), tmp_path)
    made = GanMaker(gans={2: gan}, names={2: ("a",)}, class_count=2).make(2, seed=0)
    assert made.masks is None
    assert made.labels.tolist() == [False, True]
    with pytest.raises(ConfigError, match="no generator was trained for this class"):
        GanMaker(gans={2: gan}, names={2: ("a",)}, class_count=2).make(1, seed=0)


def test_a_generator_that_never_shows_the_class_is_refused(makers):
    gan = makers[0].gans[1]
    nothing = {
        name: np.full_like(tensor, -9) if name.endswith("bias") and len(tensor) == 3 else tensor
        for name, tensor in gan.tensors.items()
    }
    silent = Gan(header=gan.header, tensors=nothing)
    maker = GanMaker(gans={1: silent}, names={1: ()}, class_count=2)
    with pytest.raises(SynthesisError, match=r"none of 50 generated images shows 'scratch'"):
        maker.make(1, seed=0)


def test_other_images_get_a_generator_of_their_own(makers, caplog):
    """What learned from validation images must never make training images."""
    maker, output = makers
    others = dataset(count=10).subset(range(6, 10))
    caplog.set_level("INFO", logger="steel_defect_detection")
    other = train_makers(others, CONFIG, output, (1, 2))
    assert len(list(output.iterdir())) == 4
    assert other.names[2] == ("7.png", "9.png")
    assert other.gans[1].header.inputs != maker.gans[1].header.inputs
    assert not np.array_equal(other.make(1, 0).image, maker.make(1, 0).image)
    assert "After 1 steps it is mostly noise: thousands are needed" in caplog.text


def test_a_generator_of_other_images_in_its_place_is_refused(tmp_path):
    maker = train_makers(dataset(), CONFIG, tmp_path, (2,))
    (place,) = tmp_path.iterdir()
    header = maker.gans[2].header.model_copy(update={"inputs": "others"})
    Gan(header=header, tensors=maker.gans[2].tensors).save(place / "gan.safetensors")
    with pytest.raises(ConfigError, match="of other images"):
        train_makers(dataset(), CONFIG, tmp_path, (2,))


def test_a_class_of_too_few_images_is_found_before_anything_is_trained(tmp_path):
    with pytest.raises(
        NoImagesError, match="1 images show 'pit', and a generator needs at least 2"
    ):
        train_makers(dataset().subset([0, 1, 2, 6]), CONFIG, tmp_path, (1, 2))
    assert not list(tmp_path.iterdir())
