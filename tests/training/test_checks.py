"""What is refused before anything is trained."""

import re
from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection import checkpoints, images
from steel_defect_detection.datasets import severstal
from steel_defect_detection.errors import ConfigError, TrainingError
from steel_defect_detection.training import checks, parting
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train
from tests.training.small_runs import SEGMENTER

GATE = TrainConfig(
    architecture="classifier",
    encoder="shufflenet_v2",
    epochs=1,
    workers=0,
    precision="float32",
    pictures=False,
)


def with_labels(data, *rows):
    """The sheets with other labels and without masks, as a data set of two classes has them."""
    dataset = severstal.read(data)
    pairs = zip(dataset.entries, rows, strict=False)
    entries = tuple(replace(entry, labels=row, masks=None) for entry, row in pairs)
    return replace(dataset, classes=("rust", "pits"), entries=entries)


def test_clean_images_cannot_be_learned_by_classes_that_exclude_each_other(data, tmp_path):
    # They would be learned as the first class.
    config = GATE.model_copy(update={"labels": "exclusive"})
    message = r"each shows exactly one class, but sheet-\d\.png shows none\. Set labels to 'indep"
    with pytest.raises(ConfigError, match=message):
        train(config, data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_outlines_are_not_learned_from_labels_alone_also_beside_clean_images(data, tmp_path):
    dataset = severstal.read(data)
    some = tuple(
        replace(entry, masks=entry.masks if number % 2 else None)
        for number, entry in enumerate(dataset.entries)
    )
    config = SEGMENTER.model_copy(update={"crop_size": (32, 32), "defect_crops": 0.5})
    with pytest.raises(TrainingError, match="has no masks, from which alone outlines are learned"):
        train(config, replace(dataset, entries=some), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_image_of_two_classes_is_named_also_among_those_for_validation(data, tmp_path):
    rows = [(True, False), (False, True), (True, True), (True, False)]
    (tmp_path / "split.csv").write_text(
        "image,split\nsheet-0.png,train\nsheet-1.png,train\nsheet-2.png,validation\n"
    )
    config = GATE.model_copy(update={"labels": "exclusive"})
    with pytest.raises(ConfigError, match=r"but sheet-2\.png shows rust and pits"):
        train(config, with_labels(data, *rows), tmp_path / "run", split=tmp_path / "split.csv")


def test_a_gate_without_clean_images_is_remarked_upon(data, caplog):
    config = GATE.model_copy(update={"labels": "independent"})
    every = with_labels(data, *[(True, False), (True, True)] * 2)
    checks.check(config, (every, every))
    assert "every training image shows a defect" in caplog.text
    caplog.clear()
    some = with_labels(data, *[(True, False), (False, False)] * 2)
    checks.check(config, (some, some))
    assert not caplog.text


@pytest.mark.parametrize(
    ("size", "swapped"), [((32, 64), False), ((64, 32), True), ((32, 32), False)]
)
def test_a_size_that_lies_the_other_way_is_remarked_upon(data, caplog, size, swapped):
    part = severstal.read(data)
    height, width = part[0].image.shape[:2]
    assert height < width
    checks.check(GATE.model_copy(update={"size": size}), (part, part))
    assert ("are the two numbers swapped?" in caplog.text) == swapped


def test_one_class_alone_excludes_nothing(data, tmp_path):
    dataset = replace(with_labels(data, *[(True,)] * 4), classes=("rust",))
    with pytest.raises(ConfigError, match="at least 2 classes, got rust alone"):
        train(GATE.model_copy(update={"labels": "exclusive"}), dataset, tmp_path / "run")
    train(GATE, dataset, tmp_path / "auto")
    assert not checkpoints.load(tmp_path / "auto").header.graphs["classifier"].network.exclusive


def test_crops_that_may_show_nothing_are_not_of_classes_that_exclude_each_other(data, tmp_path):
    # Every other sheet has a defect; these alone show exactly one class each.
    dataset = severstal.read(data).subset([1, 3, 5, 7])
    settings = {"crop_size": (16, 16), "batch_size": 2}
    exclusive = GATE.model_copy(update=settings | {"labels": "exclusive"})
    message = "with defect_crops 0.5 some may show none. Set defect_crops to 1, crop_size to none"
    with pytest.raises(ConfigError, match=re.escape(message)):
        train(exclusive, dataset, tmp_path / "run")
    train(GATE.model_copy(update=settings), dataset, tmp_path / "auto")
    assert not checkpoints.load(tmp_path / "auto").header.graphs["classifier"].network.exclusive
    train(exclusive.model_copy(update={"defect_crops": 1.0}), dataset, tmp_path / "on-defects")
    header = checkpoints.load(tmp_path / "on-defects").header
    assert header.graphs["classifier"].network.exclusive


def test_nothing_stops_by_validation_images_that_are_not_there(data, tmp_path):
    (tmp_path / "split.csv").write_text("image,split\nsheet-0.png,train\nsheet-1.png,train\n")
    config = GATE.model_copy(
        update={"early_stopping": 3, "keep": "last", "scheduler": "constant", "epochs": 2}
    )
    split = tmp_path / "split.csv"
    with pytest.raises(ConfigError, match="no images to validate on, by which to stop"):
        train(config, data, tmp_path / "run", split=split)
    by_training = config.model_copy(update={"monitor": "train_loss"})
    assert train(by_training, data, tmp_path / "run", split=split).exists()


def test_images_without_any_defect_teach_nothing(tmp_path):
    for number in range(4):
        image = np.full((64, 64, 1), 90 + number, dtype=np.uint8)
        images.write(tmp_path / "images" / f"{number}.png", image)
        images.write(tmp_path / "masks" / f"{number}.png", np.zeros_like(image))
    (tmp_path / "classes.txt").write_text("pit\n")
    with pytest.raises(ConfigError, match="no training image shows any class"):
        train(SEGMENTER, tmp_path, tmp_path / "run")


def test_defects_that_only_the_validation_images_show_are_told_as_such(data, tmp_path):
    dataset = severstal.read(data).labelled()
    clean = next(e.name for e in dataset.entries if not any(e.labels))
    bad = next(e.name for e in dataset.entries if any(e.labels))
    table = f"image,split\n{clean},train\n{bad},validation\n"
    (tmp_path / "split.csv").write_text(table)
    with pytest.raises(ConfigError, match="learn: 1 image to validate on would, so add images"):
        train(SEGMENTER, data, tmp_path / "run", split=tmp_path / "split.csv")


def test_a_plateau_needs_images_to_validate_on(data, tmp_path):
    names = severstal.read(data).names
    (tmp_path / "split.csv").write_text(f"image,split\n{names[0]},train\n")
    config = SEGMENTER.model_copy(update={"keep": "last"})
    with pytest.raises(ConfigError, match="no images to validate on"):
        train(config, data, tmp_path / "run", split=tmp_path / "split.csv")


def test_weights_for_other_classes_are_refused(data, tmp_path):
    config = SEGMENTER.model_copy(update={"class_weights": (1.0, 2.0)})
    with pytest.raises(ConfigError, match="class_weights has 2 values, but the data has 4 classes"):
        train(config, data, tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"monitor": "foo"}, "monitor 'foo' is not measured here. Measured are: train_loss, "),
        # What no model would reach as well says nothing about an epoch.
        ({"monitor": "validation_dice_all_empty"}, "is not measured here"),
        ({"nodes": 2}, "nothing says where the others are"),
    ],
)
def test_what_cannot_be_done_is_refused_before_training(data, tmp_path, settings, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        train(SEGMENTER.model_copy(update=settings), data, tmp_path / "run")
    assert not (tmp_path / "run" / "epochs.csv").exists()


def test_a_distance_head_is_refused_where_an_image_may_show_several_classes(data, tmp_path):
    config = GATE.model_copy(update={"head": "duq"})
    message = "the head 'duq' needs images of which each shows exactly one class, which these are"
    with pytest.raises(ConfigError, match=message):
        train(config, data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("images_", "most"), [((6, 2), 2), ((2, 6), 2), ((3, 0), 3)])
def test_each_process_needs_an_image_of_both_parts(data, images_, most):
    dataset = severstal.read(data)
    parts = dataset[: images_[0]], dataset[: images_[1]]
    config = SEGMENTER.model_copy(
        update={"device": "cpu", "keep": "last", "scheduler": "constant", "crops_per_image": 1}
    )
    checks.check(config.model_copy(update={"devices": most}), parts)
    with pytest.raises(ConfigError, match=f"{most + 1} processes are too many for {images_[0]} im"):
        checks.check(config.model_copy(update={"devices": most + 1}), parts)


@pytest.mark.parametrize(("crop", "said"), [((32, 32), 0), ((1000, 32), 1), ((32, 1000), 1)])
def test_crops_larger_than_the_images_are_remarked_upon(data, caplog, crop, said):
    dataset = severstal.read(data).labelled()
    config = SEGMENTER.model_copy(update={"crop_size": crop})
    checks.check(config, parting.part(config, dataset, None, None))
    assert sum("are larger than images of" in text for text in caplog.messages) == said
