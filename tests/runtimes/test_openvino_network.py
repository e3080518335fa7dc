import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from steel_defect_detection.runtimes.openvino_network import OpenVINONetwork


def doubling() -> openvino.Model:
    """A network of one layer: twice what it is given, and a name for what it makes."""
    images = ops.parameter([-1, 3], np.float32, name="images")
    doubled = ops.multiply(images, ops.constant(np.float32(2)))
    network = openvino.Model([doubled], [images], "doubling")
    network.inputs[0].get_tensor().set_names({"images"})
    network.outputs[0].get_tensor().set_names({"doubled"})
    return network


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_arrays_go_in_and_out_by_name(threads):
    network = OpenVINONetwork(doubling(), threads=threads)
    found = network.run({"images": np.ones((2, 3), dtype=np.float32), "unwanted": np.zeros(1)})
    assert list(found) == ["doubled"]
    assert found["doubled"].tolist() == [[2, 2, 2], [2, 2, 2]]


def test_threads_get_their_own_answers():
    network = OpenVINONetwork(doubling(), threads=2)
    images = [np.full((1, 3), number, dtype=np.float32) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda image: network.run({"images": image})["doubled"], images))
    assert all((array == 2 * number).all() for number, array in enumerate(found))


def test_an_answer_outlives_the_next_question():
    network = OpenVINONetwork(doubling(), threads=1)
    first = network.run({"images": np.ones((1, 3), dtype=np.float32)})["doubled"]
    network.run({"images": np.zeros((1, 3), dtype=np.float32)})
    assert first.tolist() == [[2, 2, 2]]


def test_files_of_openvino_are_read(tmp_path):
    openvino.save_model(doubling(), tmp_path / "network.xml")
    layers, weights = ((tmp_path / f"network.{end}").read_bytes() for end in ("xml", "bin"))
    network = OpenVINONetwork.read(layers, weights)
    assert network.run({"images": np.ones((1, 3), dtype=np.float32)})["doubled"][0, 0] == 2


_CORES_OF_THREADS = """
import os
import numpy as np
from tests.runtimes.test_openvino_network import OpenVINONetwork, doubling

network = OpenVINONetwork(doubling(), threads=1)
network.run({"images": np.ones((1, 3), dtype=np.float32)})
print({len(os.sched_getaffinity(int(thread))) for thread in os.listdir("/proc/self/task")})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the cores of a thread")
def test_threads_are_free_to_run_on_every_core():
    """Two processes whose threads are bound to the first core share it, and the rest idle."""
    found = subprocess.run(  # by itself, for other networks may have left threads behind
        [sys.executable, "-c", _CORES_OF_THREADS], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == str({len(os.sched_getaffinity(0))})
