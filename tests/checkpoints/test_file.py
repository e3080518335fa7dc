import json
import re
import struct

import numpy as np
import pytest
import safetensors.numpy

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.errors import CheckpointError
from tests.checkpoints.made import header, saved, tensors


def test_what_is_saved_is_loaded(tmp_path):
    read = saved(tmp_path / "model.safetensors", "segmenter")
    assert read.header == header("segmenter")
    for name, tensor in tensors(0).items():
        assert np.array_equal(read.tensors[name], tensor)
        assert read.tensors[name].dtype == tensor.dtype


def test_half_precision_halves_the_floats_and_leaves_the_counts(tmp_path):
    path = tmp_path / "half.safetensors"
    checkpoints.save(path, header("segmenter"), tensors(0), half=True)
    assert safetensors.numpy.load_file(path)["weight"].dtype == np.float16
    read = checkpoints.load(path).tensors
    assert read["weight"].dtype == np.float32
    assert np.allclose(read["weight"], tensors(0)["weight"], atol=1e-3)
    assert read["count"] == 7


def test_a_run_folder_stands_for_its_model(tmp_path):
    saved(tmp_path / "model.safetensors", "segmenter")
    assert checkpoints.load(tmp_path).source.endswith("model.safetensors")


def test_a_missing_model_names_the_built_in_ones():
    with pytest.raises(CheckpointError, match=r"no model 'nothing': .* built-in models are"):
        checkpoints.load("nothing")


@pytest.mark.parametrize("share", [0, 0.05, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_refused(tmp_path, share):
    path = tmp_path / "model.safetensors"
    saved(path, "segmenter")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match=r"is no intact \.safetensors file"):
        checkpoints.load(path)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"cposix\nsystem\n(S'touch booby-trap'\ntR.", id="pickle"),
        pytest.param(struct.pack("<Q", 2**62) + b"{}", id="header of four exabytes"),
        pytest.param(struct.pack("<Q", 2) + b"[]", id="header that is a list"),
        pytest.param(b"PK\x03\x04" + bytes(100), id="zip"),
    ],
)
def test_what_is_no_safetensors_file_is_refused_and_not_run(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pt").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"is no intact \.safetensors file"):
        checkpoints.load("model.pt")
    assert not (tmp_path / "booby-trap").exists()


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    safetensors.numpy.save_file(tensors(0), path)
    with pytest.raises(CheckpointError, match="was not written by steel-defect-detection"):
        checkpoints.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "has format 2, this version reads format 1. Upgrade"),
        ({"classes": ["a"]}, "has a header that cannot be used"),
        ({"surprise": 1}, "has a header that cannot be used: surprise"),
        ({"architecture": "cascade"}, "has a header that cannot be used"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(tmp_path, change, message):
    path = tmp_path / "model.safetensors"
    content = json.loads(header("segmenter").model_dump_json()) | change
    metadata = {"steel_defect_detection": json.dumps(content)}
    safetensors.numpy.save_file(tensors(0), path, metadata=metadata)
    with pytest.raises(CheckpointError, match=re.escape(message)):
        checkpoints.load(path)


@pytest.mark.parametrize("text", ["[1]", "no json", "null"])
def test_a_header_that_is_no_object_is_refused(tmp_path, text):
    path = tmp_path / "model.safetensors"
    metadata = {"steel_defect_detection": text}
    safetensors.numpy.save_file(tensors(0), path, metadata=metadata)
    with pytest.raises(CheckpointError, match="has a header that"):
        checkpoints.load(path)


def test_every_built_in_model_has_a_card_with_data_licences_and_measures():
    assert "strip" in checkpoints.built_in()
    for name in checkpoints.built_in():
        card = checkpoints.load(name).header.card
        assert card.description
        assert card.limits
        assert card.measured
        assert card.metrics
        assert all(source.licence for source in card.data)


def test_the_built_in_models_are_small():
    sizes = [checkpoints.find(name).stat().st_size for name in checkpoints.built_in()]
    assert max(sizes) <= 20 * 2**20
    assert sum(sizes) <= 64 * 2**20


def test_a_run_folder_with_the_name_of_a_built_in_model_is_remarked_upon(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strip").mkdir()
    built_in = checkpoints.find("strip")
    assert not caplog.messages
    (tmp_path / "strip/model.safetensors").write_bytes(b"")
    assert checkpoints.find("strip") == built_in
    (said,) = caplog.messages
    assert said == f"strip is the built-in model; for the run write {tmp_path / 'strip'}"
    assert checkpoints.find(said.split()[-1]) == tmp_path / "strip/model.safetensors"


def test_half_precision_leaves_what_is_familiar_fine(tmp_path):
    # 1.0001 lies between two numbers of float16, and 1e6 above the largest.
    fine = np.array([1.0001, 1e6, 1e-9], dtype=np.float32)
    names = ("familiarity.mean", "gate.familiarity.median")
    path = tmp_path / "half.safetensors"
    stored = tensors(0) | dict.fromkeys(names, fine)
    checkpoints.save(path, header("segmenter"), stored, half=True)
    read = safetensors.numpy.load_file(path)
    assert read["weight"].dtype == np.float16
    for name in names:
        assert read[name].dtype == np.float32
        assert np.array_equal(checkpoints.load(path).tensors[name], fine)


@pytest.mark.parametrize(
    ("architecture", "graph", "expected"),
    [
        ("cascade", "classifier", {"familiarity.mean", "weight"}),
        ("cascade", "segmenter", {"encoder.weight"}),
        ("shared_backbone", "encoder_gate", {"encoder.weight", "familiarity.mean"}),
        ("shared_backbone", "decoder", {"decoder.weight"}),
        ("classifier", "classifier", None),
    ],
)
def test_what_is_familiar_goes_with_the_graph_that_looks_first(architecture, graph, expected):
    names = {
        "cascade": ["gate.weight", "gate.familiarity.mean", "segmenter.encoder.weight"],
        "shared_backbone": ["encoder.weight", "familiarity.mean", "decoder.weight"],
        "classifier": ["weight", "familiarity.mean"],
    }[architecture]
    made = Checkpoint(
        header=header("classifier").model_copy(update={"architecture": architecture}),
        tensors={name: np.zeros(1, dtype=np.float32) for name in names},
        source="",
        sha256="",
    )
    assert set(made.weights(graph)) == (expected or set(names))


def test_an_empty_name_is_told_as_such():
    with pytest.raises(CheckpointError, match=r"the model's name is empty; .* strip"):
        checkpoints.load("")
