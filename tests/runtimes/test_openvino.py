"""OpenVINO, converted once and kept."""

import os
import subprocess
import sys
from functools import partial

import pytest

from steel_defect_detection.errors import DeviceError
from steel_defect_detection.runtimes import cache, convert_openvino
from steel_defect_detection.runtimes.openvino import OpenVINORuntime
from steel_defect_detection.runtimes.openvino_core import has_bfloat16
from tests.export import toys
from tests.runtimes.contract import GRAPHS, IMAGES, tensors_of
from tests.runtimes.converted import ConvertedContract

CONFIG = GRAPHS["grey classifier at half size"]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache folder for this test alone."""
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class TestOpenVINO(ConvertedContract):
    make = partial(OpenVINORuntime, precision="float32")
    converter = convert_openvino
    translate = "openvino_network"
    library = "torch.export.export"

    def test_how_far_bfloat16_agrees_is_kept_where_the_processor_has_it(self, kept):
        found = kept[1].parity.get(cache.AGREEMENT)
        assert 0 <= found <= 1 if has_bfloat16() else found is None

    @pytest.mark.parametrize(
        ("agreement", "expected"), [(0.951, "bfloat16"), (0.949, "float32"), (None, "float32")]
    )
    def test_bfloat16_is_taken_unasked_only_where_it_decides_alike(
        self, kept, own_cache, agreement, expected
    ):
        if not has_bfloat16():
            pytest.skip("this processor has no bfloat16")
        key, entry = kept
        found = {} if agreement is None else {cache.AGREEMENT: agreement}
        cache.store(key, entry._replace(parity=found))
        runtime = OpenVINORuntime(CONFIG, tensors_of(CONFIG))
        runtime.run(IMAGES)
        assert runtime.name == f"openvino cpu {expected}"


def test_converting_talks_to_nobody(monkeypatch, own_cache):
    # OpenVINO's own converter sends reports to a server unless somebody forbids it.
    class Line:
        def __init__(self, *_arguments, **_settings):
            pytest.fail("a connection was opened")

    monkeypatch.setattr("socket.socket", Line)
    monkeypatch.setattr("multiprocessing.Process.start", lambda _self: pytest.fail("a process"))
    assert OpenVINORuntime(CONFIG, tensors_of(CONFIG)).run(IMAGES)["probabilities"].size


def test_importing_openvino_after_this_package_reports_nothing(tmp_path):
    # OpenVINO's reporter writes a number for its user into the home folder before it sends.
    program = (
        "import steel_defect_detection, openvino, sys;"
        "print('openvino_telemetry.main' in sys.modules)"
    )
    home = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=home | {"HOME": str(tmp_path)},
        check=True,
    )
    assert done.stdout.strip() == "False"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return toys.save(tmp_path_factory.mktemp("model") / "toy.safetensors", "classifier", toys.GATE)


@pytest.fixture(scope="module")
def start(model, tmp_path_factory):
    """Run a program that is given the model, and keep what was converted for the next one."""
    place = str(tmp_path_factory.mktemp("cache"))

    def starting(program: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, model],
            env=os.environ | {"SDD_CACHE": place},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return starting


@pytest.mark.thorough
def test_a_second_start_loads_no_torch(start):
    program = (
        "import sys, numpy as np;"
        "from steel_defect_detection import load_predictor;"
        "load_predictor(sys.argv[1], runtime='openvino').predict(np.zeros((64, 96, 1), np.uint8));"
        "print('torch' in sys.modules)"
    )
    assert [start(program) for _ in range(2)] == ["True", "False"]


def test_a_process_can_end_processes_after_a_network_went_on_another_thread(start):
    # The stack for signals that OpenVINO gives a thread must not go with the network.
    program = (
        "import gc, os, signal, sys, threading, numpy as np;"
        "from steel_defect_detection import load_predictor;"
        "from concurrent.futures import ThreadPoolExecutor;"
        "signal.signal(signal.SIGCHLD, lambda *_: None);"
        "held = [load_predictor(sys.argv[1], runtime='openvino')];"
        "held[0].predict(np.zeros((64, 96, 1), np.uint8));"
        "thread = threading.Thread(target=lambda: (held.clear(), gc.collect()));"
        "thread.start(); thread.join();"
        "child = os.fork() or os._exit(0);"
        "os.waitpid(child, 0);"
        "print('alive')"
    )
    assert start(program) == "alive"


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_a_precision_that_it_does_not_have_is_refused(precision):
    with pytest.raises(DeviceError, match="must be auto, float32 or bfloat16"):
        OpenVINORuntime(CONFIG, tensors_of(CONFIG), precision=precision)


def test_two_threads_may_bring_the_first_images():
    # OpenVINO's binding looks up NumPy at its first array, and two such looks would never end.
    program = (
        "import threading, numpy as np;"
        "from steel_defect_detection.runtimes.openvino_core import core;"
        "core(); import openvino;"
        "start = threading.Barrier(8);"
        "one = lambda: (start.wait(), openvino.Tensor(np.zeros((8, 8), np.uint8)).data);"
        "threads = [threading.Thread(target=one) for _ in range(8)];"
        "[thread.start() for thread in threads];"
        "[thread.join() for thread in threads];"
        "print('done')"
    )
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stdout.strip() == "done", done.stderr
