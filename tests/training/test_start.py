"""Weights that a run starts from."""

import pickle
import re

import numpy as np
import pytest
import torch
import torchvision

from steel_defect_detection.errors import CheckpointError, ConfigError
from steel_defect_detection.models import weights
from steel_defect_detection.training import start, task
from steel_defect_detection.training.config import TrainConfig

CLASSES = ("scratch", "pit")


def job_of(**settings) -> task.Task:
    config = TrainConfig(architecture="classifier", encoder="resnet18", channels=3, **settings)
    return task.build(config, config.graph(CLASSES, exclusive=True))


@pytest.fixture
def published(tmp_path):
    """A file of weights as torchvision publishes it."""
    network = torchvision.models.resnet18(weights=None)
    torch.save(network.state_dict(), tmp_path / "resnet18-f37072fd.pth")
    return tmp_path / "resnet18-f37072fd.pth", network.state_dict()


@pytest.mark.parametrize("shape", ["plain", "nested", "from several devices"])
def test_a_published_file_fills_the_encoder_and_not_the_head(published, tmp_path, shape, capsys):
    path, state = published
    if shape == "nested":
        torch.save({"epoch": 3, "state_dict": state}, path)
    if shape == "from several devices":
        torch.save({f"module.{name}": value for name, value in state.items()}, path)
    job = job_of(init=str(path))
    head = weights.arrays(job.graph)["fc.weight"].copy()
    start.fill(job, start.find(job.config))
    filled = weights.arrays(job.graph)
    for name in weights.encoder_names(job.graph):
        assert np.array_equal(filled[name], state[name].numpy())
    assert np.array_equal(filled["bn1.running_mean"], state["bn1.running_mean"].numpy())
    assert np.array_equal(filled["fc.weight"], head)
    assert not capsys.readouterr().err


def test_a_head_of_several_devices_is_left_alone_though_it_would_fit(tmp_path):
    # As many classes as here, and other ones: its name was compared before "module." was taken off.
    state = torchvision.models.resnet18(weights=None, num_classes=len(CLASSES)).state_dict()
    path = tmp_path / "theirs.pth"
    torch.save({f"module.{name}": value for name, value in state.items()}, path)
    job = job_of(init=str(path))
    head = weights.arrays(job.graph)["fc.weight"].copy()
    start.fill(job, start.find(job.config))
    filled = weights.arrays(job.graph)
    assert np.array_equal(filled["fc.weight"], head)
    assert np.array_equal(filled["conv1.weight"], state["conv1.weight"].numpy())


def test_a_published_file_fills_a_segmenters_encoder(published):
    path, state = published
    config = TrainConfig(
        architecture="unet", encoder="resnet18", channels=3, init=str(path), crop_size=(64, 64)
    )
    job = task.build(config, config.graph(CLASSES))
    start.fill(job, start.find(config))
    taken = weights.arrays(job.graph)["encoder.layer1.0.conv1.weight"]
    assert np.array_equal(taken, state["layer1.0.conv1.weight"].numpy())


def test_weights_of_another_network_are_refused(published, tmp_path):
    _, state = published
    torch.save({f"other.{name}": value for name, value in state.items()}, tmp_path / "o.pth")
    job = job_of(init=str(tmp_path / "o.pth"))
    with pytest.raises(ConfigError, match="holds nothing that fits the encoder resnet18"):
        start.fill(job, start.find(job.config))


def test_what_stays_random_is_said(published, capsys):
    path, state = published
    del state["layer4.1.conv2.weight"]
    torch.save(state, path)
    job = job_of(init=str(path))
    start.fill(job, start.find(job.config))
    said = capsys.readouterr().err
    assert said.startswith("warning: 1 of 60 weights of the encoder are not in")
    assert "layer4.1.conv2.weight" in said


def test_a_larger_network_of_the_same_family_is_doubted(tmp_path, capsys):
    larger = torchvision.models.resnet34(weights=None)
    torch.save(larger.state_dict(), tmp_path / "resnet34.pth")
    job = job_of(init=str(tmp_path / "resnet34.pth"))
    start.fill(job, start.find(job.config))
    said = capsys.readouterr().err
    assert re.fullmatch(r"warning: \d+ of 216 tensors .* is the file of another encoder\?\n", said)


class Attack:
    def __reduce__(self):
        return print, ("this was run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no file of weights alone"),
        (b"not weights", "no file of weights alone"),
        (pickle.dumps(Attack()), "no file of weights alone"),
    ],
)
def test_what_is_no_file_of_weights_is_refused_and_not_run(tmp_path, content, message, capsys):
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        start.find(job_of(init=str(tmp_path / "bad.pth")).config)
    assert "this was run" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {}])
def test_a_file_without_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match="holds no weights"):
        start.find(job_of(init=str(tmp_path / "bad.pth")).config)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot read .*nothing.pth"):
        start.find(job_of(init=str(tmp_path / "nothing.pth")).config)


def test_weights_that_are_no_numbers_are_refused(published):
    path, state = published
    state["conv1.weight"][0] = float("nan")
    torch.save(state, path)
    job = job_of(init=str(path))
    with pytest.raises(CheckpointError, match="weights that are no numbers"):
        start.fill(job, start.find(job.config))
