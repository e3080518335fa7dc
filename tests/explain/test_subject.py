import numpy as np
import pytest
import torch

from steel_defect_detection import checkpoints
from steel_defect_detection.errors import CheckpointError, ConfigError
from steel_defect_detection.explain.subject import read
from steel_defect_detection.export.writing import export
from steel_defect_detection.models import weights
from tests.export import toys

PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 200, (1, 64, 96, 1), dtype=np.uint8))


def answer(subject) -> torch.Tensor:
    with torch.inference_mode():
        return subject.logits(subject.graph, PIXELS)


@pytest.fixture(scope="module")
def cascade(tmp_path_factory):
    return toys.save_cascade(tmp_path_factory.mktemp("cascade"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return toys.save_shared_backbone(tmp_path_factory.mktemp("shared"))


def test_outlines_are_explained_unless_the_verdict_is_asked_for(cascade):
    assert answer(read(cascade)).shape == (1, 2, 64, 96)
    assert answer(read(cascade, "classifier")).shape == (1, 2)


def test_the_two_halves_of_a_shared_backbone_are_one_network(shared):
    whole = checkpoints.load(shared.parent / "two-head.safetensors")
    graph = weights.restored(whole.header.graphs["two_head"], whole.weights("two_head"))
    with torch.inference_mode():
        pixels, image = graph.logits(PIXELS)
    for path in (shared, shared.parent / "two-head.safetensors"):
        assert torch.equal(answer(read(path)), pixels)
        assert torch.equal(answer(read(path, "classifier")), image)


def test_it_says_where_it_came_from(cascade):
    subject = read(cascade)
    assert (subject.source, subject.classes) == (str(cascade), ("pit", "scratch"))
    assert subject.sha256 == checkpoints.load(cascade).sha256
    assert subject.grey
    assert subject.class_number("scratch") == 1


def test_a_class_that_the_model_does_not_know_is_refused(cascade):
    with pytest.raises(ConfigError, match=r"^the model has no class 'rust'; it has pit, scratch$"):
        read(cascade).class_number("rust")


def test_a_part_that_is_not_there_is_refused(cascade):
    gate = cascade.parent / "gate.safetensors"
    assert read(gate).part == "classifier"
    with pytest.raises(ConfigError, match="is a classifier and has no segmenter"):
        read(gate, "segmenter")


def test_an_export_cannot_be_explained(cascade, tmp_path):
    strips = toys.strips(tmp_path / "strips")
    made = export(
        cascade.parent / "gate.safetensors",
        tmp_path / "export",
        file_format="torchscript",
        calibration=strips,
        size=toys.SHAPE,
    )
    with pytest.raises(CheckpointError, match="is an export, whose network gives no gradients"):
        read(made.folder)
