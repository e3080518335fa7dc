"""What a file says of itself can be read with the engine's own library."""

import re
from pathlib import Path

import pytest

from steel_defect_detection.export.formats import FORMATS, of_file


@pytest.mark.thorough
@pytest.mark.parametrize("file_format", FORMATS)
def test_the_hash_is_of_all_but_the_description(described, exports, file_format):
    path = described(file_format)
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
