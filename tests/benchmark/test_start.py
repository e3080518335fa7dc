import subprocess
import time

import pytest

from steel_defect_detection.benchmark import start
from steel_defect_detection.errors import InferenceError


def test_a_command_that_fails_is_not_timed(strips):
    with pytest.raises(InferenceError, match="no model 'nowhere'"):
        start.measure(strips / "strip-0.png", ["--model", "nowhere"], repeats=1)


def test_the_first_start_is_not_among_the_others(monkeypatch, strips):
    waits = iter([0.2, 0.01, 0.01])

    def wait(words, **_settings):
        time.sleep(next(waits))
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr("subprocess.run", wait)
    found = start.measure(strips / "strip-0.png", [], repeats=2)
    assert found["first_seconds"] >= 0.2
    assert 0.01 <= found["seconds"]["median"] < found["first_seconds"]
    assert found["seconds"]["count"] == 2
