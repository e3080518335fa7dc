import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from steel_defect_detection.download import lock

TAKES_TURNS = """
import sys, time
from pathlib import Path
from steel_defect_detection.download import lock
counter = Path(sys.argv[1])
for _ in range(20):
    with lock.held(counter):
        number = int(counter.read_text())
        time.sleep(0.001)
        counter.write_text(str(number + 1))
"""


def test_the_lock_is_gone_afterwards(tmp_path):
    with lock.held(tmp_path / "x"):
        assert [path.name for path in tmp_path.iterdir()] == [".x.lock"]
    assert list(tmp_path.iterdir()) == []


def test_the_lock_is_gone_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="trouble"), lock.held(tmp_path / "x"):
        raise ValueError("trouble")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_left_by_a_killed_process_stops_nobody(tmp_path):
    (tmp_path / ".x.lock").touch()
    with lock.held(tmp_path / "x"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_who_waits_is_told_so_once(tmp_path, caplog):
    taken = []

    def wait():
        with lock.held(tmp_path / "x"):
            taken.append("mine")

    thread = threading.Thread(target=wait)
    with caplog.at_level(logging.INFO), lock.held(tmp_path / "x"):
        thread.start()
        time.sleep(0.25)
        assert taken == []
    thread.join()
    assert taken == ["mine"]
    assert caplog.messages == [f"another process is working on {tmp_path / 'x'}; waiting for it"]


def test_processes_take_turns(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    processes = [
        subprocess.Popen([sys.executable, "-c", TAKES_TURNS, str(counter)], env=environment)
        for _ in range(3)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert counter.read_text() == "60"
