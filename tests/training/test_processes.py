"""Two processes train what one would with batches of twice the size."""

import subprocess
import sys

import numpy as np
import pytest

from steel_defect_detection import checkpoints
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.data import EpochSampler
from steel_defect_detection.training.processes import is_first, processes

# A network without BatchNorm: each process would have statistics of its own.
SCRIPT = """
import sys
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train

data, output, devices, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
train(
    TrainConfig(
        architecture="classifier", encoder="vgg16", size=(32, 32), epochs=2, workers=0, dropout=0,
        precision="float32", device="cpu", optimizer="sgd", momentum=0, learning_rate=1e-2,
        scheduler="constant", keep="last", pictures=False, batch_size=batch, devices=devices,
        strategy="ddp" if devices > 1 else "auto",
    ),
    data,
    output,
)
"""


def test_processes_deal_an_epoch_out_without_repeating(monkeypatch):
    keys = []
    for rank in range(3):
        monkeypatch.setattr(
            "steel_defect_detection.training.data.processes", lambda rank=rank: (rank, 3)
        )
        sampler = EpochSampler(10, repetitions=2, seed=0)
        keys.append(list(sampler))
        assert len(sampler) == len(keys[-1]) == 6
    together = [key for part in keys for key in part]
    assert len(set(together)) == 18
    monkeypatch.undo()
    alone = list(EpochSampler(10, repetitions=2, seed=0))
    assert [keys[place % 3][place // 3] for place in range(18)] == alone[:18]


@pytest.mark.slow
def test_two_processes_end_where_one_does(tiny_severstal, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    several = ["-m", "torch.distributed.run", "--nproc_per_node=2"]
    for start, *words in (([], "one", "1", "2"), (several, "two", "2", "1")):
        output, devices, batch = tmp_path / words[0], words[1], words[2]
        arguments = [sys.executable, *start, script, tiny_severstal, output, devices, batch]
        done = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = (checkpoints.load(tmp_path / name).tensors for name in ("one", "two"))
    # Sums of floats in another order.
    assert all(np.allclose(one[name], two[name], atol=1e-4) for name in one)
    assert (tmp_path / "two/metrics.json").exists()


def test_one_process_is_the_default_and_the_first():
    assert TrainConfig(architecture="classifier").devices == 1
    assert processes() == (0, 1)
    assert is_first()


def test_the_second_of_three_processes_is_not_the_first(monkeypatch):
    for name, value in (("is_initialized", True), ("get_rank", 1), ("get_world_size", 3)):
        monkeypatch.setattr(f"torch.distributed.{name}", lambda value=value: value)
    assert processes() == (1, 3)
    assert not is_first()
