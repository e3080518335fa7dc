import json
import re
from pathlib import Path

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
        ({"crop_size": [0, 5]}, "crop_size must be 1 to 16384 pixels, got (0, 5)"),
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


def test_one_run_of_a_cascade_is_changed_and_keeps_the_rest(tmp_path):
    (tmp_path / "mine.json").write_text('{"preset": "strip", "segmenter": {"epochs": 3}}')
    mine, known = presets.load(tmp_path / "mine.json"), presets.load("strip")
    assert mine.gate == known.gate
    assert mine.segmenter == known.segmenter.model_copy(update={"epochs": 3})
    (tmp_path / "mine.json").write_text(
        '{"preset": "strip", "epochs": 2, "segmenter": {"epochs": 3}}'
    )
    mine = presets.load(tmp_path / "mine.json")
    assert (mine.gate.epochs, mine.segmenter.epochs) == (2, 3)
    assert presets.load(tmp_path / "mine.json", epochs=5).segmenter.epochs == 5
    (tmp_path / "mine.json").write_text(
        '{"gate": "strip-gate", "segmenter": {"preset": "strip-unet", "epochs": 3}, "seed": 7}'
    )
    mine, known = presets.load(tmp_path / "mine.json"), presets.load("strip-unet")
    assert mine.segmenter == known.model_copy(update={"epochs": 3, "seed": 7})
    assert mine.gate == presets.load("strip-gate", seed=7)
    (tmp_path / "mine.json").write_text('{"preset": "strip", "segmenter": "strip-unet"}')
    mine = presets.load(tmp_path / "mine.json")
    assert mine.segmenter == presets.load("strip-unet")


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


PRINTS = {
    "model": "resnet18(weights = ResNet18_Weights.DEFAULT)",
    "criterion": "nn.CrossEntropyLoss()",
    "optimizer": 'optim.SGD(hyp_dict["model"].parameters(), lr = 0.05, momentum = 0.8, '
    "weight_decay = 0.002)",
    "scheduler": 'lr_scheduler.StepLR(hyp_dict["optimizer"], step_size = 3, gamma = 0.5)',
    "epochs": "10",
    "batch_size": "64",
    "augmentation": "categorical",
    "early_limit": "4",
    "replacement_limit": "2",
}


def experiment(folder, **changes):
    (folder / "experiment.json").write_text(json.dumps(PRINTS | changes))
    return folder / "experiment.json"


def test_an_experiment_of_the_prints_system_is_read(tmp_path):
    config = presets.load(experiment(tmp_path))
    assert isinstance(config, TrainConfig)
    assert (config.architecture, config.encoder, config.init) == (
        "classifier",
        "resnet18",
        "imagenet",
    )
    assert (config.optimizer, config.learning_rate) == ("sgd", 0.05)
    assert (config.momentum, config.weight_decay) == (0.8, 0.002)
    assert (config.scheduler, config.step_epochs, config.step_factor) == ("steps", (3, 6, 9), 0.5)
    assert (config.epochs, config.batch_size, config.policy) == (10, 64, "phases")
    assert (config.early_stopping, config.replacement) == (4, 2)
    assert not config.flips


def test_the_published_defaults_of_the_prints_system_are_its_preset(tmp_path):
    (tmp_path / "experiment.json").write_text('{"augmentation": "rand_augment"}')
    read = presets.load(tmp_path / "experiment.json", description="")
    assert read == presets.load("prints-mobilenet-v2", description="")


def test_an_experiment_lies_over_the_default_file_beside_it(tmp_path):
    (tmp_path / "DEFAULT.json").write_text(json.dumps(PRINTS))
    (tmp_path / "mine.json").write_text('{"epochs": "7", "batch_size": "5"}')
    config = presets.load(tmp_path / "mine.json", workers=0)
    assert (config.epochs, config.batch_size, config.encoder) == (7, 5, "resnet18")
    assert config.workers == 0


def test_each_file_of_an_experiment_is_read_once(tmp_path, monkeypatch):
    (tmp_path / "DEFAULT.json").write_text(json.dumps(PRINTS))
    (tmp_path / "mine.json").write_text('{"epochs": "7", "batch_size": "5"}')
    opened = []
    read_text = Path.read_text

    def read(path, **how):
        opened.append(path.name)
        return read_text(path, **how)

    monkeypatch.setattr(Path, "read_text", read)
    presets.load(tmp_path / "mine.json")
    assert sorted(name for name in opened if name in {"mine.json", "DEFAULT.json"}) == [
        "DEFAULT.json",
        "mine.json",
    ]
    opened.clear()
    presets.load(tmp_path / "DEFAULT.json")
    assert opened.count("DEFAULT.json") == 1


def test_a_small_image_experiment_gets_the_small_stem(tmp_path):
    config = presets.load(experiment(tmp_path, dataset="CIFAR10Dataset", augmentation="simple"))
    assert (config.stem, config.size, config.flips) == ("small", (32, 32), True)


def test_a_distance_head_with_another_loss_is_refused_with_the_file(tmp_path):
    with pytest.raises(ConfigError, match=r"experiment.json: RBF_flag asks for a distance head"):
        presets.load(experiment(tmp_path, RBF_flag="True"))


# What the prints system's fifth experiment changes of its defaults.
FIFTH = {
    "model": "mobilenet_v2()",
    "criterion": "nn.BCELoss()",
    "optimizer": 'optim.SGD(hyp_dict["model"].parameters(), lr = 0.05, momentum = 0.9, '
    "weight_decay = 5e-4)",
    "scheduler": 'lr_scheduler.MultiStepLR(hyp_dict["optimizer"], milestones = [25,50,75], '
    "gamma = 0.2)",
    "dataset": "NTZFilterSyntheticDataset",
    "epochs": "100",
    "batch_size": "16",
    "augmentation": "rand_augment",
    "RBF_flag": "True",
    "gp_const": "0.1",
}


@pytest.mark.parametrize(
    ("model", "rate", "preset"),
    [
        ("mobilenet_v2()", "0.05", "prints-duq-mobilenet-v2"),
        ("shufflenet_v2_x1_0()", "0.05", "prints-duq-shufflenet-v2"),
        ("resnet18()", "0.01", "prints-duq-resnet18"),
        ("efficientnet_b1()", "0.01", "prints-duq-efficientnet-b1"),
    ],
)
def test_the_fifth_experiment_of_the_prints_system_is_a_preset(tmp_path, model, rate, preset):
    optimizer = FIFTH["optimizer"].replace("0.05", rate)
    file = tmp_path / "experiment_5.json"
    file.write_text(json.dumps(FIFTH | {"model": model, "optimizer": optimizer}))
    assert presets.load(file, description="") == presets.load(preset, description="")


def test_code_in_an_experiment_is_refused_and_not_run(tmp_path):
    canary = tmp_path / "was-run"
    code = f"__import__('pathlib').Path({str(canary)!r}).touch()"
    with pytest.raises(ConfigError, match="Nothing of it was run"):
        presets.load(experiment(tmp_path, model=code))
    assert not canary.exists()


def test_what_a_file_says_beside_both_runs_of_a_cascade_is_meant_for_both(tmp_path):
    (tmp_path / "mine.json").write_text('{"preset": "strip", "encoder": "resnet18", "epochs": 3}')
    config = presets.load(tmp_path / "mine.json", epochs=2)
    assert isinstance(config, CascadeConfig)
    assert (config.gate.encoder, config.segmenter.encoder) == ("resnet18", "resnet18")
    assert (config.gate.epochs, config.segmenter.epochs) == (2, 2)


def test_a_name_that_occurs_twice_is_refused(tmp_path):
    (tmp_path / "mine.json").write_text('{"preset": "strip-unet", "epochs": 3, "epochs": 4}')
    with pytest.raises(ConfigError, match="the name 'epochs' occurs twice"):
        presets.load(tmp_path / "mine.json")


@pytest.mark.parametrize("weights", ["none", None, []])
def test_no_class_weights_may_be_said_in_any_way(tmp_path, weights):
    file = {"preset": "strip-unet", "class_weights": weights}
    (tmp_path / "mine.json").write_text(json.dumps(file))
    assert presets.load(tmp_path / "mine.json").class_weights == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": [64]}, "size must be a height and a width"),
        ({"size": [64, 64, 64]}, "size must be a height and a width"),
        ({"size": [64, 100_000]}, "size must be 1 to 16384 pixels"),
        ({"seed": 2**32}, "seed should be less than 4294967296"),
        ({"validation_share": 0}, "set keep to 'last'"),
        ({"validation_share": 0, "keep": "last"}, "set the scheduler to 'cosine'"),
        ({"scheduler": "steps", "step_epochs": [3, 2]}, "step_epochs must be positive and rise"),
        ({"label_smoothing": 0.1, "labels": "independent"}, "label_smoothing is for classes that"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, settings, message):
    (tmp_path / "mine.json").write_text(json.dumps({"architecture": "classifier"} | settings))
    with pytest.raises(ConfigError, match=re.escape(message)):
        presets.load(tmp_path / "mine.json")


def test_settings_are_read_as_a_file_of_them_would_be(tmp_path):
    settings = {"preset": "strip-unet", "epochs": 3}
    (tmp_path / "mine.json").write_text(json.dumps(settings))
    assert presets.of_settings(settings) == presets.load(tmp_path / "mine.json")
    assert settings == {"preset": "strip-unet", "epochs": 3}


def test_settings_beside_a_cascade_change_both_of_its_runs():
    found = presets.of_settings({"preset": "strip", "epochs": 3})
    assert found == presets.load("strip", epochs=3)
    again = presets.of_settings({"gate": "strip-gate", "segmenter": "strip-linknet", "epochs": 3})
    assert (again.gate, again.segmenter) == (found.gate, found.segmenter)


def test_what_stands_wrongly_in_a_cascade_is_guessed_from_the_settings_of_a_run():
    with pytest.raises(ConfigError, match=r"unknown setting 'epoch'. Did you mean 'epochs'"):
        presets.of_settings({"gate": "strip-gate", "segmenter": "strip-linknet", "epoch": 3})
