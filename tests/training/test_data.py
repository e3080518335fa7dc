from dataclasses import dataclass
from itertools import chain

import numpy as np
import pytest
import torch

from steel_defect_detection import images
from steel_defect_detection.datasets import severstal
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, ImageError, TrainingError
from steel_defect_detection.models.graph import Preprocess
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.data import (
    DealtOut,
    EpochSampler,
    Shares,
    TrainingItems,
    ValidationItems,
    loaders,
)

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
        order = getattr(loader.batch_sampler, "sampler", loader.sampler)
        order.set_epoch(epoch)
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


def test_each_epoch_has_an_order_of_its_own():
    # The cracks system read its images in the same order every epoch.
    sampler = EpochSampler(20, repetitions=1, seed=0)
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        orders.append(tuple(index for _, _, index in sampler))
    assert len({*orders, tuple(range(20))}) == 4


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


def test_every_image_is_judged_in_each_validation_without_changes(dataset):
    # The welds system mirrored its validation images by chance.
    config = CONFIG.model_copy(update={"policy": "rand_augment", "flips": True})
    _, check = loaders(dataset, dataset, config)
    for _ in range(2):
        found = [pixels[0, ..., 0].numpy() for pixels, _ in check]
        for pixels, sample in zip(found, dataset, strict=True):
            assert np.array_equal(pixels, sample.image[..., 0])


def test_crops_are_labelled_by_what_they_show(dataset):
    config = TrainConfig(architecture="classifier", crop_size=(16, 16), workers=0, flips=False)
    loader, _ = loaders(dataset, dataset, config)
    for pixels, labels in loader:
        assert labels[:, 2].bool().tolist() == (pixels > 160).any(dim=(1, 2, 3)).tolist()


def test_a_defect_that_is_turned_out_of_its_image_does_not_change_the_class_of_the_image():
    # One pixel in the corner: a turn moves it out, and no class would be taken for the first.
    corner = np.zeros((2, 32, 32), dtype=np.bool_)
    corner[1, 0, 0] = True
    config = TrainConfig(
        architecture="classifier", labels="exclusive", rotation_degrees=180, workers=0, flips=False
    )
    dataset = Dataset(
        classes=("a", "b"), entries=(Entry(name="x", pixels=Grey(), masks=Mask(corner)),)
    )
    items = TrainingItems(dataset, config)
    found = [items[epoch, 0, 0][1].tolist() for epoch in range(20)]
    assert found == [[0.0, 1.0]] * 20
    loose = TrainingItems(dataset, config.model_copy(update={"labels": "independent"}))
    assert [0.0, 0.0] in [loose[epoch, 0, 0][1].tolist() for epoch in range(20)]


@dataclass(frozen=True)
class Mask:
    """Masks at hand."""

    masks: np.ndarray

    def read(self, shape):
        assert shape == self.masks.shape[1:]
        return self.masks


class Grey:
    """A grey image."""

    def read(self):
        return np.full((32, 32, 1), 90, dtype=np.uint8)


def test_images_with_labels_alone_train_a_classifier_but_no_segmenter(dataset):
    entries = tuple(
        Entry(name=entry.name, path=entry.path, labels=entry.labels) for entry in dataset.entries
    )
    labelled = Dataset(classes=dataset.classes, entries=entries)
    gate = TrainConfig(architecture="classifier", workers=0)
    (_, labels), *_ = loaders(labelled, labelled, gate)[0]
    assert labels.shape == (8, 4)
    segmenter = TrainConfig(architecture="linknet", workers=0)
    with pytest.raises(TrainingError, match="has no masks, from which alone outlines are learned"):
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


POLICY = CONFIG.model_copy(update={"policy": "rand_augment"})


def test_policies_differ_between_epochs_and_not_between_runs_or_workers(dataset):
    first, second = epochs(dataset, POLICY)
    again = epochs(dataset, POLICY.model_copy(update={"workers": 2}))
    plain = epochs(dataset, CONFIG)
    assert not as_set(first) & as_set(second)
    assert torch.equal(torch.cat(again), torch.cat([first, second]))
    assert not torch.equal(plain[0], first)


def test_black_out_takes_a_defect_and_its_label_away(dataset):
    config = TrainConfig(
        architecture="classifier", labels="independent", black_out=0.5, flips=False, workers=0
    )
    loader, check = loaders(dataset, dataset, config)
    kinds = set()
    for epoch in range(4):
        order = getattr(loader.batch_sampler, "sampler", loader.sampler)
        order.set_epoch(epoch)
        for pixels, labels in loader:
            # The square has 220, the sheet at most 99, and less where it is painted.
            bright = (pixels > 160).any(dim=(1, 2, 3)).tolist()
            assert labels[:, 2].bool().tolist() == bright
            kinds |= set(bright)
    assert kinds == {False, True}
    shown = sum(bool(labels[0, 2]) for _, labels in check)
    assert shown == int(dataset.labels()[:, 2].sum()) > 0


def test_black_out_always_leaves_no_defect(dataset):
    config = TrainConfig(architecture="classifier", labels="independent", black_out=1, workers=0)
    for pixels, labels in loaders(dataset, dataset, config)[0]:
        assert not labels.any()
        assert int(pixels.max()) < 160


def test_black_out_needs_masks(dataset):
    entries = tuple(
        Entry(name=entry.name, path=entry.path, labels=entry.labels) for entry in dataset.entries
    )
    config = TrainConfig(architecture="classifier", labels="independent", black_out=1, workers=0)
    labelled = Dataset(classes=dataset.classes, entries=entries)
    with pytest.raises(TrainingError, match="nothing can be painted out of it: set black_out to 0"):
        next(iter(loaders(labelled, labelled, config)[0]))


@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": "unet"},
        {"architecture": "classifier"},
        {"architecture": "classifier", "labels": "exclusive"},
    ],
)
def test_black_out_is_for_classifiers_of_independent_labels(settings):
    with pytest.raises(ValueError, match="black_out leaves images without any class, which needs"):
        TrainConfig(black_out=0.5, **settings)


# Nine images without a defect, two of the first class, one of both.
RARE = np.array([[0, 0]] * 9 + [[1, 0]] * 2 + [[1, 1]], dtype=np.bool_)


def test_a_balanced_epoch_shows_each_combination_of_classes_equally_often():
    sampler = EpochSampler(12, repetitions=3, seed=0, labels=RARE)
    drawn = []
    for epoch in range(6):
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert len(keys) == len(sampler) == 36
        # No key twice: each item of an epoch has chance of its own.
        assert len(set(keys)) == 36
        assert {key[0] for key in keys} == {epoch}
        indices = [key[2] for key in keys]
        assert [sum(index in kind for index in indices) for kind in (range(9), (9, 10), (11,))] == [
            12,
            12,
            12,
        ]
        # All of a combination come before one of them comes again.
        assert {indices.count(index) for index in range(9)} == {1, 2}
        assert (indices.count(9), indices.count(10)) == (6, 6)
        drawn.append(keys)
    assert drawn[0] != [(0, *key[1:]) for key in drawn[1]]


def test_balanced_epochs_depend_on_seed_and_epoch_alone():
    first, again, other = (
        list(EpochSampler(12, repetitions=1, seed=seed, labels=RARE)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_more_combinations_than_items_take_turns(count):
    labels = np.eye(count, dtype=np.bool_)
    sampler = EpochSampler(count, repetitions=1, seed=0, labels=labels)
    assert sorted(key[2] for key in sampler) == list(range(count))


def test_balance_reads_labels_from_masks(dataset):
    config = TrainConfig(architecture="classifier", balance=True, workers=0)
    unread = Dataset(
        classes=dataset.classes,
        entries=tuple(
            Entry(name=entry.name, path=entry.path, masks=entry.masks) for entry in dataset.entries
        ),
    )
    labels = torch.cat([labels for _, labels in loaders(unread, unread, config)[0]])
    _, counts = np.unique(labels.numpy(), axis=0, return_counts=True)
    assert counts.max() - counts.min() <= 1
    nothing = Dataset(
        classes=dataset.classes,
        entries=tuple(Entry(name=entry.name, path=entry.path) for entry in dataset.entries),
    )
    with pytest.raises(AnnotationError, match="have no labels"):
        loaders(nothing, nothing, config)


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


@pytest.mark.parametrize("size", [(32, 48), (30, 41)], ids=str)
def test_masks_are_squeezed_with_their_images(tiny_severstal, size):
    config = TrainConfig(architecture="linknet", size=size, flips=False, workers=0)
    dataset = severstal.read(tiny_severstal)
    for pixels, targets in loaders(dataset, dataset, config)[0]:
        assert targets.shape == (len(pixels), 4, *size)
        # The strip system's labels were mixed along the rims by a filter meant for pictures.
        assert set(targets.unique().tolist()) <= {0, 1}
        bright = pixels.float().mean(dim=3) > 160
        assert (bright == targets[:, 2].bool()).float().mean() > 0.97


def believe(monkeypatch, rank: int, count: int) -> None:
    """Make the loaders believe that several processes train together."""
    monkeypatch.setattr("steel_defect_detection.training.data.processes", lambda: (rank, count))


@pytest.mark.parametrize("images_", [1, 2, 5, 6, 7, 12, 13, 101])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_epoch_is_dealt_out_in_as_many_batches_to_each(monkeypatch, images_, batch_size, count):
    order = list(EpochSampler(images_, repetitions=3, seed=0))
    dealt = []
    for rank in range(count):
        believe(monkeypatch, rank, count)
        shares = Shares(EpochSampler(images_, repetitions=3, seed=0), batch_size)
        dealt.append(list(shares))
        assert len(shares) == len(dealt[-1]) > 0
    assert len({len(batches) for batches in dealt}) == 1
    steps = [list(chain(*batches)) for batches in zip(*dealt, strict=True)]
    # Each item once, and each step takes what one process would put into a larger batch.
    assert list(chain(*steps)) == order
    sizes = [len(batch) for batches in dealt for batch in batches]
    assert max(sizes) - min(sizes) <= 1
    if batch_size > 1 and len(order) >= 2 * count:
        assert min(sizes) > 1
    if len(order) % (batch_size * count) == 0:
        assert set(sizes) == {batch_size}


@pytest.mark.parametrize(("images_", "count"), [(7, 1), (7, 2), (7, 3), (6, 3)])
def test_validation_images_are_dealt_out_and_none_is_judged_twice(monkeypatch, images_, count):
    dealt = []
    for rank in range(count):
        believe(monkeypatch, rank, count)
        dealt.append(list(DealtOut(images_)))
        assert len(DealtOut(images_)) == len(dealt[-1])
    assert sorted(chain(*dealt)) == list(range(images_))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


@pytest.mark.parametrize("workers", [0, 1])
def test_one_of_several_processes_gives_an_error_in_place_of_a_batch(dataset, monkeypatch, workers):
    def broken(*_arguments):
        raise ImageError("a.png is cut")

    monkeypatch.setattr(ValidationItems, "__getitem__", broken)
    config = CONFIG.model_copy(update={"workers": workers})
    with pytest.raises(ImageError, match=r"a\.png is cut"):
        next(iter(loaders(dataset, dataset, config)[1]))
    believe(monkeypatch, 0, 2)
    (error,) = loaders(dataset, dataset, config)[1]
    assert isinstance(error, ImageError)


@pytest.mark.thorough
def test_several_processes_see_one_epoch_between_them(dataset, monkeypatch):
    found = []
    for rank in range(2):
        believe(monkeypatch, rank, 2)
        (crops,) = epochs(dataset, CONFIG, count=1)
        found.append(as_set(crops))
    monkeypatch.undo()
    (alone,) = epochs(dataset, CONFIG, count=1)
    assert not found[0] & found[1]
    assert found[0] | found[1] == as_set(alone)
