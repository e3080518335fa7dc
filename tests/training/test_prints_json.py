import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training import prints_json
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.prints_settings import PrintsSettings

# The prints system's published defaults, and what its experiments change.
DEFAULT = {
    "model": "mobilenet_v2(weights = MobileNet_V2_Weights.DEFAULT)",
    "criterion": "nn.CrossEntropyLoss()",
    "optimizer": 'optim.SGD(hyp_dict["model"].parameters(), lr = 0.01, momentum = 0.9, '
    "weight_decay = 0.001)",
    "scheduler": 'lr_scheduler.MultiStepLR(hyp_dict["optimizer"], milestones = [30,35], '
    "gamma = 0.1)",
    "dataset": "NTZFilterDataset",
    "epochs": "40",
    "batch_size": "32",
    "augmentation": "rand_augment",
    "PFM_flag": '{"Terminal": False, "Tensorboard": True}',
    "RBF_flag": "False",
    "gp_const": "None",
    "early_limit": "10",
    "replacement_limit": "0",
}
FIRST = {
    "dataset": "NTZFilterSyntheticDataset",
    "epochs": "20",
    "batch_size": "64",
    "early_limit": "0",
}
FOURTH = {
    "model": "mobilenet_v2()",
    "criterion": "nn.BCELoss()",
    "optimizer": 'optim.SGD(hyp_dict["model"].parameters(), lr = 0.05, momentum = 0.9, '
    "weight_decay = 5e-4)",
    "scheduler": 'lr_scheduler.MultiStepLR(hyp_dict["optimizer"], milestones = [25,50,75], '
    "gamma = 0.2)",
    "dataset": "CIFAR10Dataset",
    "epochs": "100",
    "batch_size": "128",
    "augmentation": "simple",
    "RBF_flag": "True",
    "gp_const": "0.1",
}
FIFTH = FOURTH | {
    "dataset": "NTZFilterSyntheticDataset",
    "batch_size": "16",
    "augmentation": "rand_augment",
}


def test_the_default_file_says_what_the_prints_system_does():
    settings = prints_json.parse_text(json.dumps(DEFAULT)).model_dump()
    assert settings == {
        "model": {"name": "mobilenet_v2", "pretrained": True},
        "loss": "cross_entropy",
        "optimizer": {
            "name": "sgd",
            "learning_rate": 0.01,
            "momentum": 0.9,
            "weight_decay": 0.001,
        },
        "scheduler": {"name": "steps", "step_epochs": (30, 35), "step_factor": 0.1},
        "dataset": "prints",
        "epochs": 40,
        "batch_size": 32,
        "policy": "rand_augment",
        "duq": False,
        "gradient_penalty": None,
        "early_stopping": 10,
        "replacement": 0,
    }


def test_the_default_file_is_built_in():
    assert prints_json.parse(DEFAULT) == PrintsSettings() == prints_json.parse_text("{}")


def test_the_first_experiment_changes_what_it_names():
    settings = prints_json.parse(FIRST)
    changed = {"dataset": "synthetic_prints", "epochs": 20, "batch_size": 64, "early_stopping": 0}
    assert settings == PrintsSettings(**changed)


@pytest.mark.parametrize("experiment", [2, 3])
def test_the_second_and_third_experiment_take_longer(experiment):
    assert prints_json.parse(FIRST | {"epochs": "40"}).epochs == 40


def test_the_fourth_experiment_measures_distances_to_centroids():
    settings = prints_json.parse(FOURTH)
    assert (settings.duq, settings.gradient_penalty, settings.loss) == (
        True,
        0.1,
        "binary_cross_entropy",
    )
    assert settings.model.model_dump() == {"name": "mobilenet_v2", "pretrained": False}
    assert settings.scheduler.step_epochs == (25, 50, 75)
    assert (settings.optimizer.learning_rate, settings.optimizer.weight_decay) == (0.05, 5e-4)
    assert (settings.dataset, settings.policy) == ("cifar10", "flips")


def test_the_fifth_experiment_does_so_on_drawn_prints():
    settings = prints_json.parse(FIFTH)
    assert (settings.dataset, settings.batch_size) == ("synthetic_prints", 16)
    assert settings.policy == "rand_augment"


@pytest.mark.parametrize(
    ("value", "name", "pretrained"),
    [
        ("resnet18(weights = ResNet18_Weights.DEFAULT)", "resnet18", True),
        ("models.resnet18(weights=models.ResNet18_Weights.IMAGENET1K_V1)", "resnet18", True),
        ("efficientnet_b1(weights = EfficientNet_B1_Weights.DEFAULT)", "efficientnet-b1", True),
        ("torchvision.models.shufflenet_v2_x1_0(weights = 'DEFAULT')", "shufflenet_v2", True),
        ("shufflenet_v2_x1_0(weights = None)", "shufflenet_v2", False),
    ],
)
def test_the_four_networks_are_known_by_their_names_here(value, name, pretrained):
    model = prints_json.parse({"model": value}).model
    assert (model.name, model.pretrained) == (name, pretrained)
    TrainConfig(architecture="classifier", encoder=model.name)


def test_every_augmentation_is_a_policy_of_a_training_run():
    words = ("rand_augment", "auto_augment", "random_choice", "categorical", "simple", "no_augment")
    found = [prints_json.parse({"augmentation": word}).policy for word in words]
    assert found == ["rand_augment", "auto_augment", "random_choice", "phases", "flips", "none"]
    for policy in found:
        TrainConfig(architecture="classifier", policy=policy)


def test_what_a_call_leaves_out_is_what_torch_takes():
    torch = pytest.importorskip("torch")
    weights = [torch.nn.Parameter(torch.zeros(1))]
    for name in ("SGD", "Adam", "AdamW"):
        theirs = getattr(torch.optim, name)(weights).defaults
        ours = prints_json.parse({"optimizer": f'{name}(hyp_dict["model"].parameters())'}).optimizer
        assert ours.learning_rate == theirs["lr"]
        assert ours.weight_decay == theirs["weight_decay"]
        assert ours.momentum == theirs.get("momentum", 0)


def test_a_rate_that_falls_every_few_epochs_and_one_that_never_falls():
    every = prints_json.parse({"scheduler": 'StepLR(hyp_dict["optimizer"], 30, gamma = 0.5)'})
    assert every.scheduler.model_dump() == {
        "name": "every",
        "step_epochs": (30,),
        "step_factor": 0.5,
    }
    assert prints_json.parse({"scheduler": "None"}).scheduler.name == "constant"


def test_the_manuals_spellings_are_read():
    settings = prints_json.parse({"early_imit": "7", "Dataset": "CIFAR10"})
    assert (settings.early_stopping, settings.dataset) == (7, "cifar10")
    with pytest.raises(ConfigError, match="contradicts another spelling"):
        prints_json.parse({"early_imit": "7", "early_limit": "8"})


def test_plain_json_values_do_as_well_as_strings():
    values = {"epochs": 5, "RBF_flag": True, "gp_const": None, "early_limit": 3}
    settings = prints_json.parse_text(json.dumps(values))
    assert (settings.epochs, settings.duq, settings.early_stopping) == (5, True, 3)


@pytest.mark.parametrize("shown", ['{"Terminal": True, "Tensorboard": False}', {"Terminal": True}])
def test_where_measures_are_shown_is_accepted_and_changes_nothing(shown):
    # Here they always go to the terminal and to TensorBoard.
    assert prints_json.parse({"PFM_flag": shown}) == PrintsSettings()
    with pytest.raises(ConfigError, match=r"PFM_flag .* is neither True nor False"):
        prints_json.parse({"PFM_flag": '{"Terminal": 1}'})


def test_an_experiment_file_lies_over_a_default_file(tmp_path):
    (tmp_path / "DEFAULT.json").write_text(json.dumps(DEFAULT | {"batch_size": "8"}))
    (tmp_path / "experiment_1.json").write_text(json.dumps({"epochs": "3"}))
    settings = prints_json.read(
        tmp_path / "experiment_1.json", prints_json.read(tmp_path / "DEFAULT.json")
    )
    assert (settings.epochs, settings.batch_size) == (3, 8)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.json cannot be read"):
        prints_json.read(tmp_path / "missing.json")
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"bad\.json cannot be read"):
        prints_json.read(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_text('{"epochs": "many"}')
    with pytest.raises(ConfigError, match=r"bad\.json: epochs 'many' holds something else"):
        prints_json.read(tmp_path / "bad.json")


@pytest.mark.parametrize("key", sorted(DEFAULT))
@pytest.mark.parametrize(
    "value",
    [
        "__import__('os').system('touch hacked')",
        "open('hacked', 'w').write('x')",
        "(lambda: open('hacked', 'w'))()",
        "[open('hacked', 'w') for _ in range(3)]",
        "exec(\"open('hacked', 'w')\")",
        "print.__self__.open('hacked', 'w')",
        "f\"{open('hacked', 'w')}\"",
        "nn.CrossEntropyLoss(weight = open('hacked', 'w'))",
        "optim.SGD(hyp_dict[open('hacked', 'w')].parameters(), lr = 0.1)",
        "optim.SGD(*[1], **{'lr': 1})",
        "mobilenet_v2(weights = open('hacked', 'w'))",
        "mobilenet_v2(weights := 1)",
        "nn.resnet18()",
        "x = 1",
        "import os",
        "1 if True else 2",
        "1 + 1",
        "2 ** 2 ** 64",
        "9" * 5000,
        "9" * 900,
        "1e999",
        "-1",
        "(" * 400 + ")" * 400,
        "[" * 90 + "]" * 90,
        "-" * 900 + "1",
        "a" + ".a" * 450,
        "f(" * 60 + ")" * 60,
        "\0",
        "\ud800",
        "'\\d'",
        "1if 1else 2",
        "",
        "   ",
        "b'40'",
        "40j",
        "...",
        "'40'",
        "{'Terminal': True, 'Terminal': False}",
        "{**{}}",
    ],
)
def test_hostile_and_foreign_values_are_refused_and_nothing_is_run(
    key, value, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"Nothing of it was run|should be"):
        prints_json.parse({key: value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [[], {}, 1.5, 10**400, float("nan"), float("inf"), "True", [[]]])
@pytest.mark.parametrize("key", sorted(set(DEFAULT) - {"PFM_flag", "RBF_flag", "gp_const"}))
def test_values_of_another_kind_are_refused(key, value):
    with pytest.raises(ConfigError):
        prints_json.parse({key: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, True, 10**400, "0.1j", [0.1]])
def test_an_impossible_gradient_penalty_is_refused(value):
    with pytest.raises(ConfigError, match=r"gp_const|gradient_penalty"):
        prints_json.parse({"gp_const": value})


def test_errors_name_the_value_and_what_is_allowed():
    with pytest.raises(
        ConfigError,
        match=r"criterion 'nn\.L1Loss\(\)' calls nn\.L1Loss, expected a call of "
        r"CrossEntropyLoss or BCELoss\. Nothing of it was run",
    ):
        prints_json.parse({"criterion": "nn.L1Loss()"})
    with pytest.raises(ConfigError, match=r"unknown setting 'epoch'\. Settings: model, criterion"):
        prints_json.parse({"epoch": "3"})
    with pytest.raises(ConfigError, match="dataset 'Cats' is none of NTZFilterDataset"):
        prints_json.parse({"dataset": "Cats"})
    with pytest.raises(ConfigError, match=r"epochs should be greater than or equal to 1, got 0"):
        prints_json.parse({"epochs": "0"})


@pytest.mark.parametrize(
    "value",
    [
        'optim.SGD(hyp_dict["model"].classifier.parameters(), lr = 0.1)',
        'optim.SGD(hyp_dict["other"].parameters(), lr = 0.1)',
        "optim.SGD(lr = 0.1)",
        'optim.SGD(hyp_dict["model"].parameters(), lr = 0)',
        'optim.SGD(hyp_dict["model"].parameters(), lr = True)',
        'optim.SGD(hyp_dict["model"].parameters(), 0.1, lr = 0.1)',
        'optim.SGD(hyp_dict["model"].parameters(), lr = 0.1, lr = 0.2)',
        'optim.SGD(hyp_dict["model"].parameters(), nesterov = True)',
        'optim.Adam(hyp_dict["model"].parameters(), momentum = 0.9)',
        'optim.SGD(hyp_dict["model"].parameters(), momentum = 1.5)',
    ],
)
def test_optimizers_that_mean_something_else_are_refused(value):
    with pytest.raises(ConfigError):
        prints_json.parse({"optimizer": value})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"epochs": "1", "epochs": "2"}',
        "[" * 100_000,
        '{"epochs": ' + "9" * 5000 + "}",
    ],
)
def test_texts_that_hold_no_settings_are_refused(text):
    with pytest.raises(ConfigError):
        prints_json.parse_text(text)


PIECES = st.sampled_from(
    [
        *"()[]{}.,:=*-+\"'\\ \n0123456789",
        *("optim.SGD", "hyp_dict", '"model"', "parameters()", "lr", "nn.", "lambda", "__import__"),
        *("None", "True", "milestones", "e9", "for", "in", "if", "weights", "mobilenet_v2"),
    ]
)


@given(st.sampled_from(sorted(DEFAULT)), st.text() | st.lists(PIECES).map("".join))
def test_any_value_is_a_setting_or_a_config_error(key, value):
    try:
        settings = prints_json.parse({key: value})
    except ConfigError:
        return
    assert isinstance(settings, PrintsSettings)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.text() | st.dictionaries(st.sampled_from(sorted(DEFAULT)), JSON).map(json.dumps))
def test_any_text_is_settings_or_a_config_error(text):
    try:
        settings = prints_json.parse_text(text)
    except ConfigError:
        return
    assert isinstance(settings, PrintsSettings)


def test_numbers_under_shared_names_are_settings_of_this_package():
    assert prints_json.recognises({"epochs": "3", "batch_size": "4"})
    assert not prints_json.recognises({"epochs": 3, "batch_size": 4})
