import numpy as np
import pytest
import torch

from steel_defect_detection import images
from steel_defect_detection.datasets import severstal
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import TrainingError
from steel_defect_detection.models.graph import Preprocess
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.data import EpochSampler, ValidationItems, loaders

CONFIG = TrainConfig(
    architecture="linknet",
    crop_size=(32, 32),
    rotation_degrees=10,
    zoom=0.2,
    brightness=0.3,
    contrast=0.3,
    blur_and_noise=0.5,
    batch_size=4,
    workers=0,
)


def epochs(dataset: Dataset, config: TrainConfig, count: int = 2) -> list[torch.Tensor]:
    """All crops of each epoch, in the order in which they came."""
    loader, _ = loaders(dataset, dataset, config)
    found = []
    for epoch in range(count):
        loader.sampler.set_epoch(epoch)
        found.append(torch.cat([images for images, _ in loader]))
    return found


def as_set(crops: torch.Tensor) -> set[bytes]:
    return {crop.numpy().tobytes() for crop in crops}


@pytest.fixture
def dataset(tiny_severstal) -> Dataset:
    return severstal.read(tiny_severstal)


def test_epochs_differ(dataset):
    first, second = epochs(dataset, CONFIG)
    assert not as_set(first) & as_set(second)


def test_two_runs_of_one_seed_are_equal_and_of_two_seeds_are_not(dataset):
    first, again = (torch.cat(epochs(dataset, CONFIG)) for _ in range(2))
    other = torch.cat(epochs(dataset, CONFIG.model_copy(update={"seed": 1})))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_number_of_workers_changes_nothing(dataset):
    alone, two = (
        torch.cat(epochs(dataset, CONFIG.model_copy(update={"workers": workers})))
        for workers in (0, 2)
    )
    assert torch.equal(alone, two)


def test_workers_do_not_draw_the_same_changes(tiny_severstal):
    # The same picture under many names, so that equal changes would give equal crops.
    entry = severstal.read(tiny_severstal).entries[1]
    same = Dataset(classes=severstal.CLASSES, entries=(entry,) * 16)
    (crops,) = epochs(same, CONFIG.model_copy(update={"workers": 2}), count=1)
    assert len(as_set(crops)) == 16


def test_an_epoch_asks_for_each_image_as_often_as_it_should():
    sampler = EpochSampler(5, repetitions=3, seed=0)
    sampler.set_epoch(4)
    keys = list(sampler)
    assert len(sampler) == len(keys) == 15
    assert set(keys) == {(4, repetition, index) for repetition in range(3) for index in range(5)}


def test_masks_follow_their_images(dataset):
    config = CONFIG.model_copy(update={"brightness": 0, "contrast": 0, "blur_and_noise": 0})
    loader, _ = loaders(dataset, dataset, config)
    for pixels, masks in loader:
        bright = pixels[..., 0] > 160  # the square has 220, the sheet at most 99
        changed = bright != masks[:, 2].bool()
        assert changed.float().mean() < 0.02  # interpolation moves the rim by half a pixel


def test_validation_images_are_whole_and_unchanged(dataset):
    images, masks = ValidationItems(dataset, CONFIG)[1]
    sample = dataset[1]
    assert np.array_equal(images[..., 0], sample.image[..., 0])
    assert np.array_equal(masks.numpy().astype(bool), sample.masks)


def test_crops_are_labelled_by_what_they_show(dataset):
    config = TrainConfig(architecture="classifier", crop_size=(16, 16), workers=0, flips=False)
    loader, _ = loaders(dataset, dataset, config)
    for pixels, labels in loader:
        assert labels[:, 2].bool().tolist() == (pixels > 160).any(dim=(1, 2, 3)).tolist()


def test_images_with_labels_alone_train_a_classifier_but_no_segmenter(dataset):
    entries = tuple(
        Entry(name=entry.name, path=entry.path, labels=entry.labels) for entry in dataset.entries
    )
    labelled = Dataset(classes=dataset.classes, entries=entries)
    gate = TrainConfig(architecture="classifier", workers=0)
    (_, labels), *_ = loaders(labelled, labelled, gate)[0]
    assert labels.shape == (8, 4)
    segmenter = TrainConfig(architecture="linknet", workers=0)
    with pytest.raises(TrainingError, match="has no masks: a segmenter cannot be trained on it"):
        next(iter(loaders(labelled, labelled, segmenter)[0]))
    crops = gate.model_copy(update={"crop_size": (16, 16)})
    with pytest.raises(TrainingError, match="crops of it have no labels: set crop_size to none"):
        next(iter(loaders(labelled, labelled, crops)[0]))


def test_whole_images_of_different_size_do_not_make_a_batch(dataset, tiny_severstal):
    from steel_defect_detection import images

    odd = np.zeros((40, 40), dtype=np.uint8)
    images.write(tiny_severstal / "train_images" / "sheet-0.png", odd)
    whole = TrainConfig(architecture="classifier", workers=0)
    with pytest.raises(TrainingError, match=r"differ in size .* set size or crop_size"):
        next(iter(loaders(dataset, dataset, whole)[0]))


def test_images_of_any_size_fit_into_a_batch_at_the_networks_size(tmp_path):
    random = np.random.default_rng(0)
    entries = []
    for number, shape in enumerate([(33, 549), (3, 3), (100, 64)]):
        path = tmp_path / f"{number}.png"
        images.write(path, random.integers(0, 256, shape, dtype=np.uint8))
        entries.append(Entry(name=path.name, path=path, labels=(True, False)))
    dataset = Dataset(classes=("a", "b"), entries=tuple(entries))
    config = TrainConfig(
        architecture="classifier", size=(32, 48), flips=False, batch_size=3, workers=0
    )
    ((pixels, _),) = loaders(dataset, dataset, config)[0]
    assert pixels.shape == (3, 32, 48, 3)
    prepare = Preprocess(config.graph(("a", "b")).preprocessing)
    seen = [prepare(image[None]) for image in pixels]
    for sample in dataset:
        whole = prepare(torch.from_numpy(sample.image)[None])
        # Half a grey level of rounding, in units of the deviation.
        assert min(float((image - whole).abs().max()) for image in seen) <= 0.51 / 255 / 0.18


def test_masks_are_squeezed_with_their_images(tiny_severstal):
    config = TrainConfig(architecture="linknet", size=(32, 48), flips=False, workers=0)
    dataset = severstal.read(tiny_severstal)
    for pixels, targets in loaders(dataset, dataset, config)[0]:
        assert targets.shape == (len(pixels), 4, 32, 48)
        bright = pixels.float().mean(dim=3) > 160
        assert (bright == targets[:, 2].bool()).float().mean() > 0.97
