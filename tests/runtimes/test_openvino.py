"""OpenVINO, converted once and kept."""

import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from steel_defect_detection.errors import DeviceError, InferenceError
from steel_defect_detection.runtimes import cache, convert
from steel_defect_detection.runtimes.openvino import OpenVINORuntime
from steel_defect_detection.runtimes.openvino_core import core
from tests.runtimes.contract import GRAPHS, IMAGES, RuntimeContract, tensors_of

CONFIG = GRAPHS["grey classifier at half size"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """A cache folder for this test alone."""
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class TestOpenVINO(RuntimeContract):
    make = partial(OpenVINORuntime, precision="float32")


@pytest.fixture
def conversions(monkeypatch):
    """The conversions that were made, which still are made."""
    made = []
    real = convert.convert

    def counted(config, tensors, inputs):
        made.append({name: array.shape for name, array in inputs.items()})
        return real(config, tensors, inputs)

    monkeypatch.setattr(convert, "convert", counted)
    return made


def test_a_network_is_converted_once_for_each_size(conversions):
    tensors = tensors_of(CONFIG)
    first = OpenVINORuntime(CONFIG, tensors).run(IMAGES)
    OpenVINORuntime(CONFIG, tensors).run(IMAGES[:1])
    again = OpenVINORuntime(CONFIG, tensors).run(IMAGES)
    assert len(conversions) == 1
    assert np.array_equal(first["probabilities"], again["probabilities"])
    OpenVINORuntime(CONFIG, tensors).run(IMAGES[:, :32])
    assert len(conversions) == 2


def test_other_weights_are_another_network(conversions):
    tensors = tensors_of(CONFIG)
    first = OpenVINORuntime(CONFIG, tensors).run(IMAGES)
    changed = tensors | {"fc.bias": tensors["fc.bias"] + 1}
    second = OpenVINORuntime(CONFIG, changed).run(IMAGES)
    assert len(conversions) == 2
    assert not np.allclose(first["probabilities"], second["probabilities"])


def test_a_damaged_network_is_made_anew(conversions, own_cache):
    tensors = tensors_of(CONFIG)
    expected = OpenVINORuntime(CONFIG, tensors).run(IMAGES)
    (path,) = own_cache.glob("*.bin")
    path.write_bytes(path.read_bytes()[:-1])
    found = OpenVINORuntime(CONFIG, tensors).run(IMAGES)
    assert len(conversions) == 2
    assert np.array_equal(found["probabilities"], expected["probabilities"])


def test_without_a_place_to_keep_it_a_network_runs_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "file"))
    assert OpenVINORuntime(CONFIG, tensors_of(CONFIG)).run(IMAGES)["probabilities"].size


def test_a_broken_conversion_is_refused_and_not_kept(monkeypatch, own_cache):
    tensors = tensors_of(CONFIG)
    honest = convert.openvino_network

    def broken(graph, inputs):
        graph.network.network.fc.bias.data += 1  # as if a layer had been converted wrongly
        return honest(graph, inputs)

    monkeypatch.setattr(convert, "openvino_network", broken)
    with pytest.raises(InferenceError, match="differs from PyTorch: probabilities by"):
        OpenVINORuntime(CONFIG, tensors).run(IMAGES)
    assert not list(own_cache.glob("*"))


def test_a_network_that_cannot_be_converted_is_one_line(monkeypatch):
    def refuse(*_arguments, **_settings):
        raise TypeError("no rule\nfor this layer")

    monkeypatch.setattr("torch.export.export", refuse)
    with pytest.raises(InferenceError, match=r"resnet18 cannot be converted: no rule for this la"):
        OpenVINORuntime(CONFIG, tensors_of(CONFIG)).run(IMAGES)


def test_answers_that_are_no_numbers_or_of_another_shape_are_no_parity():
    good = {"probabilities": np.zeros((2, 3), dtype=np.float32)}
    for bad in (np.full((2, 3), np.nan, dtype=np.float32), np.zeros((2, 1), dtype=np.float32)):
        with pytest.raises(InferenceError, match="differs from PyTorch"):
            convert.compare(good, {"probabilities": bad})


def test_the_largest_difference_is_kept_with_the_network(own_cache):
    OpenVINORuntime(CONFIG, tensors_of(CONFIG)).run(IMAGES)
    (path,) = own_cache.glob("*.json")
    entry = cache.load(path.stem)
    parity = dict(entry.parity)
    if "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert 0 <= parity.pop("bfloat16_agreement") <= 1
    assert set(parity) == {"probabilities", "defect_probability"}
    assert all(0 <= value < 1e-4 for value in parity.values())


def test_converting_talks_to_nobody(monkeypatch):
    # OpenVINO's own converter sends reports to a server unless somebody forbids it.
    class Line:
        def __init__(self, *_arguments, **_settings):
            pytest.fail("a connection was opened")

    monkeypatch.setattr("socket.socket", Line)
    monkeypatch.setattr("multiprocessing.Process.start", lambda _self: pytest.fail("a process"))
    monkeypatch.setattr(
        "openvino_telemetry.Telemetry.__init__", lambda *_a, **_k: pytest.fail("a report")
    )
    assert OpenVINORuntime(CONFIG, tensors_of(CONFIG)).run(IMAGES)["probabilities"].size


def test_a_process_can_end_processes_after_a_network_went_on_another_thread():
    # The stack for signals that OpenVINO gives a thread must not go with the network.
    program = (
        "import gc, os, signal, threading, numpy as np;"
        "from steel_defect_detection import load_predictor;"
        "from concurrent.futures import ThreadPoolExecutor;"
        "signal.signal(signal.SIGCHLD, lambda *_: None);"
        "held = [load_predictor(runtime='openvino')];"
        "held[0].predict(np.zeros((64, 96, 1), np.uint8));"
        "thread = threading.Thread(target=lambda: (held.clear(), gc.collect()));"
        "thread.start(); thread.join();"
        "child = os.fork() or os._exit(0);"
        "os.waitpid(child, 0);"
        "print('alive')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr


def test_a_second_start_loads_no_torch(own_cache):
    program = (
        "import sys, numpy as np;"
        "from steel_defect_detection import load_predictor;"
        "load_predictor(runtime='openvino').predict(np.zeros((64, 96, 1), np.uint8));"
        "print('torch' in sys.modules)"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"SDD_CACHE": str(own_cache)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["True", "False"]


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


def test_bfloat16_is_taken_unasked_only_where_it_decides_alike(monkeypatch):
    tensors = tensors_of(CONFIG)
    if "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bfloat16")
    for found, expected in ((0.951, "bfloat16"), (0.949, "float32")):
        monkeypatch.setattr(convert, "agreement", lambda *_, found=found: found)
        monkeypatch.setenv("SDD_CACHE", f"{os.environ['SDD_CACHE']}-{expected}")
        runtime = OpenVINORuntime(CONFIG, tensors)
        runtime.run(IMAGES)
        assert runtime.name == f"openvino cpu {expected}"


def test_agreement_is_the_least_of_all_answers():
    whole = {"defect_probability": np.array([0.2, 0.9], dtype=np.float32)}
    close = {"defect_probability": np.array([0.2, 0.6], dtype=np.float32)}
    assert convert.agreement(whole, whole) == 1
    assert convert.agreement(whole, close) == pytest.approx(0.7)
    # Three pixels and two, of which one is the same: Dice 2 * 1 / 5.
    first = np.array([0.9, 0.9, 0.9, 0.1], dtype=np.float32).reshape(1, 1, 2, 2)
    second = np.array([0.9, 0.1, 0.1, 0.9], dtype=np.float32).reshape(1, 1, 2, 2)
    found = convert.agreement(whole | {"probabilities": first}, whole | {"probabilities": second})
    assert found == pytest.approx(0.4)
    nothing = {"probabilities": np.zeros((1, 1, 2, 2), dtype=np.float32)}
    assert convert.agreement(nothing, nothing) == 1
    no_number = {"probabilities": np.full((1, 1, 2, 2), np.nan, dtype=np.float32)}
    assert convert.agreement(nothing, no_number) == 0
