import json
import re

import pytest

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training import presets
from steel_defect_detection.training.config import CascadeConfig, TrainConfig


def test_the_strip_presets_are_there():
    assert set(presets.names()) >= {"strip", "strip-gate", "strip-linknet", "strip-unet"}


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_valid_and_described(name):
    assert presets.load(name).description


@pytest.mark.parametrize("name", presets.names())
def test_a_written_config_reads_back_as_the_same(name, tmp_path):
    config = presets.load(name)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    assert presets.load(tmp_path / "config.json") == config


def test_changes_go_over_the_preset():
    assert presets.load("strip-linknet", epochs=3).epochs == 3


def test_changes_reach_both_runs_of_a_cascade():
    config = presets.load("strip", epochs=3)
    assert isinstance(config, CascadeConfig)
    assert (config.gate.epochs, config.segmenter.epochs) == (3, 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, "unknown setting 'epoch'. Did you mean 'epochs'?"),
        ({"epochs": 0}, "epochs should be greater than or equal to 1, got 0"),
        (
            {"encoder": "resnet-18"},
            "there is no encoder 'resnet-18' here. Did you mean 'resnet18'?",
        ),
        ({"class_weights": [1, -1]}, "class_weights must be positive, got (1.0, -1.0)"),
        ({"crop_size": [0, 5]}, "crop_size must be positive, got (0, 5)"),
        ({"class_weights": [float("nan")]}, "class_weights.0 should be a finite number"),
        ({"validation_share": 1}, "validation_share should be less than 1, got 1"),
    ],
)
def test_impossible_settings_are_refused(tmp_path, settings, message):
    (tmp_path / "mine.json").write_text(json.dumps({"architecture": "linknet"} | settings))
    with pytest.raises(ConfigError, match=re.escape(message)):
        presets.load(tmp_path / "mine.json")


def test_a_missing_setting_is_named(tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    with pytest.raises(ConfigError, match="the setting 'architecture' is missing"):
        presets.load(tmp_path / "mine.json")


def test_a_misspelt_preset_gets_the_nearest_name():
    message = "'strip-linnet' is neither a preset nor a readable file. Did you mean 'strip-linknet'"
    with pytest.raises(ConfigError, match=re.escape(message)):
        presets.load("strip-linnet")


@pytest.mark.parametrize(
    ("text", "message"), [("{", "is not JSON"), ("[1]", "expected a JSON object")]
)
def test_a_file_that_holds_no_settings_is_refused(tmp_path, text, message):
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(ConfigError, match=message):
        presets.load(tmp_path / "mine.json")


@pytest.mark.parametrize("part", [5, None, ["strip-gate"]])
def test_a_part_that_holds_no_settings_is_refused(tmp_path, part):
    (tmp_path / "mine.json").write_text(json.dumps({"gate": part, "segmenter": "strip-linknet"}))
    with pytest.raises(ConfigError, match="gate must be the name of a preset or an object"):
        presets.load(tmp_path / "mine.json")


def test_a_file_with_a_mark_of_its_encoding_is_read(tmp_path):
    (tmp_path / "mine.json").write_text('{"architecture": "unet"}', encoding="utf-8-sig")
    assert presets.load(tmp_path / "mine.json").architecture == "unet"


def test_a_file_that_nests_too_deeply_is_refused(tmp_path):
    (tmp_path / "mine.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="is not JSON"):
        presets.load(tmp_path / "mine.json")


def test_a_cascade_of_two_gates_is_refused(tmp_path):
    (tmp_path / "mine.json").write_text('{"gate": "strip-gate", "segmenter": "strip-gate"}')
    with pytest.raises(ConfigError, match="expected a classifier as gate and a U-Net or LinkNet"):
        presets.load(tmp_path / "mine.json")


def test_every_setting_has_a_description():
    assert all(field.description for field in TrainConfig.model_fields.values())
