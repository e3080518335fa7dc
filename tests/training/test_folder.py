import json

import pytest

from steel_defect_detection.datasets import severstal
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training import folder
from steel_defect_detection.training.config import TrainConfig

CONFIG = TrainConfig(architecture="linknet")


def test_a_folder_belongs_to_the_run_that_claimed_it(tmp_path):
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    assert TrainConfig.model_validate_json((tmp_path / "config.json").read_text()) == CONFIG


def test_other_settings_or_inputs_are_refused(tmp_path):
    folder.claim(tmp_path, CONFIG, "abc", overwrite=False)
    with pytest.raises(ConfigError, match=r"other settings \(config\.json\).*--overwrite"):
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
