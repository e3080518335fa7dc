"""An export is read only if its files belong together and are what was written."""

import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from steel_defect_detection import load_predictor
from steel_defect_detection.errors import (
    CheckpointError,
    ConfigError,
    DeviceError,
    ImageError,
    MissingExtraError,
)
from steel_defect_detection.export.formats import FORMATS
from steel_defect_detection.export.reading import is_export, read
from steel_defect_detection.export.writing import export
from tests.export import toys

ENDINGS = {"onnx": ".onnx", "openvino": ".xml", "torchscript": ".pt"}


def flip(path, place):
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 255
    path.write_bytes(data)


@pytest.mark.thorough
@pytest.mark.parametrize("file_format", FORMATS)
def test_the_folder_and_each_file_of_it_are_the_same_model(exports, file_format):
    folder = exports(file_format)
    whole = read(folder)
    for path in folder.iterdir():
        assert is_export(path)
        assert sorted(read(path).networks()) == ["classifier", "segmenter"]
        assert read(path).header == whole.header


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_missing_sibling_is_named(copy, file_format):
    folder = copy(file_format)
    (folder / f"segmenter{ENDINGS[file_format]}").unlink()
    with pytest.raises(CheckpointError, match=re.escape("is missing, and classifier.")):
        read(folder)


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_altered_sibling_is_refused(copy, file_format):
    folder = copy(file_format)
    path = folder / (
        "segmenter.bin" if file_format == "openvino" else f"segmenter{ENDINGS[file_format]}"
    )
    flip(path, path.stat().st_size // 3)
    with pytest.raises(CheckpointError, match=r"is not what was exported|is damaged"):
        read(folder / f"classifier{ENDINGS[file_format]}")


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_that_was_cut_short_is_refused(copy, file_format):
    folder = copy(file_format)
    path = folder / f"classifier{ENDINGS[file_format]}"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError):
        read(folder)


def test_thresholds_changed_in_one_file_are_refused(copy):
    folder = copy("openvino")
    path = folder / "segmenter.xml"
    layers = path.read_text(encoding="utf-8")
    assert layers.count("&quot;gate&quot;:0.49") == 1
    path.write_text(layers.replace("&quot;gate&quot;:0.49", "&quot;gate&quot;:0.99"))
    with pytest.raises(CheckpointError, match=r"belongs to another export than classifier\.xml"):
        read(folder)


@pytest.mark.thorough
def test_files_of_two_exports_are_not_mixed(copy, tmp_path, strips):
    other = export(
        toys.save_cascade(tmp_path),
        tmp_path / "other",
        file_format="torchscript",
        calibration=strips,
        size=(32, 64),
    )
    folder = copy("torchscript")
    shutil.copy(other.folder / "segmenter.pt", folder)
    with pytest.raises(CheckpointError, match="belongs to another export"):
        read(folder)


def test_a_folder_with_two_exports_is_ambiguous_and_its_files_are_not(copy):
    folder = copy("openvino")
    shutil.copytree(copy("torchscript"), folder, dirs_exist_ok=True)
    with pytest.raises(CheckpointError, match="holds exports for several engines"):
        read(folder)
    assert read(folder / "classifier.xml").description.format == "openvino"


def test_weights_without_layers_and_layers_without_weights_are_refused(copy):
    folder = copy("openvino")
    (folder / "segmenter.bin").unlink()
    with pytest.raises(CheckpointError, match=r"cannot read .*segmenter\.bin"):
        read(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.onnx", b"", "was not written by sdd-export"),
        ("a.onnx", b"\x00\xffsteel_defect_detection", "was not written by sdd-export"),
        ("a.pt", b"no archive", "is damaged"),
        ("a.xml", b"<net/>", "cannot read"),
    ],
)
def test_foreign_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_predictor(tmp_path / name)
    with pytest.raises(CheckpointError, match=message):
        load_predictor(tmp_path)


@pytest.mark.parametrize(
    "name", ["../segmenter.onnx", "/etc/passwd", "..\\segmenter.onnx", "..", ""]
)
def test_a_file_names_no_place_outside_its_folder(exports, name):
    about = read(exports("openvino")).description
    content = json.loads(about.model_dump_json())
    content["networks"]["segmenter"]["file"] = name
    with pytest.raises(ValueError, match="a network lies beside the others, not at"):
        type(about).model_validate(content)


@pytest.mark.parametrize("file_format", FORMATS)
def test_images_of_another_size_are_refused_with_both_sizes(exports, file_format):
    predictor = load_predictor(exports(file_format))
    with pytest.raises(ImageError, match="images of 96 x 64 pixels, this one has 70 x 50"):
        predictor.predict(np.zeros((50, 70, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"runtime": "onnx"}, ConfigError, "was exported for openvino, got runtime 'onnx'"),
        ({"device": "cuda"}, DeviceError, "an export runs on the processor here, got device 'cuda"),
        ({"precision": "bfloat16"}, DeviceError, "was exported in float32, got precision 'bfloat"),
        ({"gate": "strip"}, CheckpointError, "a gate goes before a checkpoint, not an export"),
    ],
)
def test_an_export_is_run_as_it_was_exported(exports, settings, error, message):
    with pytest.raises(error, match=message):
        load_predictor(exports("openvino"), **settings)


def test_thresholds_of_an_export_can_be_changed(exports):
    predictor = load_predictor(exports("openvino"), threshold={"pit": 0.3}, min_area=7)
    assert predictor.thresholds.pixels == (0.3, 0.52)
    assert predictor.thresholds.min_areas == (7, 7)


def test_a_folder_of_images_and_a_run_folder_are_no_exports(tmp_path, strips):
    assert not is_export(strips)
    assert not is_export("strip")
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "segmenter.onnx").touch()
    assert not is_export(tmp_path)


def test_without_the_extra_the_message_says_what_to_install(exports, monkeypatch):
    folder = exports("onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"steel-defect-detection\[onnx\]\""):
        load_predictor(folder)


@pytest.mark.parametrize("file_format", ["onnx", "openvino"])
def test_an_export_is_run_without_torch(exports, file_format):
    program = (
        "import sys, numpy as np;"
        "from steel_defect_detection import load_predictor;"
        "predictor = load_predictor(sys.argv[1], gate_threshold=0);"
        "predictor.predict(np.zeros((64, 96, 3), np.uint8));"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, exports(file_format)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


@pytest.mark.parametrize("file_format", FORMATS)
def test_threads_may_run_an_export_at_the_same_time(exports, file_format):
    network = read(exports(file_format)).networks(threads=1)["segmenter"]
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 200, (1, 64, 96, 3), dtype=np.uint8) for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: network.run(picture)["probabilities"], pictures))
    for picture, found in zip(pictures, together, strict=True):
        assert np.array_equal(network.run(picture)["probabilities"], found)
