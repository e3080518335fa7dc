import json

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import mask_folders, severstal
from steel_defect_detection.datasets.arrays import ArrayRow
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training import folder
from steel_defect_detection.training.config import CascadeConfig, TrainConfig

CONFIG = TrainConfig(architecture="linknet")


def test_a_folder_belongs_to_the_run_that_claimed_it(tmp_path):
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    assert TrainConfig.model_validate_json((tmp_path / "config.json").read_text()) == CONFIG


def test_a_run_of_a_version_that_knew_fewer_settings_goes_on(tmp_path):
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    path = tmp_path / "config.json"
    earlier = json.loads(path.read_text())
    del earlier["lovasz_weight"]
    path.write_text(json.dumps(dict(reversed(earlier.items()))))
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    other = CONFIG.model_copy(update={"lovasz_weight": 0.5})
    with pytest.raises(ConfigError, match="other settings"):
        folder.claim(tmp_path, other, "abc", overwrite=False)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"architecture": "tower"}'])
def test_settings_that_cannot_be_read_are_others(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match="other settings"):
        folder.claim(tmp_path, CONFIG, "abc", overwrite=False)


def test_other_settings_or_inputs_are_refused(tmp_path):
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    with pytest.raises(ConfigError, match=r"config\.json: seed was 0 and is 1\).*--overwrite"):
        folder.claim(tmp_path, CONFIG.model_copy(update={"seed": 1}), "abc", overwrite=False)
    with pytest.raises(ConfigError, match=r"other images, another split or another start"):
        folder.claim(tmp_path, CONFIG, "abd", overwrite=False)


def test_overwriting_forgets_the_run_and_keeps_the_other_files(tmp_path):
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    folder.finish(tmp_path, {})
    (tmp_path / "notes.txt").write_text("mine")
    folder.claim(tmp_path, CONFIG.model_copy(update={"seed": 1}), "abd", overwrite=True)
    assert not folder.is_finished(tmp_path)
    assert (tmp_path / "notes.txt").exists()


def test_a_run_is_not_written_into_its_data(tmp_path):
    with pytest.raises(ConfigError, match="is the data set itself: name another --output"):
        folder.check_place(tmp_path, f"{tmp_path}/../{tmp_path.name}")
    folder.check_place(tmp_path / "run", tmp_path)
    folder.check_place(tmp_path, Dataset(classes=("pit",), entries=()))


def test_only_a_run_that_is_there_and_is_kept_can_be_gone_on_with(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no run in .* Leave --resume out to begin one"):
        folder.check_resume(tmp_path, overwrite=False)
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    folder.check_resume(tmp_path, overwrite=False)
    with pytest.raises(ConfigError, match="overwrite begins anew: leave one of them out"):
        folder.check_resume(tmp_path, overwrite=True)


def test_what_is_not_a_number_is_written_as_null(tmp_path):
    folder.finish(tmp_path, {"gate": {"auroc": float("nan")}, "loss": 0.5})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "gate": {"auroc": None},
        "loss": 0.5,
    }
    assert folder.is_finished(tmp_path)


def test_the_fingerprint_sees_images_labels_parts_and_start(tiny_severstal):
    dataset = severstal.read(tiny_severstal)
    whole = folder.fingerprint([dataset], [])
    assert folder.fingerprint([dataset], []) == whole
    others = {
        "parts": folder.fingerprint([dataset[:4], dataset[4:]], []),
        "order of parts": folder.fingerprint([dataset[4:], dataset[:4]], []),
        "start": folder.fingerprint([dataset], ["abc"]),
        "images": folder.fingerprint([dataset[1:]], []),
    }
    table = tiny_severstal / "train.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")
    others["labels"] = folder.fingerprint([severstal.read(tiny_severstal)], [])
    assert len({whole, *others.values()}) == 6


def masked_images(folder):
    """Two images with masks of the same size, in the layout of one's own images."""
    for number in range(2):
        picture = np.full((32, 32, 1), 90 + number, dtype=np.uint8)
        mask = np.zeros((32, 32, 1), dtype=np.uint8)
        mask[8:16, 8:16] = 1
        images.write(folder / f"images/{number}.png", picture)
        images.write(folder / f"masks/{number}.png", mask)
    (folder / "classes.txt").write_text("rust\n")
    return folder


def test_the_fingerprint_does_not_depend_on_where_the_data_lies(tmp_path):
    masked_images(tmp_path / "here")
    before = folder.fingerprint([mask_folders.read(tmp_path / "here")], [])
    (tmp_path / "here").rename(tmp_path / "there")
    assert folder.fingerprint([mask_folders.read(tmp_path / "there")], []) == before


def test_the_fingerprint_sees_an_edited_mask_of_the_same_size_and_class(tmp_path):
    place = masked_images(tmp_path)
    before = folder.fingerprint([mask_folders.read(place)], [])
    size = (place / "masks/0.png").stat().st_size
    moved = np.roll(images.read(place / "masks/0.png")[..., :1], 1, axis=1)
    images.write(place / "masks/0.png", moved)
    data = (place / "masks/0.png").read_bytes()
    assert len(data) == size
    assert folder.fingerprint([mask_folders.read(place)], []) != before


def test_the_fingerprint_sees_which_image_of_an_array_is_meant(tmp_path):
    first, second = (
        Dataset(classes=("a",), entries=(Entry(name="x", labels=(True,), pixels=row),))
        for row in (ArrayRow(tmp_path / "a.npy", 0), ArrayRow(tmp_path / "a.npy", 1))
    )
    np.save(tmp_path / "a.npy", np.zeros((2, 8, 8), dtype=np.uint8))
    assert folder.fingerprint([first], []) != folder.fingerprint([second], [])


@pytest.mark.parametrize("name", ["model.safetensors", "metrics.json", "last.ckpt", "split.csv"])
def test_files_of_others_are_neither_replaced_nor_taken_for_a_run(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"holds {name}, and no config.json says that a run"):
        folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("with_split", [True, False])
def test_a_folder_is_given_back_unless_an_epoch_is_over(tmp_path, with_split):
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    (tmp_path / "split.csv").write_text("image,split\n")
    (tmp_path / "last.ckpt").write_text("")
    folder.release([tmp_path], with_split=with_split)
    assert len(list(tmp_path.iterdir())) == 4
    (tmp_path / "last.ckpt").unlink()
    folder.release([tmp_path], with_split=with_split)
    left = ["split.csv"] if not with_split else []
    assert [path.name for path in tmp_path.iterdir()] == left


def test_a_run_may_go_on_elsewhere_with_other_processes(tmp_path, caplog):
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    (tmp_path / "last.ckpt").write_text("")
    place = {"devices": 2, "nodes": 3, "strategy": "ddp", "device": "cpu", "workers": 7}
    there = CONFIG.model_copy(update=place | {"accumulate": 2})
    with pytest.raises(ConfigError, match="other settings"):
        folder.claim(tmp_path, there, "abc", overwrite=False)
    there = CONFIG.model_copy(update=place)
    with caplog.at_level("INFO"):
        folder.check_processes(tmp_path, there)
    assert caplog.messages == [
        "going on with 6 processes in place of 1: a step now takes 48 images in place of 8"
    ]
    folder.claim(tmp_path, there, "abc", overwrite=False)
    assert json.loads((tmp_path / "config.json").read_text())["devices"] == 2
    with caplog.at_level("INFO"):
        folder.check_processes(tmp_path, there)
    assert len(caplog.messages) == 1


def test_a_cascade_may_go_on_elsewhere(tmp_path):
    segmenter = TrainConfig(architecture="unet")
    one = CascadeConfig(gate=TrainConfig(architecture="classifier"), segmenter=segmenter)
    folder.claim(tmp_path, one, "abc", overwrite=False)
    stages = {"gate": one.gate, "segmenter": segmenter}
    two = CascadeConfig(
        **{name: stage.model_copy(update={"devices": 2}) for name, stage in stages.items()}
    )
    folder.claim(tmp_path, two, "abc", overwrite=False)
    slower = segmenter.model_copy(update={"learning_rate": 1e-4})
    with pytest.raises(ConfigError, match="other settings"):
        folder.claim(
            tmp_path, CascadeConfig(gate=one.gate, segmenter=slower), "abc", overwrite=False
        )


def test_a_schedule_of_steps_is_not_gone_on_with_by_other_processes(tmp_path):
    config = CONFIG.model_copy(update={"scheduler": "one-cycle"})
    two = config.model_copy(update={"devices": 2})
    folder.claim(tmp_path, config, "abc", overwrite=False)
    folder.check_processes(tmp_path, two)  # it has not begun
    (tmp_path / "last.ckpt").write_text("")
    with pytest.raises(ConfigError, match=r"the steps of 1 processes .* 2 cannot go on"):
        folder.check_processes(tmp_path, two)


def test_a_refusal_names_what_differs(tmp_path):
    gate = TrainConfig(architecture="classifier")
    old = CascadeConfig(gate=gate, segmenter=CONFIG)
    folder.claim(tmp_path, old, "x", overwrite=False)
    new = old.model_copy(update={"gate": gate.model_copy(update={"epochs": 99, "workers": 7})})
    with pytest.raises(ConfigError, match=r"\(config\.json: gate\.epochs was 20 and is 99\)"):
        folder.claim(tmp_path, new, "x", overwrite=False)


def test_differences_are_told_place_by_place():
    before = {"a": {"b": 1, "c": [1, 2]}, "d": None}
    now = {"a": {"b": 2, "c": [1, 2]}, "e": True}
    assert list(folder.differences(before, now)) == [
        "a.b was 1 and is 2",
        "d was null and is gone",
        "e is new: true",
    ]
