"""How a head that measures distances is trained."""

import numpy as np
import pytest
import torch
from lightning import seed_everything

from steel_defect_detection import checkpoints, images
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import ClassifierConfig, GraphConfig, Preprocessing
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.training import duq, task
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train
from tests.training.small_runs import learned, rows, train_two_epochs

GRAPH = GraphConfig(
    network=ClassifierConfig(
        classes=("a", "b", "c"),
        encoder="resnet18",
        exclusive=True,
        head="duq",
        embedding_size=8,
        length_scale=0.5,
        dropout=0.5,
    ),
    preprocessing=Preprocessing(size=(32, 32)),
)
CONFIG = TrainConfig(
    architecture="classifier",
    encoder="shufflenet_v2",
    head="duq",
    embedding_size=8,
    size=(32, 32),
    epochs=2,
    batch_size=4,
    validation_share=0.25,
    workers=0,
    pictures=False,
    scheduler="constant",
    keep="last",
)


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Eight bright and eight dark pictures, one folder each."""
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("classes")
    for name, level in (("good", 40), ("scratched", 200)):
        for number in range(8):
            picture = random.integers(level - 20, level + 20, (40, 50, 1), dtype=np.uint8)
            images.write(folder / name / f"{number}.png", picture)
    return folder


def pictures(count: int = 3) -> torch.Tensor:
    """Pictures of large squares, as different as they can be."""
    random = torch.Generator().manual_seed(0)
    squares = torch.randint(0, 256, (count, 4, 4, 1), generator=random).byte()
    return squares.repeat_interleave(10, dim=1).repeat_interleave(10, dim=2)


def built() -> graphs.Graph:
    """A network with random weights and the statistics of some images."""
    torch.manual_seed(0)
    graph = graphs.build(GRAPH).train()
    with torch.no_grad():
        for _ in range(20):
            graph.logits(pictures(16))
    return graph


def statistics(graph: graphs.Graph) -> dict[str, torch.Tensor]:
    """All that a network keeps beside what it learns, but for the head."""
    kept = {"running_mean", "running_var", "num_batches_tracked"}
    state = graph.state_dict()
    return {name: state[name].clone() for name in state if name.rpartition(".")[2] in kept}


def test_centroids_come_to_lie_where_evaluation_finds_the_images():
    # With dropout, or the statistics of the batch, training mode would find them elsewhere.
    graph = built()
    duq.remember(graph, pictures(), torch.eye(3), momentum=0.0)
    with torch.inference_mode():
        probabilities, _ = graph.eval()(pictures())
    assert probabilities.diagonal().tolist() == pytest.approx([1] * 3, abs=1e-4)
    assert probabilities.min() < 0.99


def test_moving_the_centroids_leaves_statistics_modes_and_gradients_alone():
    graph = built()
    frozen = graph.network.encoder_parts()[0].eval()
    modes = {name: layer.training for name, layer in graph.named_modules()}
    before = statistics(graph)
    duq.remember(graph, pictures(), torch.eye(3), momentum=0.5)
    after = statistics(graph)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert {name: layer.training for name, layer in graph.named_modules()} == modes
    assert graph.training
    assert not frozen.training
    assert all(weight.grad is None for weight in graph.parameters())


def test_modes_come_back_after_a_failure_too():
    graph = built()
    with pytest.raises(RuntimeError):
        duq.remember(graph, pictures()[..., :0], torch.eye(3), momentum=0.5)
    assert graph.training
    assert not duq.head_of(graph)._forward_pre_hooks


def test_the_penalty_is_that_of_the_steepest_way():
    # Along the gradient itself, the sum of the kernels rises by the gradient's length.
    graph = built().eval()
    logits, penalty = duq.answer_with_penalty(graph, pictures(1))
    with torch.no_grad():
        assert torch.allclose(logits, graph.logits(pictures(1)), atol=1e-5)
    pixels = graph.preprocess(pictures(1)).requires_grad_()
    (way,) = torch.autograd.grad(graph.network(pixels).sigmoid().sum(), pixels)
    way = way / way.norm()
    step = 0.002
    with torch.no_grad():
        above, below = (
            graph.network(pixels + sign * step * way).sigmoid().sum() for sign in (1, -1)
        )
    slope = float(above - below) / (2 * step)
    assert slope > 0.01
    assert penalty.sqrt().item() == pytest.approx(abs(slope - 1), abs=5e-3)


def test_the_penalty_is_weighed_in_training_and_left_out_of_validation():
    torch.manual_seed(0)
    config = CONFIG.model_copy(update={"gradient_penalty": 0.5})
    job = task.build(config, GRAPH)
    job.graph = built().eval()
    _, penalty = duq.answer_with_penalty(job.graph, pictures())
    plain = job.loss(job.answer(pictures()), torch.eye(3))
    full = job.training_loss(pictures(), torch.eye(3))
    assert full.item() == pytest.approx(plain.item() + 0.5 * penalty.item(), rel=1e-4)
    with torch.no_grad():
        job.validation_step((pictures(), torch.eye(3)), 0)
    assert job.losses == [pytest.approx(plain.item(), rel=1e-5)]


def test_each_centroid_begins_with_its_class_s_share_of_a_batch():
    head = duq.head_of(task.build(CONFIG.model_copy(update={"batch_size": 12}), GRAPH).graph)
    assert head.image_counts.tolist() == [4, 4, 4]


@pytest.mark.parametrize("penalty", [0.0, 0.1])
def test_training_moves_head_encoder_and_centroids(classes, tmp_path, penalty):
    # The prints system's optimiser did not know its new head.
    config = CONFIG.model_copy(update={"gradient_penalty": penalty, "epochs": 1})
    train(config, classes, tmp_path)
    after = checkpoints.load(tmp_path)
    seed_everything(config.seed, verbose=False)
    before = weights.arrays(task.build(config, after.header.graphs["classifier"]).graph)
    for name in ("fc.projections", "fc.embedding_sums", "fc.image_counts", "conv1.0.weight"):
        assert not np.array_equal(before[name], after.tensors[name]), name
    (row,) = rows(tmp_path / "epochs.csv")
    assert np.isfinite(float(row["train_loss"]))


def test_neither_validation_nor_the_centroids_count_as_training(classes, tmp_path):
    # The prints system validated in training mode: running statistics knew the validation images.
    train(CONFIG, classes, tmp_path)
    training = [row for row in rows(tmp_path / "split.csv") if row["split"] == "train"]
    steps = CONFIG.epochs * len(training) // CONFIG.batch_size
    assert checkpoints.load(tmp_path).tensors["conv1.1.num_batches_tracked"] == steps


def test_below_a_frozen_encoder_only_the_head_learns(classes, tmp_path):
    train(CONFIG.model_copy(update={"epochs": 1}), classes, tmp_path / "first")
    settings = {"freeze_encoder": True, "init": str(tmp_path / "first")}
    train(CONFIG.model_copy(update=settings), classes, tmp_path / "second")
    first, second = (checkpoints.load(tmp_path / run).tensors for run in ("first", "second"))
    changed = {name for name in first if not np.array_equal(first[name], second[name])}
    assert changed == {"fc.projections", "fc.embedding_sums", "fc.image_counts"}


@pytest.mark.thorough
def test_a_run_that_is_taken_up_ends_like_a_whole_one(classes, tmp_path, monkeypatch, capsys):
    config = CONFIG.model_copy(update={"epochs": 4, "gradient_penalty": 0.1, "keep": "best"})
    train(config, classes, tmp_path / "whole")
    train_two_epochs(monkeypatch, config, classes, tmp_path / "broken")
    capsys.readouterr()
    train(config, classes, tmp_path / "broken")
    assert "epoch 1/4" not in capsys.readouterr().err
    assert learned(tmp_path / "broken/epochs.csv") == learned(tmp_path / "whole/epochs.csv")
    whole, broken = (checkpoints.load(tmp_path / run).tensors for run in ("whole", "broken"))
    assert all(np.array_equal(whole[name], broken[name]) for name in whole)


@pytest.mark.thorough
def test_what_it_has_learned_is_certain_and_what_it_has_not_seen_is_not(classes, tmp_path):
    settings = {"epochs": 25, "learning_rate": 3e-3, "length_scale": 0.3, "centroid_momentum": 0.9}
    train(CONFIG.model_copy(update=settings), classes, tmp_path)
    predictor = load_predictor(tmp_path, runtime="pytorch")
    good, bad = (predictor.predict(classes / name / "0.png") for name in predictor.classes)
    assert (good.verdict, bad.verdict, bad.class_name) == ("clean", "defect", "scratched")
    assert min(good.certainty, bad.certainty) > 0.5
    stripes = np.zeros((40, 50, 1), dtype=np.uint8)
    stripes[::8] = 255
    assert predictor.predict(stripes).certainty < min(good.certainty, bad.certainty)
