import numpy as np
import pytest

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Calibration, Checkpoint, Header, Thresholds
from steel_defect_detection.errors import CheckpointError
from steel_defect_detection.models.config import (
    ClassifierConfig,
    FamiliarityConfig,
    GraphConfig,
    SegmenterConfig,
    TwoHeadConfig,
)
from tests.checkpoints.made import CLASSES, header, saved, tensors


def test_a_cascade_keeps_both_networks_apart(tmp_path):
    gate_limits = Thresholds(gate=0.3, classes=(0.2, 0.4), pixels=(0.5, 0.5), min_areas=(0, 0))
    limits = Thresholds(gate=0.9, classes=(0.9, 0.9), pixels=(0.6, 0.7), min_areas=(5, 6))
    gate = saved(tmp_path / "gate.safetensors", "classifier", thresholds=gate_limits)
    checkpoints.save(tmp_path / "s.safetensors", header("segmenter", thresholds=limits), tensors(1))
    segmenter = checkpoints.load(tmp_path / "s.safetensors")
    joined = checkpoints.join(gate, segmenter)
    checkpoints.save(tmp_path / "both.safetensors", joined.header, joined.tensors)
    read = checkpoints.load(tmp_path / "both.safetensors")
    assert np.array_equal(read.weights("classifier")["weight"], tensors(0)["weight"])
    assert np.array_equal(read.weights("segmenter")["weight"], tensors(1)["weight"])
    assert read.header.thresholds == Thresholds(
        gate=0.3, classes=(0.2, 0.4), pixels=(0.6, 0.7), min_areas=(5, 6)
    )


def test_two_segmenters_are_no_cascade(tmp_path):
    both = saved(tmp_path / "model.safetensors", "segmenter")
    with pytest.raises(CheckpointError, match=r"needs a classifier here, but .* is a segmenter"):
        checkpoints.join(both, both)


def test_a_cascade_of_different_classes_is_refused(tmp_path):
    gate = saved(tmp_path / "gate.safetensors", "classifier")
    others = ("scratch", "pit")
    other = GraphConfig(network=SegmenterConfig(classes=others))
    segmenter = saved(
        tmp_path / "s.safetensors", "segmenter", classes=others, graphs={"segmenter": other}
    )
    with pytest.raises(CheckpointError, match=r"knows the classes scratch, patch, but .* pit"):
        checkpoints.join(gate, segmenter)


def test_only_two_heads_are_shared(tmp_path):
    segmenter = saved(tmp_path / "one.safetensors", "segmenter")
    with pytest.raises(CheckpointError, match="is a segmenter, expected a two_head"):
        checkpoints.share(segmenter)


def test_a_shared_backbone_has_the_tensors_of_two_heads_in_two_graphs():
    config = TwoHeadConfig(classes=CLASSES, encoder="resnet18")
    two_head = Checkpoint(
        header=Header(
            architecture="two_head",
            graphs={"two_head": GraphConfig(network=config)},
            classes=CLASSES,
            thresholds=Thresholds.default(2),
        ),
        tensors={
            name: np.zeros(1, dtype=np.float32)
            for name in (
                "encoder.conv1.weight",
                "classification_head.3.bias",
                "decoder.blocks.0.weight",
                "segmentation_head.0.bias",
            )
        },
        source="two.safetensors",
        sha256="0",
    )
    shared = checkpoints.share(two_head)
    gate, decoder = (set(shared.weights(graph)) for graph in ("encoder_gate", "decoder"))
    assert gate == {"encoder.conv1.weight", "classification_head.3.bias"}
    assert gate | decoder == set(two_head.tensors)
    assert not gate & decoder


def test_a_cascade_of_different_flips_is_refused_and_else_has_theirs(tmp_path):
    gate = saved(tmp_path / "gate.safetensors", "classifier", flips="both")
    plain = saved(tmp_path / "plain.safetensors", "segmenter")
    with pytest.raises(CheckpointError, match=r"gate.* with flips 'both', those of .* 'none'"):
        checkpoints.join(gate, plain)
    segmenter = saved(tmp_path / "s.safetensors", "segmenter", flips="both")
    assert checkpoints.join(gate, segmenter).header.flips == "both"


FAMILIARITY = FamiliarityConfig(kinds=1, channels=(2, 3), directions=4)


def test_a_cascade_is_as_calibrated_as_its_gate(tmp_path):
    gate_graph = GraphConfig(
        network=ClassifierConfig(classes=CLASSES), temperature=2.5, familiarity=FAMILIARITY
    )
    gate = saved(
        tmp_path / "gate.safetensors",
        "classifier",
        graphs={"classifier": gate_graph},
        thresholds=Thresholds.default(2).model_copy(update={"familiarity": 0.02}),
        calibration=Calibration(images=8, data="gate's"),
    )
    segmenter = saved(
        tmp_path / "s.safetensors",
        "segmenter",
        thresholds=Thresholds.default(2).model_copy(update={"familiarity": 0.4}),
        calibration=Calibration(images=9, data="segmenter's"),
    )
    joined = checkpoints.join(gate, segmenter).header
    assert joined.calibration == Calibration(images=8, data="gate's")
    assert joined.thresholds.familiarity == 0.02
    assert joined.graphs["classifier"] == gate_graph
    plain = saved(tmp_path / "plain.safetensors", "classifier")
    assert checkpoints.join(plain, segmenter).header.calibration is None
    assert checkpoints.join(plain, segmenter).header.thresholds.familiarity == 0


def test_of_a_shared_backbone_the_gate_alone_is_familiar_with_images():
    config = TwoHeadConfig(classes=CLASSES, encoder="resnet18")
    graph = GraphConfig(network=config, temperature=2.0, familiarity=FAMILIARITY)
    record = Calibration(images=8, data="coils")
    two_head = Checkpoint(
        header=Header(
            architecture="two_head",
            graphs={"two_head": graph},
            classes=CLASSES,
            thresholds=Thresholds.default(2),
            calibration=record,
        ),
        tensors={
            name: np.zeros(1, dtype=np.float32)
            for name in ("encoder.conv1.weight", "familiarity.mean", "decoder.blocks.0.weight")
        },
        source="two.safetensors",
        sha256="0",
    )
    shared = checkpoints.share(two_head)
    gate, decoder = (shared.header.graphs[name] for name in ("encoder_gate", "decoder"))
    assert (gate.familiarity, decoder.familiarity) == (FAMILIARITY, None)
    assert gate.temperature == 2.0
    assert shared.header.calibration == record
    assert "familiarity.mean" in shared.weights("encoder_gate")
    assert set(shared.weights("decoder")) == {"decoder.blocks.0.weight"}
    # As it would be read back from a file.
    assert Header.model_validate(shared.header.model_dump()) == shared.header
