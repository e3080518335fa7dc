import json

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import tig_ss304
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError


@pytest.fixture
def folder(tmp_path):
    """Two runs of one weld each."""
    for part, name, label in (("train", "run 1/a.png", 4), ("valid", "run 2/a.png", 0)):
        images.write(tmp_path / part / name, np.full((6, 6), 90, dtype=np.uint8))
        (tmp_path / part / f"{part}.json").write_text(json.dumps({name: label}))
    return tmp_path


def test_a_run_is_a_group_and_class_0_is_good(folder):
    dataset = tig_ss304.read(folder)
    assert dataset.names == ("train/run 1/a.png", "valid/run 2/a.png")
    assert [entry.group for entry in dataset.entries] == ["run 1", "run 2"]
    assert [entry.part for entry in dataset.entries] == ["train", "valid"]
    assert dataset.classes[dataset.labels()[0].argmax()] == "lack_of_shielding_gas"
    assert dataset.defective().tolist() == [True, False]


def test_an_unknown_class_is_named(folder):
    (folder / "train/train.json").write_text('{"run 1/a.png": 6}')
    with pytest.raises(AnnotationError, match="has the label 6, but there are classes 0 to 5"):
        tig_ss304.read(folder)


def test_another_folder_is_refused(tmp_path):
    assert not tig_ss304.is_layout(tmp_path)
    with pytest.raises(DatasetNotFoundError, match=r"train/train\.json is missing"):
        tig_ss304.read(tmp_path)


@pytest.mark.real_data
def test_the_real_folder_has_twenty_images_per_class(real_data):
    dataset = tig_ss304.read(real_data / "tig_ss304")
    assert dataset.labels().sum(axis=0).tolist() == [20] * 6
    runs = {entry.group: set() for entry in dataset.entries}
    for entry in dataset.entries:
        runs[entry.group].add(entry.part)
    assert all(len(parts) == 1 for parts in runs.values())
