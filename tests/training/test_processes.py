"""Two processes train what one would with batches of twice the size, and measure what one would."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import Trainer

from steel_defect_detection import checkpoints
from steel_defect_detection.datasets import layouts, splits
from steel_defect_detection.errors import ConfigError, ImageError, TrainingError
from steel_defect_detection.models import weights
from steel_defect_detection.training import processes as meeting
from steel_defect_detection.training import task
from steel_defect_detection.training.config import CascadeConfig, TrainConfig
from steel_defect_detection.training.data import loaders
from steel_defect_detection.training.processes import (
    EndedQuietly,
    agree,
    collected,
    gathered,
    is_first,
    join,
    lost,
    processes,
    started_as_first,
    together,
)
from tests.conftest import draw_sheets
from tests.training.several import COMMAND, end, start, train_in_two
from tests.training.small_runs import rows, train_two_epochs

TWO = TrainConfig(
    architecture="classifier",
    encoder="shufflenet_v2",
    epochs=1,
    workers=0,
    precision="float32",
    pictures=False,
    device="cpu",
    devices=2,
    batch_size=2,
    validation_share=0.4,
)

# A network without BatchNorm: each process would have statistics of its own.
SCRIPT = """
import sys
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train

data, output, strategy = sys.argv[1:4]
devices, batch = map(int, sys.argv[4:])
train(
    TrainConfig(
        architecture="classifier", encoder="vgg16", size=(32, 32), epochs=2, workers=0, dropout=0,
        precision="float32", device="cpu", optimizer="sgd", momentum=0, learning_rate=1e-2,
        scheduler="constant", keep="last", pictures=False, batch_size=batch, devices=devices,
        strategy=strategy,
    ),
    data,
    output,
)
"""


@pytest.fixture
def second_of_two(monkeypatch):
    """Make this process believe that it is the second of two."""
    for name, value in (("is_initialized", True), ("get_rank", 1), ("get_world_size", 2)):
        monkeypatch.setattr(f"torch.distributed.{name}", lambda value=value: value)


def judged_by_one(config: TrainConfig, data: Path, run: Path) -> dict[str, float]:
    """What a single process measures with the weights that a run has kept."""
    checkpoint = checkpoints.load(run)
    (graph_config,) = checkpoint.header.graphs.values()
    job = task.build(config, graph_config)
    weights.restore(job.graph, checkpoint.tensors)
    parts = splits.read(run / "split.csv", layouts.read(data, None).labelled())
    assert len(parts["validation"]) % 2
    _, check = loaders(parts["train"], parts["validation"], config)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    (measured,) = Trainer(accelerator="cpu", **quiet).validate(job, check, verbose=False)
    return measured


@pytest.mark.thorough
def test_two_processes_measure_what_one_would_and_only_the_first_says_so(
    data, tmp_path, monkeypatch
):
    random = np.random.default_rng(0)
    (tmp_path / "crops").mkdir()
    np.save(tmp_path / "crops/images.npy", random.integers(0, 256, (9, 32, 32, 1), dtype=np.uint8))
    np.save(tmp_path / "crops/labels.npy", np.arange(9, dtype=np.int32) % 3)
    exclusive = {"labels": "exclusive", "validation_share": 1 / 3}
    outlines = {"architecture": "linknet", "encoder": "resnet18", "crop_size": (64, 64)}
    runs = {
        "classes": (TWO.model_copy(update=exclusive), tmp_path / "crops"),
        "both heads": (TWO.model_copy(update=outlines | {"gate_head": True}), data),
        "average": (TWO.model_copy(update={"averaging": "ema"}), data),
        "more processes": (TWO.model_copy(update={"epochs": 4}), data),
    }
    alone, begun = runs["more processes"][0], tmp_path / "more processes"
    train_two_epochs(monkeypatch, alone.model_copy(update={"devices": 1}), data, begun)
    before = rows(begun / "epochs.csv")
    said, nothing = train_in_two(
        [(config, data, tmp_path / name) for name, (config, data) in runs.items()]
    )
    assert said.count("epoch 1/1: train_loss") == 3
    assert nothing == ""
    for name, (config, place) in runs.items():
        kept = json.loads((tmp_path / name / "metrics.json").read_text())
        measured = judged_by_one(config, place, tmp_path / name)
        assert {key: kept[key] for key in measured} == pytest.approx(measured, abs=1e-6)
    # It went on where the single process had stopped.
    after = rows(begun / "epochs.csv")
    assert after[:2] == before
    assert [row["epoch"] for row in after] == ["1", "2", "3", "4"]


@pytest.mark.slow
def test_two_processes_end_where_one_does(data, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    torchrun = ["-m", "torch.distributed.run", "--nproc_per_node=2"]
    for name, launcher, *words in (
        ("one", [], "auto", "1", "2"),
        ("torchrun", torchrun, "ddp", "2", "1"),
        ("lightning", [], "ddp", "2", "1"),
        ("sharded", torchrun, "fsdp", "2", "1"),
    ):
        arguments = [sys.executable, *launcher, script, data, tmp_path / name, *words]
        done = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        assert (tmp_path / name / "metrics.json").exists()
    one = checkpoints.load(tmp_path / "one").tensors
    for name in ("torchrun", "lightning", "sharded"):
        two = checkpoints.load(tmp_path / name).tensors
        # Sums of floats in another order.
        assert all(np.allclose(one[key], two[key], atol=1e-4) for key in one)


def arguments(data: Path, output: Path, *others: object) -> list[object]:
    """Arguments of ``sdd-train`` for a run of two processes."""
    file = output.with_suffix(".json")
    settings = TWO.model_dump(mode="json", exclude={"devices"}) | {"preset": "strip-gate"}
    file.write_text(json.dumps(settings))
    return [file, "--data", data, "--output", output, "--devices", 2, *others]


@pytest.mark.slow
@pytest.mark.parametrize("part", ["train", "validation"])
def test_an_image_that_one_process_cannot_read_ends_both_with_one_line(tmp_path, part):
    folder = draw_sheets(tmp_path / "data")
    words = arguments(folder, tmp_path / "run")
    assert [process.returncode for process in end(start(COMMAND, words))] == [0, 0]
    names = [row["image"] for row in rows(tmp_path / "run/split.csv") if row["split"] == part]
    # The second validation image belongs to the second process.
    path = folder / "train_images" / names[1]
    path.write_bytes(path.read_bytes()[:-40])
    first, second = end(start(COMMAND, [*words, "--overwrite", "--epochs", 2, "--workers", 1]))
    assert (first.returncode, second.returncode) == (1, 0)
    (line,) = [line for line in first.stderr.splitlines() if "cannot be decoded" in line]
    assert line.startswith("sdd-train: ")
    assert names[1] in line
    assert "Traceback" not in first.stderr
    assert second.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(("told", "number"), [([0, 1], signal.SIGUSR1), ([1], signal.SIGTERM)])
def test_a_signal_ends_both_and_fewer_processes_go_on(data, tmp_path, told, number):
    words = arguments(data, tmp_path / "run", "--epochs", 60)
    started = start(COMMAND, words)
    while not (tmp_path / "run/last.ckpt").exists() and started[0].poll() is None:
        time.sleep(0.1)
    for rank in told:
        started[rank].send_signal(number)
    first, second = end(started)
    assert "interrupted; the same command goes on from the last epoch in" in first.stderr
    assert "Traceback" not in first.stderr
    assert (first.returncode, second.returncode, second.stderr) == (130, 0, "")
    done = len(rows(tmp_path / "run/epochs.csv"))
    state = torch.load(tmp_path / "run/last.ckpt", weights_only=True)
    assert state["epoch"] + 1 == done < 60
    (alone,) = end(start(COMMAND, [*words, "--resume", "--devices", 1], count=1))
    assert f"epoch {done + 1}/60" in alone.stderr
    assert f"epoch {done}/60" not in alone.stderr
    assert "going on with 1 processes in place of 2" in alone.stderr
    assert len(rows(tmp_path / "run/epochs.csv")) == 60


def test_one_process_is_the_default_and_the_first():
    assert TrainConfig(architecture="classifier").devices == 1
    assert processes() == (0, 1)
    assert is_first()
    assert gathered("x") == ["x"]
    join(TrainConfig(architecture="classifier"))
    assert processes() == (0, 1)


@pytest.mark.usefixtures("second_of_two")
def test_the_second_of_two_processes_is_not_the_first():
    assert processes() == (1, 2)
    assert not is_first()


def test_what_was_dealt_out_in_turns_comes_back_in_order(monkeypatch):
    monkeypatch.setattr(meeting, "gathered", lambda own: [own, ["b", None], ["c"]])
    assert collected(["a", "d", "e"]) == ["a", "b", "c", "d", None, "e"]


def test_alone_an_error_is_raised_as_it_is():
    error = ImageError("a.png is cut")
    with pytest.raises(ImageError) as caught, together():
        raise error
    assert caught.value is error
    with pytest.raises(KeyboardInterrupt):
        agree(stop=True)
    agree()


def test_the_first_process_raises_what_another_has_met(monkeypatch):
    error = ImageError("a.png is cut")
    monkeypatch.setattr(meeting, "_any", lambda said: True)
    monkeypatch.setattr(meeting, "gathered", lambda own: [own, error])
    with pytest.raises(ImageError, match=r"a\.png is cut"), together():
        pass


@pytest.mark.usefixtures("second_of_two")
def test_the_second_process_leaves_the_word_to_the_first(monkeypatch):
    monkeypatch.setattr(meeting, "_any", lambda said: True)
    monkeypatch.setattr(meeting, "gathered", lambda own: [None, own])
    with pytest.raises(EndedQuietly) as caught:
        agree(ImageError("a.png is cut"))
    assert caught.value.code == 0
    with pytest.raises(EndedQuietly) as caught:
        lost()
    assert caught.value.code == 1


def test_the_first_process_says_that_another_has_ended():
    with pytest.raises(TrainingError, match="one of the other processes has ended"):
        lost()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, True),
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),
        ({"RANK": "2", "LOCAL_RANK": "0"}, False),
        # Torchrun, which was started by srun, numbers the machines in its own way.
        ({"RANK": "0", "LOCAL_RANK": "0", "SLURM_PROCID": "1"}, True),
        ({"LOCAL_RANK": "1", "NODE_RANK": "0"}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, False),
        ({"SLURM_PROCID": "0"}, True),
        ({"SLURM_PROCID": "3"}, False),
    ],
)
def test_who_will_be_the_first_is_known_before_the_processes_meet(monkeypatch, told, expected):
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert started_as_first() == expected


@pytest.mark.parametrize(
    "told",
    [
        {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2"},
        {"SLURM_STEP_NUM_TASKS": "2", "SLURM_JOB_NAME": "train"},
    ],
)
def test_processes_that_would_each_train_alone_are_refused_once(monkeypatch, told):
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    one = TWO.model_copy(update={"devices": 1})
    decoder = TrainConfig(architecture="unet", validation_share=0.4)
    for config in (one, CascadeConfig(gate=one, segmenter=decoder)):
        with pytest.raises(ConfigError, match="2 processes were started, but devices x nodes is 1"):
            join(config)
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(EndedQuietly):
        join(one)


def test_processes_that_do_not_find_each_other_are_one_line(monkeypatch):
    def fails(*_arguments, **_settings):
        raise RuntimeError("the server socket\nhas failed to listen")

    monkeypatch.setattr("lightning.fabric.Fabric.launch", fails)
    message = "cannot train together: the server socket has failed to listen"
    with pytest.raises(ConfigError, match=message):
        join(TWO)
