from functools import cache

import numpy as np
import pytest
import torch

from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import GraphConfig, TwoHeadConfig
from steel_defect_detection.predictors.shared_backbone import SharedBackbonePredictor
from steel_defect_detection.predictors.two_head import TwoHeadPredictor
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime
from tests.predictors.contract import PredictorContract

CLASSES = ("a", "b")
GRAPH = GraphConfig(network=TwoHeadConfig(encoder="resnet18", classes=CLASSES))
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)


class Counting:
    """A runtime that counts how often it runs."""

    def __init__(self, runtime) -> None:
        self.name, self.parallel = runtime.name, runtime.parallel
        self.precision, self.preprocessing = "bfloat16", runtime.preprocessing
        self.runtime = runtime
        self.calls = 0

    def run(self, images, **features):
        self.calls += 1
        return self.runtime.run(images, **features)


@cache
def tensors() -> dict[str, np.ndarray]:
    torch.manual_seed(0)
    return weights.arrays(graphs.build(GRAPH))


@cache
def runtime(part: str) -> PyTorchRuntime:
    config = GRAPH.model_copy(update={"part": part})
    names = set(weights.arrays(graphs.build(config)))
    kept = {name: values for name, values in tensors().items() if name in names}
    return PyTorchRuntime(config, kept, device="cpu")


def half(part: str) -> Counting:
    return Counting(runtime(part))


def shared(gate: float, careful: Counting | None = None) -> SharedBackbonePredictor:
    thresholds = Thresholds.default(2).model_copy(update={"gate": gate})
    return SharedBackbonePredictor(
        CLASSES,
        thresholds,
        encoder_gate=half("gate"),
        decoder=half("decoder"),
        keep_probabilities=True,
        careful=careful,
    )


class TestSharedBackbone(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def predictor(cls):
        return shared(0.5)


@pytest.mark.parametrize(("gate", "decodes"), [(0.0, 1), (1.0, 0)])
def test_the_decoder_runs_only_where_the_gate_fires(gate, decodes):
    predictor = shared(gate)
    prediction = predictor.predict(IMAGE)
    assert predictor._network.calls == 1
    assert predictor._decoder.calls == decodes
    assert (prediction.times.segment_ms is not None) == bool(decodes)


def test_it_says_what_one_pass_would_say():
    thresholds = Thresholds.default(2).model_copy(update={"gate": 0.0})
    whole = TwoHeadPredictor(
        CLASSES,
        thresholds,
        two_head=PyTorchRuntime(GRAPH, tensors(), device="cpu"),
        keep_probabilities=True,
    )
    one, two = whole.predict(IMAGE), shared(0.0).predict(IMAGE)
    assert np.allclose(one.probabilities, two.probabilities, atol=1e-5)
    assert np.allclose(one.scores, two.scores, atol=1e-6)


def test_a_close_gate_is_asked_again_and_the_decoder_goes_on_from_its_features():
    says = shared(0.0).predict(IMAGE).gate_probability
    near, far = says - 0.01, says - 0.2
    careful = half("gate")
    prediction = shared(near, careful).predict(IMAGE)
    assert careful.calls == 1
    assert np.allclose(prediction.probabilities, shared(0.0).predict(IMAGE).probabilities)
    shared(far, careful).predict(IMAGE)
    assert careful.calls == 1
