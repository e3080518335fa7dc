"""Exports that several tests read, made once."""

import shutil

import pytest

from steel_defect_detection.export.formats import FORMATS
from steel_defect_detection.export.writing import export
from tests.export import toys
from tests.export.once import converting_once


@pytest.fixture(scope="session", autouse=True)
def _each_network_is_converted_once():
    with converting_once():
        yield


@pytest.fixture(scope="session")
def cascade(tmp_path_factory):
    """The checkpoint of a small cascade."""
    return toys.save_cascade(tmp_path_factory.mktemp("cascade"))


@pytest.fixture(scope="session")
def strips(tmp_path_factory):
    """A folder of four small strips."""
    return toys.strips(tmp_path_factory.mktemp("strips"))


@pytest.fixture(scope="session")
def exports(tmp_path_factory, cascade, strips):
    """The folder of the cascade in a format, exported when first asked for."""
    made = {}
    place = tmp_path_factory.mktemp("exports")

    def folder(file_format):
        if file_format not in made:
            if file_format == "onnx":
                pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
            made[file_format] = export(
                cascade,
                place / file_format,
                file_format=file_format,
                calibration=strips,
                size=toys.SHAPE,
            ).folder
        return made[file_format]

    return folder


@pytest.fixture
def copy(exports, tmp_path):
    """A copy of the cascade in a format, to be damaged."""

    def folder(file_format):
        return shutil.copytree(exports(file_format), tmp_path / f"copy-{file_format}")

    return folder


@pytest.fixture
def described(copy):
    """A file of an export, described anew."""

    def file(file_format):
        form = FORMATS[file_format]
        path = copy(file_format) / f"classifier{form.SUFFIX}"
        if file_format == "openvino":
            form.describe(path, toys.DESCRIPTION)
        elif file_format == "onnx":
            old, _ = form.inspect(path)
            path.write_bytes(path.read_bytes()[: -len(form._entry(old))])
            form.describe(path, toys.DESCRIPTION)
        return path

    return file
