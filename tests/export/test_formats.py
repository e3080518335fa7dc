"""What a file says of itself can be read with the engine's own library."""

import json
import re
from pathlib import Path

import pytest
import torch

from steel_defect_detection.export.formats import FORMATS, of_file

TEXT = json.dumps({"classes": ["Riß & <Kratzer>", 'a "quoted" one', "锈"]}, ensure_ascii=False)


@pytest.fixture
def file(copy):
    """A file of an export, described anew."""

    def described(file_format):
        form = FORMATS[file_format]
        path = copy(file_format) / f"classifier{form.SUFFIX}"
        if file_format == "openvino":
            form.describe(path, TEXT)
        elif file_format == "onnx":
            old, _ = form.inspect(path)
            path.write_bytes(path.read_bytes()[: -len(form._entry(old))])
            form.describe(path, TEXT)
        return path

    return described


def test_onnx_files_say_it_in_their_metadata(file):
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    path = file("onnx")
    network = onnx.load(path)
    onnx.checker.check_model(network)
    assert {entry.key: entry.value for entry in network.metadata_props} == {
        "steel_defect_detection": TEXT
    }
    assert FORMATS["onnx"].inspect(path)[0] == TEXT


def test_openvino_files_say_it_in_their_runtime_information(file):
    import openvino

    path = file("openvino")
    network = openvino.Core().read_model(path)
    assert network.get_rt_info("steel_defect_detection").astype(str) == TEXT
    assert FORMATS["openvino"].inspect(path)[0] == TEXT


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated")
def test_torchscript_files_say_it_in_an_extra_file(exports):
    path = exports("torchscript") / "classifier.pt"
    extra = {"steel_defect_detection": ""}
    module = torch.jit.load(path, _extra_files=extra)
    about = json.loads(extra["steel_defect_detection"])
    assert about["graph"] == "classifier"
    probabilities, defect = module(torch.zeros(1, 64, 96, 3, dtype=torch.uint8))
    assert (probabilities.shape, defect.shape) == ((1, 2), (1,))


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_hash_is_of_all_but_the_description(file, exports, file_format):
    path = file(file_format)
    original = exports(file_format) / path.name
    form = FORMATS[file_format]
    assert form.inspect(path)[1] == form.inspect(original)[1]


def test_the_ending_names_the_format():
    names = {name: of_file(Path("a") / name) for name in ("n.onnx", "n.xml", "n.bin", "n.pt", "n")}
    assert names == {
        "n.onnx": "onnx",
        "n.xml": "openvino",
        "n.bin": "openvino",
        "n.pt": "torchscript",
        "n": None,
    }


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_export_can_be_made_in_float32_in_every_format(file_format):
    assert FORMATS[file_format].PRECISIONS[0] == "float32"
    assert re.fullmatch(r"\.[a-z]+", FORMATS[file_format].SUFFIX)
