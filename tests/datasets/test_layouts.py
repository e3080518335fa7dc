import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from steel_defect_detection import images
from steel_defect_detection.datasets import layouts
from steel_defect_detection.errors import ConfigError, DatasetNotFoundError

# Folder of the real data, its layout, its images and its classes, as its README says.
REAL = [
    ("crackforest", "crack-forest", 88, 1),
    ("magnetic_tile", "magnetic-tile", 1002, 5),
    ("neu_cls", "class-folders", 1459, 6),
    ("neu_seg", "neu-seg", 3584, 3),
    ("severstal", "severstal", 26, 4),
    ("severstal_annotations", "severstal-annotations", 12568, 4),
    ("severstal_image_labels", "label-files", 18, 4),
    ("tig_ss304", "tig-ss304", 120, 6),
]


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "layout", "images", "classes"), REAL)
def test_every_real_set_is_recognised_and_read(real_data, name, layout, images, classes):
    assert layouts.recognise(real_data / name) == layout
    dataset = layouts.read(real_data / name)
    assert (len(dataset), len(dataset.classes)) == (images, classes)
    if layout != "severstal-annotations":
        sample = dataset[len(dataset) // 2]
        assert sample.image.shape[:2] == dataset.entries[len(dataset) // 2].read_shape()


def draw(layout: str, folder: Path) -> None:
    """Four pictures of a layout, each of a brightness and with a mask of its own."""
    for number, name in enumerate(("c", "a", "d", "b")):
        picture = np.full((8, 8), 40 * number + 90, dtype=np.uint8)
        mask = np.zeros((8, 8), dtype=np.uint8)
        mask[number] = 1
        if layout == "class-folders":
            images.write(folder / name / "1.png", picture)
        elif layout == "mask-folders":
            images.write(folder / "images" / f"{name}.jpg", picture)
            images.write(folder / "masks" / f"{name}.png", mask * 255)
        else:
            images.write(folder / "image" / f"{name}.jpg", picture)
            (folder / "groundTruth").mkdir(exist_ok=True)
            truth = {"groundTruth": {"Segmentation": mask + 1}}
            savemat(folder / "groundTruth" / f"{name}.mat", truth)


@pytest.mark.parametrize(("one", "other"), [("images", "mask"), ("clean", "Images")])
def test_folders_of_images_and_masks_are_classes_only_if_that_is_said(tmp_path, one, other):
    for name in (one, other):
        images.write(tmp_path / name / "1.png", np.full((8, 8), 90, dtype=np.uint8))
    with pytest.raises(DatasetNotFoundError, match=r"is hardly a class\. Images with masks lie in"):
        layouts.read(tmp_path)
    assert set(layouts.read(tmp_path, "class-folders").classes) == {one, other}


def test_a_folder_of_data_sets_is_none(tmp_path):
    draw("mask-folders", tmp_path / "mine")
    draw("class-folders", tmp_path / "other")
    with pytest.raises(DatasetNotFoundError, match="mine is one, layout mask-folders"):
        layouts.recognise(tmp_path)


def listed(folder: Path, *arguments, original, turned):
    """What a file system might answer that lists some folders backwards."""
    backwards = folder.name in turned or "all" in turned
    return iter(sorted(original(folder, *arguments), reverse=backwards))


@pytest.mark.parametrize("layout", ["class-folders", "mask-folders", "crack-forest"])
def test_the_order_of_a_file_system_decides_nothing(tmp_path, monkeypatch, layout):
    # The prints system numbered classes, and the cracks system paired masks, in that order.
    draw(layout, tmp_path)
    originals = {name: getattr(Path, name) for name in ("iterdir", "glob", "rglob")}
    found = []
    for turned in ((), ("all",), ("masks", "groundTruth")):
        for name, original in originals.items():
            changed = partial(listed, original=original, turned=turned)
            monkeypatch.setattr(Path, name, lambda *given, changed=changed: changed(*given))
        found.append(layouts.read(tmp_path, layout))
    assert found[0] == found[1] == found[2]
    for sample in found[0]:
        number = round((int(sample.image[0, 0, 0]) - 90) / 40)
        if sample.masks is None:
            assert sample.classes[sample.labels.argmax()] == "cadb"[number]
        else:
            assert sample.masks[0].any(axis=1).nonzero()[0].tolist() == [number]


def test_a_layout_can_be_forced(tiny_severstal):
    with pytest.raises(DatasetNotFoundError, match="no CrackForest data in"):
        layouts.read(tiny_severstal, "crack-forest")


def test_an_unknown_layout_is_refused_with_the_known_ones(tiny_severstal):
    with pytest.raises(ConfigError, match=r"no layout 'coco'\. Layouts: severstal, neu-seg"):
        layouts.read(tiny_severstal, "coco")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    message = f"there is no folder {str(tmp_path / 'nowhere')!r}"
    with pytest.raises(DatasetNotFoundError, match=re.escape(message)):
        layouts.read(tmp_path / "nowhere")


def test_a_folder_of_nothing_known_says_what_is_known(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="mask-folders: images/ and masks/"):
        layouts.read(tmp_path)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (None, "it holds no image"),
        ("1.png", "it holds images, but neither masks nor labels"),
        ("pits/1.png", "it holds images in pits only, without masks or labels"),
    ],
)
def test_what_is_there_in_place_of_a_data_set_is_said(tmp_path, picture, said):
    if picture:
        images.write(tmp_path / picture, np.zeros((8, 8, 1), dtype=np.uint8))
    with pytest.raises(DatasetNotFoundError, match=said):
        layouts.read(tmp_path)


def test_a_table_of_something_else_does_not_stop_the_search(tmp_path):
    draw("class-folders", tmp_path)
    (tmp_path / "notes.csv").write_bytes("Größe,Maß\n".encode("cp1252"))
    (tmp_path / "folder.csv").mkdir()
    assert layouts.recognise(tmp_path) == "class-folders"
    assert len(layouts.read(tmp_path)) == 4


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "data.zip").write_bytes(b"PK")
    with pytest.raises(DatasetNotFoundError, match=r"data\.zip' is a file"):
        layouts.read(tmp_path / "data.zip")


def test_what_must_be_known_of_a_data_set_is_said_once_it_is_read(tmp_path, caplog):
    np.save(tmp_path / "images.npy", np.zeros((2, 8, 8), dtype=np.uint8))
    np.save(tmp_path / "labels.npy", np.array([0, 1]))
    with caplog.at_level("INFO"):
        layouts.read(tmp_path)
        assert caplog.messages == []
        (tmp_path / "clusters.json").write_text("{}")
        layouts.read(tmp_path)
    (message,) = caplog.messages
    assert message.startswith(f"{tmp_path}: the labels come from a clustering (clusters.json)")


def test_results_are_taken_for_labels_only_where_that_is_asked_for(tmp_path):
    (tmp_path / "predictions.csv").write_text("ImageId,ClassId,EncodedPixels\na.png,1,1 2\n")
    assert layouts.recognise(tmp_path) == "severstal-annotations"
    (tmp_path / "images.csv").write_text("file\n")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DatasetNotFoundError, match="holds results of sdd-predict, which are no"):
        layouts.read(tmp_path)
    assert layouts.read(tmp_path, "severstal-annotations").names == ("a.png",)
