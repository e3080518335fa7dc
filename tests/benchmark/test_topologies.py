import numpy as np
import pytest

from steel_defect_detection import checkpoints, load_predictor
from steel_defect_detection.benchmark import topologies


@pytest.fixture(scope="module")
def found(cascade):
    return topologies.of(checkpoints.load(cascade))


def test_a_cascade_has_two_counterparts_on_its_segmenter_s_encoder(found):
    assert list(found) == ["cascade", "two_head", "shared_backbone"]
    segmenter = found["cascade"].header.graphs["segmenter"]
    for name in ("two_head", "shared_backbone"):
        for graph in found[name].header.graphs.values():
            assert graph.network.encoder == segmenter.network.encoder
            assert graph.network.classes == segmenter.network.classes
            assert graph.preprocessing == segmenter.preprocessing


@pytest.mark.parametrize("name", ["two_head", "shared_backbone"])
def test_the_counterparts_run_and_outline_nothing(found, name):
    predictor = load_predictor(found[name], gate_threshold=0.0, runtime="pytorch", device="cpu")
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    prediction = predictor.predict(image)
    assert prediction.times.segment_ms is not None
    assert not prediction.label_map.any()


def test_a_model_of_one_network_has_no_counterparts(cascade):
    model = topologies.of(checkpoints.load(cascade))["two_head"]
    assert topologies.of(model) == {"two_head": model}
