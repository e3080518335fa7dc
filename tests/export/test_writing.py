"""What is exported says what PyTorch says, or is not written."""

import errno
import hashlib
import re

import numpy as np
import pytest
import torch
from scipy.special import expit

from steel_defect_detection import checkpoints, images, load_predictor
from steel_defect_detection.errors import ConfigError, ExportError, NoImagesError
from steel_defect_detection.export import openvino, torchscript
from steel_defect_detection.export.formats import FORMATS
from steel_defect_detection.export.reading import read
from steel_defect_detection.export.writing import export
from steel_defect_detection.models import weights
from tests.export import toys


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "segmenter.safetensors"
    return toys.save(path, "segmenter", toys.SEGMENTER)


def to_torchscript(model, folder, strips, **settings):
    return to_openvino(model, folder, strips, **{"file_format": "torchscript"} | settings)


def to_openvino(model, folder, strips, **settings):
    return export(
        model,
        folder,
        **{"file_format": "openvino", "calibration": strips, "size": toys.SHAPE} | settings,
    )


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_export_judges_as_the_checkpoint_does(exports, cascade, strips, file_format):
    exported = load_predictor(exports(file_format))
    original = load_predictor(cascade, runtime="pytorch")
    assert exported.classes == toys.CLASSES
    assert exported.thresholds == toys.LIMITS
    verdicts = set()
    for path in images.find([strips]):
        found, expected = exported.predict(path), original.predict(path)
        verdicts.add(found.verdict)
        assert found.verdict == expected.verdict
        assert found.runs() == expected.runs()
        assert found.gate_probability == pytest.approx(expected.gate_probability, abs=1e-5)
        assert found.familiarity == pytest.approx(expected.familiarity, abs=1e-4)
        assert found.familiarity >= toys.LIMITS.familiarity
        assert found.certainty == pytest.approx(expected.certainty, abs=1e-5)
    assert verdicts == {"clean", "defect"}


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_operating_points_of_a_cascade_arrive_with_its_export(exports, cascade, file_format):
    arrived = read(exports(file_format)).description.header
    assert arrived == checkpoints.load(cascade).header
    gate = arrived.graphs["classifier"]
    assert (gate.temperature, gate.familiarity.kinds) == (toys.TEMPERATURE, 2)
    assert arrived.calibration == toys.CALIBRATION
    predictor = load_predictor(exports(file_format))
    assert predictor.is_calibrated
    assert predictor.thresholds == toys.LIMITS
    assert predictor.predict(toys.STRANGER).verdict == "unfamiliar"
    wish = {"least_familiarity": 0, "gate_threshold": 1}
    never = load_predictor(exports(file_format), **wish).predict(toys.STRANGER)
    assert never.verdict == "clean"
    # The temperature is that of the gate: without it the logits would be 1.5 times as far from 0.
    made = checkpoints.load(cascade)
    plain = weights.restored_plain(gate, made.weights("classifier"))
    with torch.inference_mode():
        logits = plain.logits(torch.from_numpy(toys.STRANGER[None])).numpy()
    assert never.scores == pytest.approx(expit(logits[0] / toys.TEMPERATURE), abs=1e-5)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A calibrated classifier."""
    path = tmp_path_factory.mktemp("model") / "classifier.safetensors"
    limits = toys.LIMITS.model_copy(update={"classes": (0.05, 0.95)})
    return toys.save_calibrated(path, "classifier", toys.GATE, thresholds=limits)


@pytest.mark.parametrize(
    ("file_format", "precision"),
    [("onnx", "float16"), ("openvino", "float16"), ("torchscript", "float32")],
)
def test_a_calibrated_classifier_arrives_with_what_it_knows(
    calibrated, strips, tmp_path, file_format, precision
):
    if file_format == "onnx":
        pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    wish = {"file_format": file_format, "precision": precision}
    made = to_openvino(calibrated, tmp_path / "export", strips, **wish)
    compared = made.description.comparison["classifier"]
    assert compared.same_decisions == 1
    found, expected = load_predictor(made.folder), load_predictor(calibrated, runtime="pytorch")
    assert (found.thresholds, found.is_calibrated) == (expected.thresholds, True)
    for image in [*images.find([strips]), toys.STRANGER]:
        one, other = found.predict(image), expected.predict(image)
        assert one.verdict == other.verdict
        assert one.certainty == pytest.approx(other.certainty, abs=1e-3)
        assert one.familiarity == pytest.approx(other.familiarity, abs=0.02)
    assert one.verdict == "unfamiliar"


@pytest.mark.parametrize("file_format", FORMATS)
def test_grey_images_of_one_channel_are_judged(exports, cascade, file_format):
    image = np.random.default_rng(1).integers(0, 200, (*toys.SHAPE, 1), dtype=np.uint8)
    found = load_predictor(exports(file_format), gate_threshold=0).predict(image)
    expected = load_predictor(cascade, runtime="pytorch", gate_threshold=0).predict(image)
    assert found.runs() == expected.runs() != {}


def test_each_file_tells_the_comparison(exports, cascade):
    about = read(exports("openvino")).description
    assert about.sha256 == hashlib.sha256(cascade.read_bytes()).hexdigest()
    assert about.header == checkpoints.load(cascade).header
    assert (about.precision, about.image_shape) == ("float32", (*toys.SHAPE, 3))
    gate, segmenter = about.comparison["classifier"], about.comparison["segmenter"]
    assert gate.images == segmenter.images == 4
    assert 0 <= gate.probability_difference < 1e-4
    assert (gate.same_decisions, gate.same_masks, gate.dice) == (1, None, None)
    assert (segmenter.same_decisions, segmenter.same_masks, segmenter.dice) == (None, 1, 1)
    assert segmenter.outlines > 0
    assert {"torch", "openvino", "steel-defect-detection"} <= set(about.versions)


@pytest.mark.thorough
def test_a_shared_backbone_goes_on_from_its_exported_gate(tmp_path, strips):
    path = toys.save_shared_backbone(tmp_path)
    made = to_openvino(path, tmp_path / "export", strips)
    assert sorted(made.description.networks) == ["decoder", "encoder_gate"]
    found = load_predictor(made.folder, gate_threshold=0)
    expected = load_predictor(path, runtime="pytorch", gate_threshold=0)
    for strip in images.find([strips]):
        assert found.predict(strip).runs() == expected.predict(strip).runs()


def wrong_weight(config, tensors):
    return config, dict(tensors) | {"segmentation_head.0.bias": np.full(2, 0.5, np.float32)}


def wrong_normalisation(config, tensors):
    other = config.preprocessing.model_copy(update={"mean": 0.5})
    return config.model_copy(update={"preprocessing": other}), tensors


@pytest.mark.thorough
@pytest.mark.parametrize(
    "case",
    [
        (torchscript, "float32", wrong_weight),
        (torchscript, "float32", wrong_normalisation),
        (openvino, "float16", wrong_weight),
    ],
)
def test_a_broken_export_is_refused(segmenter, strips, tmp_path, monkeypatch, case):
    form, precision, spoil = case
    honest = form.convert

    def broken(config, tensors, inputs):
        return honest(*spoil(config, tensors), inputs)

    monkeypatch.setattr(form, "convert", broken)
    name = form.__name__.rpartition(".")[2]
    with pytest.raises(ExportError, match=f"the segmenter in {precision} differs from PyTorch on"):
        to_openvino(segmenter, tmp_path / "export", strips, file_format=name, precision=precision)
    assert list(tmp_path.iterdir()) == []


def test_torchscript_on_a_full_disk_is_one_line(segmenter, strips, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(ExportError, match=r"cannot be written: No space left on device$"):
        to_torchscript(segmenter, tmp_path / "out", strips)
    assert not list(tmp_path.iterdir())


def test_a_network_that_cannot_be_converted_is_one_line(segmenter, strips, tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise TypeError("no rule\nfor this layer")

    monkeypatch.setattr(openvino, "convert", refuse)
    message = "the segmenter cannot be converted: no rule for this layer"
    with pytest.raises(ExportError, match=message):
        to_openvino(segmenter, tmp_path / "export", strips)
    assert list(tmp_path.iterdir()) == []


def test_float16_halves_the_weights(exports, segmenter, strips, tmp_path):
    half = to_openvino(segmenter, tmp_path / "half", strips, precision="float16")
    full = (exports("openvino") / "segmenter.bin").stat().st_size
    assert (half.folder / "segmenter.bin").stat().st_size < 0.55 * full
    expected = load_predictor(segmenter, runtime="pytorch", keep_probabilities=True)
    found = load_predictor(half.folder, keep_probabilities=True)
    strip = images.find([strips])[0]
    gap = found.predict(strip).probabilities - expected.predict(strip).probabilities
    assert 0 < np.abs(gap).max() < 0.01


def test_an_export_that_is_there_is_kept_unless_told(segmenter, strips, tmp_path):
    made = to_torchscript(segmenter, tmp_path / "export", strips)
    before = (made.folder / "segmenter.pt").read_bytes()
    with pytest.raises(ExportError, match=r"is there already\. Replace it with --overwrite"):
        to_torchscript(segmenter, tmp_path / "export", strips)
    assert (made.folder / "segmenter.pt").read_bytes() == before
    to_torchscript(segmenter, tmp_path / "export", strips, overwrite=True, size=(32, 64))
    assert read(made.folder).description.image_shape == (32, 64, 3)


def test_what_is_no_export_is_never_replaced(segmenter, strips, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=r"holds 'notes\.txt', which is no part of an export"):
        to_torchscript(segmenter, tmp_path, strips, overwrite=True)
    with pytest.raises(ExportError, match="is a file, and an export is a folder"):
        to_torchscript(segmenter, tmp_path / "notes.txt", strips)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"file_format": "tflite"}, ConfigError, "format must be one of onnx, openvino, torchscr"),
        ({"precision": "int4"}, ConfigError, "openvino is written in float32, float16, int8, got"),
        (
            {"file_format": "torchscript", "precision": "int8"},
            ConfigError,
            "torchscript is written in float32, got precision 'int8'",
        ),
        ({"size": (3000, 3000)}, ConfigError, "3000 x 3000 is above 4,000,000 pixels"),
        ({"size": (0, 64)}, ConfigError, "height and width must be positive, got 0 x 64"),
        ({"calibration": "nowhere"}, NoImagesError, "nowhere"),
    ],
)
def test_what_cannot_be_exported_is_refused(segmenter, strips, tmp_path, settings, error, message):
    with pytest.raises(error, match=re.escape(message)):
        to_openvino(segmenter, tmp_path / "export", strips, **settings)
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_not_exported_again(exports, tmp_path):
    with pytest.raises(ExportError, match="is an export already"):
        export(exports("torchscript"), tmp_path / "again")


@pytest.mark.parametrize(
    ("size", "tile"), [((3000, 2000), "1024 x 1024"), ((1000, 5000), "1000 x 1024")]
)
def test_larger_images_than_can_be_exported_for_are_judged_in_tiles(segmenter, size, tile):
    with pytest.raises(ConfigError, match=f"judged in tiles of {tile}, so export for that size"):
        export(segmenter, size=size)


@pytest.mark.parametrize("name", ["yolo.pt", "other.onnx", "other.bin"])
def test_networks_of_others_are_never_replaced(segmenter, strips, tmp_path, name):
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(ExportError, match="which is no part of an export, and is left alone"):
        to_torchscript(segmenter, tmp_path, strips, overwrite=True)
    assert (tmp_path / name).read_bytes() == b"mine"


def test_the_size_is_what_the_model_sees_if_that_is_fixed(tmp_path, strips):
    config = toys.SEGMENTER.model_copy(
        update={"preprocessing": toys.SEGMENTER.preprocessing.model_copy(update={"size": (64, 64)})}
    )
    path = toys.save(tmp_path / "model.safetensors", "segmenter", config)
    made = to_torchscript(path, tmp_path / "export", strips, size=None)
    assert made.description.image_shape == (64, 64, 3)


def test_an_exported_distance_head_tells_its_certainty(tmp_path, strips):
    network = toys.GATE.network.model_copy(
        update={"exclusive": True, "head": "duq", "embedding_size": 8, "length_scale": 1.0}
    )
    config = toys.GATE.model_copy(update={"network": network})
    path = toys.save(tmp_path / "model.safetensors", "classifier", config)
    found = load_predictor(to_torchscript(path, tmp_path / "export", strips).folder)
    expected = load_predictor(path, runtime="pytorch")
    for strip in images.find([strips]):
        certainty = expected.predict(strip).certainty
        assert 0.001 < certainty < 0.999
        assert found.predict(strip).certainty == pytest.approx(certainty, abs=1e-5)
