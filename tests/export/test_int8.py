"""Networks in whole numbers of 8 bits."""

import json
import logging
import subprocess
import sys

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

pytest.importorskip("nncf", reason="the extra int8 is not installed")

from steel_defect_detection import images, load_predictor
from steel_defect_detection.errors import ExportError, MissingExtraError
from steel_defect_detection.export import int8
from steel_defect_detection.export.writing import export
from tests.export import toys

LIMITS = toys.LIMITS.model_copy(update={"classes": (0.05, 0.95)})


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A classifier whose decisions do not hang by a thread, as those of a trained one."""
    path = tmp_path_factory.mktemp("model") / "classifier.safetensors"
    return toys.save_calibrated(path, "classifier", toys.GATE, thresholds=LIMITS)


def in_int8(model, folder, strips, file_format="openvino"):
    return export(
        model,
        folder,
        file_format=file_format,
        precision="int8",
        calibration=strips,
        size=toys.SHAPE,
    )


@pytest.mark.thorough
@pytest.mark.parametrize("file_format", ["onnx", "openvino"])
def test_int8_decides_what_pytorch_decides(classifier, strips, tmp_path, file_format):
    if file_format == "onnx":
        pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    made = in_int8(classifier, tmp_path / "export", strips, file_format)
    size = sum(file.stat().st_size for file in made.folder.iterdir())
    assert size < 0.5 * classifier.stat().st_size
    compared = made.description.comparison["classifier"]
    assert compared.same_decisions == 1
    # Mostly that of familiarity, which goes from one end to the other within a few distances.
    assert 1e-4 < compared.probability_difference < 0.5
    assert "nncf" in made.description.versions
    found, expected = load_predictor(made.folder), load_predictor(classifier, runtime="pytorch")
    assert found.runtimes == {"classifier": f"{file_format} cpu int8"}
    for strip in images.find([strips]):
        one, other = found.predict(strip), expected.predict(strip)
        assert one.verdict == other.verdict
        gaps = [*np.abs(one.scores - other.scores), abs(one.familiarity - other.familiarity)]
        assert max(gaps[:-1]) < 0.2
        assert max(gaps) <= compared.probability_difference + 1e-6
    # Distances in 8 bits made strangers of all strips.
    assert found.predict(toys.STRANGER).verdict == "unfamiliar"


def in_openvino() -> openvino.Model:
    """Two answers and a familiarity, from what all three see."""
    images = ops.parameter([-1, 4], np.float32, name="images")
    seen = ops.relu(images, name="seen")
    first, second = ops.sigmoid(seen, name="first"), ops.negative(seen, name="second")
    mean = ops.constant(np.ones((1, 4), dtype=np.float32), name="mean")
    distance = ops.subtract(seen, mean, name="distance")
    found = [first, second, ops.sigmoid(distance, name="last")]
    network = openvino.Model(found, [images], "toy")
    for port, name in zip(network.outputs, ANSWERS, strict=True):
        port.get_tensor().set_names({name, f"{name}, by another name"})
    return network


def in_onnx():
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    make, number = onnx.helper, onnx.TensorProto.FLOAT
    layers = [
        make.make_node("Relu", ["images"], ["a"], name="seen"),
        make.make_node("Sigmoid", ["a"], [ANSWERS[0]], name="first"),
        make.make_node("Neg", ["a"], [ANSWERS[1]], name="second"),
        make.make_node("Sub", ["a", "m"], ["b"], name="distance"),
        make.make_node("Sigmoid", ["b"], [ANSWERS[2]], name="last"),
    ]
    ports = [make.make_tensor_value_info(name, number, ["batch", 4]) for name in ANSWERS]
    taken = [make.make_tensor_value_info("images", number, ["batch", 4])]
    mean = make.make_tensor("m", number, [1, 4], np.ones(4))
    return make.make_model(make.make_graph(layers, "toy", taken, ports, [mean]))


ANSWERS = ("probabilities", "defect_probability", "familiarity")


@pytest.mark.parametrize("make", [in_onnx, in_openvino])
def test_layers_that_only_familiarity_depends_on_are_left_in_float32(make):
    kept = set(int8._only_for_familiarity(make()))
    assert kept >= {"distance", "last"}
    assert not kept & {"images", "seen", "first", "second"}


def test_a_network_without_familiarity_leaves_nothing_in_float32():
    network = in_openvino()
    network.outputs[-1].get_tensor().set_names({"something"})
    assert int8._only_for_familiarity(network) == []


def test_an_int8_network_that_decides_something_else_is_refused(
    classifier, strips, tmp_path, monkeypatch
):
    def broken(network, *_arguments, **_settings):
        for sigmoid in (op for op in network.get_ops() if op.get_type_name() == "Sigmoid"):
            targets = sigmoid.output(0).get_target_inputs()
            nothing = ops.multiply(sigmoid.output(0), ops.constant(np.float32(0)))
            for target in targets:
                target.replace_source_output(nothing.output(0))
        return network

    monkeypatch.setattr(int8, "quantise", broken)
    with pytest.raises(ExportError, match=r"the classifier in int8 .*the decisions are the same"):
        in_int8(classifier, tmp_path / "export", strips)
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_message_says_what_to_install(monkeypatch):
    int8._nncf.cache_clear()
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"steel-defect-detection\[int8\]\""):
        int8._nncf()


# In a process of its own, because nncf keeps silent by itself wherever pytest is loaded.
TALKS = """
import json, socket, sys
import numpy as np, openvino
from openvino import opset13 as ops
import openvino_telemetry
talked = []
class Line(socket.socket):
    def connect(self, *arguments):
        talked.append("a connection")
socket.socket = Line
openvino_telemetry.Telemetry.__init__ = lambda *_a, **_k: talked.append("a report")
openvino_telemetry.Telemetry.send_event = lambda *_a, **_k: talked.append("an event")
if sys.argv[1] == "known":
    import nncf
    talked.clear()  # that was not us
from steel_defect_detection.export import int8
images = ops.parameter([-1, 3, 16, 16], np.float32, name="images")
images.output(0).get_tensor().set_names({"images"})
weights = ops.constant(np.random.default_rng(0).normal(size=(8, 3, 3, 3)).astype(np.float32))
layer = ops.convolution(images, weights, [1, 1], [0, 0], [0, 0], [1, 1])
network = openvino.Model([ops.relu(layer)], [images])
pictures = np.random.default_rng(0).normal(size=(3, 1, 3, 16, 16)).astype(np.float32)
judge = lambda _, numbers: (1.0, [[pictures[number]] for number in numbers])
made = int8.quantise(network, 3, lambda number: {"images": pictures[number]}, judge)
kinds = [layer.get_type_name() for layer in made.get_ops()]
print(json.dumps({"talked": talked, "quantised": "FakeQuantize" in kinds}))
"""


@pytest.mark.thorough
@pytest.mark.parametrize("nncf", ["new", "known"])
def test_it_talks_to_nobody(nncf):
    done = subprocess.run(
        [sys.executable, "-c", TALKS, nncf], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # A single line: what nncf prints of its progress is no result.
    assert json.loads(done.stdout) == {"talked": [], "quantised": True}


def test_it_is_silent_and_leaves_handlers_of_others_alone():
    heard = logging.Handler()
    nncf_log = logging.getLogger("nncf")
    nncf_log.addHandler(heard)
    try:
        int8._nncf.cache_clear()
        int8._nncf()
        assert heard.level == logging.NOTSET
        assert not nncf_log.isEnabledFor(logging.WARNING)
    finally:
        nncf_log.removeHandler(heard)


def test_numbers_of_images_are_asked_for_in_turn():
    asked = []

    def feed(number):
        asked.append(number)
        return {"images": np.zeros((1, 3, 16, 16), dtype=np.float32)}

    dataset = int8._nncf().Dataset(range(3), feed)
    assert len([item["images"].shape for item in dataset.get_inference_data()]) == 3
    assert asked == [0, 1, 2]
