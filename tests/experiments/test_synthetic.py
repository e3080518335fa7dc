"""Training images of which a part is synthetic."""

import numpy as np
import pytest

from steel_defect_detection.datasets import layouts, origins
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.experiments import parts, synthetic
from steel_defect_detection.experiments.study import ImageSettings
from steel_defect_detection.synthesis import synthesize
from tests.experiments.small_studies import draw_classes
from tests.synthesis.sheets_and_defects import dataset

CLASSES = ("scratches", "pits")


def settings(**values):
    return ImageSettings(**values)


def made_of(found):
    return [entry for entry in found.entries if entry.made_from is not None]


def test_synthetic_images_take_the_place_of_real_ones(tmp_path):
    data = dataset(count=12, clean=4)
    asked = settings(images_per_class=4, synthetic_ratio=0.5)
    found = synthetic.training_images(data, asked, 0, tmp_path)
    real = [entry for entry in found.entries if entry.made_from is None]
    labels = np.array([entry.labels for entry in real])
    assert labels.sum(axis=0).tolist() == [2, 2]
    assert np.array([entry.labels for entry in made_of(found)]).sum(axis=0).min() >= 2
    assert len(made_of(found)) == 4
    assert synthetic.counts(data, asked, 0) == (len(real), 4)


def test_they_are_made_from_the_images_that_the_run_has_alone(tmp_path):
    data = dataset(count=12, clean=4)
    asked = settings(fraction=0.5, synthetic_ratio=0.4)
    found = synthetic.training_images(data, asked, 0, tmp_path)
    shown = frozenset().union(
        *(origins.keys(entry) for entry in found.entries if entry.made_from is None)
    )
    assert made_of(found)
    assert all(origins.keys(entry) <= shown for entry in made_of(found))
    others = data.subset([n for n, e in enumerate(data.entries) if not origins.keys(e) <= shown])
    assert not list(origins.leaks({"train": found, "validation": others}))
    parts.joined(found, others)


def test_without_a_number_they_are_added_to_all_real_ones(tmp_path):
    data = dataset(count=12, clean=4)
    found = synthetic.training_images(data, settings(synthetic_ratio=0.5), 0, tmp_path)
    # As many as there are images with defects, half of them of each of the two classes.
    assert len(made_of(found)) == int(data.defective().sum())
    assert len(found) - len(made_of(found)) == len(data)


def test_all_defects_may_be_synthetic(tmp_path):
    data = dataset(count=12, clean=4)
    asked = settings(synthetic_ratio=1, images_per_class=3)
    found = synthetic.training_images(data, asked, 0, tmp_path)
    assert len(made_of(found)) == 6
    assert not found.defective()[: len(found) - 6].any()


def test_what_was_made_is_taken_again(tmp_path, monkeypatch):
    data = dataset(count=12, clean=4)
    asked = settings(synthetic_ratio=0.5)
    first = synthetic.training_images(data, asked, 0, tmp_path)
    monkeypatch.setattr(synthetic, "synthesize", None)
    assert synthetic.training_images(data, asked, 0, tmp_path) == first


def test_what_was_begun_is_made_anew(tmp_path):
    data = dataset(count=12, clean=4)
    asked = settings(synthetic_ratio=0.5)
    first = synthetic.training_images(data, asked, 0, tmp_path)
    (manifest,) = tmp_path.rglob(origins.SYNTHESIS)
    manifest.unlink()
    again = synthetic.training_images(data, asked, 0, tmp_path)
    assert again.names == first.names


def test_images_without_masks_are_drawn_by_the_names_of_their_classes(tmp_path):
    data = tmp_path / "data"
    draw_classes(data, count=4)
    for old, new in zip(("dark", "bright"), CLASSES, strict=True):
        (data / old).rename(data / new)
    asked = settings(images_per_class=4, synthetic_ratio=0.5, synthetic_way="draw")
    found = synthetic.training_images(layouts.read(data), asked, 0, tmp_path / "made")
    assert found.labels().sum(axis=0).tolist() == [4, 4]
    assert len(made_of(found)) == 4
    assert all(entry.read_image().shape[:2] == (32, 32) for entry in found.entries)


def test_a_class_whose_name_says_nothing_cannot_be_drawn(tmp_path):
    data = layouts.read(draw_classes(tmp_path / "data", count=4))
    asked = settings(synthetic_ratio=0.5, synthetic_way="draw")
    with pytest.raises(ConfigError, match=r"nothing says what '(dark|bright)' looks like"):
        synthetic.training_images(data, asked, 0, tmp_path / "made")


def test_too_few_images_of_a_class_are_refused(tmp_path):
    data = layouts.read(draw_classes(tmp_path / "data", count=4))
    with pytest.raises(ConfigError, match="images_per_class is 5, and 4 training images show"):
        synthetic.training_images(data, settings(images_per_class=5), 0, tmp_path)


def test_nothing_is_made_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(synthesize, "synthesize", None)
    data = dataset(count=12, clean=4)
    assert synthetic.training_images(data, settings(), 0, tmp_path) == data
    assert synthetic.counts(data, settings(fraction=0.5), 0)[1] == 0
