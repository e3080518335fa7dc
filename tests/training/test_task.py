"""What one training step changes, and what it leaves alone."""

import json

import numpy as np
import pytest
import torch
from lightning import seed_everything
from torch import optim

from steel_defect_detection import checkpoints, images
from steel_defect_detection.datasets import severstal
from steel_defect_detection.errors import TrainingError
from steel_defect_detection.models import weights
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.training import presets, task
from steel_defect_detection.training.config import CascadeConfig, TrainConfig
from steel_defect_detection.training.run import train
from tests.training.small_runs import GATE, SEGMENTER, rows

TWO_HEADS = TrainConfig(
    architecture="linknet",
    encoder="mobilenet_v2",
    gate_head=True,
    crop_size=(64, 64),
    epochs=2,
    workers=0,
    precision="float32",
    pictures=False,
)
CLASSIFIER = TrainConfig(
    architecture="classifier",
    encoder="shufflenet_v2",
    size=(32, 32),
    epochs=2,
    workers=0,
    precision="float32",
    pictures=False,
    scheduler="constant",
)


@pytest.fixture
def classes(tmp_path):
    """Eight bright and eight dark pictures, one folder each."""
    random = np.random.default_rng(0)
    for name, level in (("good", 40), ("scratched", 200)):
        for number in range(8):
            picture = random.integers(level - 20, level + 20, (40, 50, 1), dtype=np.uint8)
            images.write(tmp_path / "data" / name / f"{number}.png", picture)
    return tmp_path / "data"


def stem_of(folder, name: str) -> np.ndarray:
    tensors = checkpoints.load(folder).tensors
    return tensors[name]


def test_two_heads_are_trained_and_judge_together(tiny_severstal, tmp_path):
    train(TWO_HEADS, tiny_severstal, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert {"validation_dice_kaggle", "validation_auroc"} <= set(metrics)
    predictor = load_predictor(tmp_path, runtime="pytorch")
    prediction = predictor.predict(tiny_severstal / "train_images/sheet-1.png")
    assert prediction.label_map.shape == (64, 96)
    assert 0 <= prediction.gate_probability <= 1


@pytest.mark.parametrize(
    ("part", "moves"), [("gate", {"encoder", "classification_head"}), ("decoder", {"decoder"})]
)
def test_only_the_part_that_is_trained_moves(tiny_severstal, tmp_path, part, moves):
    config = TWO_HEADS.model_copy(update={"train_part": part, "epochs": 1, "keep": "last"})
    train(config, tiny_severstal, tmp_path)
    after = checkpoints.load(tmp_path).tensors
    seed_everything(config.seed, verbose=False)
    job = task.build(config, config.graph(checkpoints.load(tmp_path).header.classes))
    before = weights.arrays(job.graph)
    changed = {
        name.split(".")[0] for name in before if not np.array_equal(before[name], after[name])
    }
    assert moves <= changed <= moves | {"segmentation_head"}


def test_a_frozen_encoder_stays_frozen_where_only_the_gate_is_trained():
    config = TWO_HEADS.model_copy(update={"train_part": "gate", "freeze_encoder": True})
    job = task.build(config, config.graph(("a", "b")))
    learning = {
        name.split(".")[0]
        for name, weight in job.graph.network.network.named_parameters()
        if weight.requires_grad
    }
    assert learning == {"classification_head"}


@pytest.mark.thorough
def test_classes_that_exclude_each_other_are_learned_as_such(classes, tmp_path):
    settings = {"encoder": "resnet18", "epochs": 8, "learning_rate": 3e-3}
    config = CLASSIFIER.model_copy(update=settings)
    train(config, classes, tmp_path / "run")
    header = checkpoints.load(tmp_path / "run").header
    assert header.graphs["classifier"].network.exclusive
    assert header.background == "good"
    predictor = load_predictor(tmp_path / "run", runtime="pytorch")
    good, bad = (predictor.predict(classes / name / "0.png") for name in header.classes)
    assert np.isclose(good.scores.sum(), 1, atol=1e-5)
    assert (good.verdict, bad.verdict) == ("clean", "defect")
    assert bad.class_name == "scratched"
    assert bad.gate_probability == pytest.approx(1 - bad.scores[0], abs=1e-6)


def test_a_frozen_encoder_stays_as_it_was_with_its_statistics(classes, tmp_path):
    train(CLASSIFIER.model_copy(update={"epochs": 1}), classes, tmp_path / "first")
    frozen = CLASSIFIER.model_copy(
        update={"freeze_encoder": True, "init": str(tmp_path / "first"), "head_width": 8}
    )
    train(frozen, classes, tmp_path / "second")
    for name in ("conv1.0.weight", "conv5.1.running_mean", "conv5.1.weight"):
        assert np.array_equal(stem_of(tmp_path / "first", name), stem_of(tmp_path / "second", name))


def test_every_weight_that_learns_is_in_the_optimiser_and_moves(classes, tmp_path):
    config = CLASSIFIER.model_copy(update={"head_width": 8, "stem": "small", "epochs": 1})
    job = task.build(config, config.graph(("a", "b"), exclusive=True))
    before = weights.arrays(job.graph)
    optimizer = (
        job.configure_optimizers()["optimizer"]
        if config.scheduler != "constant"
        else (job.configure_optimizers())
    )
    held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    assert held == {id(weight) for weight in job.graph.parameters()}
    picture = torch.randint(0, 256, (4, 32, 32, 1), dtype=torch.uint8)
    job.loss(job.answer(picture), torch.eye(2)[[0, 1, 0, 1]]).backward()
    optimizer.step()
    after = weights.arrays(job.graph)
    names = [name for name, weight in job.graph.network.network.named_parameters()]
    assert all(not np.array_equal(before[name], after[name]) for name in names)


# The last layers of an EfficientNet, which no image passes below a decoder.
IDLE = (".encoder._conv_head.", ".encoder._bn1.")


def networks_of_presets() -> list:
    """Each network that a preset trains, once."""
    found = {}
    for name in presets.names():
        config = presets.load(name)
        stages = [config.gate, config.segmenter] if isinstance(config, CascadeConfig) else [config]
        for stage in stages:
            classes = tuple("abcde"[: len(stage.class_weights) or 4])
            description = stage.graph(classes, exclusive=stage.kind == "classifier")
            key = (description.network, stage.train_part, stage.freeze_encoder, stage.optimizer)
            found.setdefault(key, pytest.param(stage, description, id=f"{name} {stage.kind}"))
    return list(found.values())


@pytest.mark.parametrize(("config", "description"), networks_of_presets())
def test_one_step_changes_all_that_a_preset_trains_and_nothing_else(config, description):
    # The prints system's optimiser did not know the new head.
    torch.manual_seed(0)
    small = description.preprocessing.model_copy(update={"size": (64, 64)})
    config = config.model_copy(update={"scheduler": "constant"})
    job = task.build(config, description.model_copy(update={"preprocessing": small})).train()
    job.on_train_epoch_start()
    optimizer = job.configure_optimizers()
    before = {name: weight.detach().clone() for name, weight in job.graph.named_parameters()}
    targets = torch.eye(len(description.network.classes))
    if config.kind != "classifier":
        targets = targets[..., None, None].repeat(1, 1, 64, 64)
    pictures = torch.randint(0, 256, (len(targets), 64, 64, 3)).byte()
    job.loss(job.answer(pictures), targets).backward()
    optimizer.step()
    held = {id(weight) for part in job.frozen() for weight in part.parameters()}
    after = dict(job.graph.named_parameters())
    still = {name for name, weight in after.items() if torch.equal(weight, before[name])}
    assert still == {
        name
        for name, weight in after.items()
        if id(weight) in held or any(idle in name for idle in IDLE)
    }
    assert len(still) < len(after)
    # Several processes that train together wait for all that is not frozen.
    assert still == {name for name, weight in after.items() if not weight.requires_grad}


def test_every_weight_of_the_network_is_trained(data):
    # The prints system built its optimiser before the new head, which then never learned.
    dataset = severstal.read(data)
    job = task.build(GATE, GATE.graph(dataset.classes))
    optimizer = job.configure_optimizers()["optimizer"]
    known = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    assert known == {id(weight) for weight in job.parameters()}


@pytest.mark.parametrize(
    "config", [SEGMENTER, GATE, SEGMENTER.model_copy(update={"gate_head": True})]
)
def test_every_measure_that_is_offered_is_measured(data, tmp_path, config):
    train(config.model_copy(update={"epochs": 1, "encoder": "mobilenet_v2"}), data, tmp_path)
    (row,) = rows(tmp_path / "epochs.csv")
    description = config.graph(("defect_1",))
    assert set(task.measured(description)) < set(row)


def test_a_loss_that_is_not_finite_says_what_to_try(data, tmp_path):
    config = SEGMENTER.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(TrainingError, match=r"the loss became .* Try a smaller --learning-rate"):
        train(config, data, tmp_path / "run")


@pytest.mark.parametrize(
    ("scheduler", "rates"),
    [
        ({"scheduler": "steps", "step_epochs": (1, 2)}, [1e-4, 1e-5, 1e-5]),
        ({"scheduler": "constant"}, [1e-3, 1e-3, 1e-3]),
        # Half of one and the cosine of 60, 120 and 180 degrees.
        ({"scheduler": "cosine"}, [7.5e-4, 2.5e-4, 0]),
    ],
)
def test_rates_fall_as_the_settings_say(tiny_severstal, tmp_path, scheduler, rates):
    train(CLASSIFIER.model_copy(update=scheduler | {"epochs": 3}), tiny_severstal, tmp_path)
    found = [float(row["learning_rate"]) for row in rows(tmp_path / "epochs.csv")]
    assert found == pytest.approx(rates)


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", optim.Adam), ("adamw", optim.AdamW), ("sgd", optim.SGD)]
)
def test_the_optimiser_is_the_one_that_was_asked_for(name, kind):
    # The welds system was given one optimiser and built another.
    asked = {"optimizer": name, "learning_rate": 0.02, "weight_decay": 0.003, "momentum": 0.7}
    config = CLASSIFIER.model_copy(update=asked)
    optimizer = task.build(config, config.graph(("a", "b"))).configure_optimizers()
    assert type(optimizer) is kind
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.02, 0.003)
    assert group.get("momentum", 0.7) == 0.7


def test_one_cycle_ends_far_below_its_peak(tiny_severstal, tmp_path):
    cycle = SEGMENTER.model_copy(update={"scheduler": "one-cycle", "batch_size": 2})
    train(cycle, tiny_severstal, tmp_path)
    rates = [float(row["learning_rate"]) for row in rows(tmp_path / "epochs.csv")]
    assert rates[-1] < 0.1 * max(rates)
