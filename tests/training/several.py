"""Two processes that train together, started as SLURM would start them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from steel_defect_detection.training.config import TrainConfig

ROOT = Path(__file__).parents[2]
COMMAND = "from steel_defect_detection.cli.train import main; main(prog_name='sdd-train')"
RUNS = """
import json, sys
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train

for settings, data, output in json.loads(sys.argv[1]):
    train(TrainConfig.model_validate(settings), data, output)
"""


def start(program: str, arguments: Sequence[object], count: int = 2) -> list[subprocess.Popen]:
    """Start a program in several processes that will meet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = {
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_NAME": "train",
        "SLURM_NTASKS": count,
        "SLURM_NTASKS_PER_NODE": count,
        "SLURM_STEP_NUM_TASKS": count,
        "SLURM_NNODES": 1,
        "SLURM_NODEID": 0,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "OMP_NUM_THREADS": 1,
    }
    return [
        subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=os.environ
            | {name: str(value) for name, value in job.items()}
            | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def end(started: Sequence[subprocess.Popen]) -> list[subprocess.CompletedProcess]:
    """Wait for processes, and tell what they said."""
    ended = []
    for process in started:
        out, err = process.communicate(timeout=300)
        ended.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
    return ended


def train_in_two(runs: Sequence[tuple[TrainConfig, Path, Path]]) -> list[str]:
    """Train one run after the other in two processes.

    Returns:
        What each has written to standard error.
    """
    words = [
        (config.model_dump(mode="json"), str(data), str(output)) for config, data, output in runs
    ]
    ended = end(start(RUNS, [json.dumps(words)]))
    assert [process.returncode for process in ended] == [0, 0], ended[0].stderr + ended[1].stderr
    return [process.stderr for process in ended]
