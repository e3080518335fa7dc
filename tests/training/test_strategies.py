"""What each process holds; training with it stands in tests/training/test_processes.py."""

from types import SimpleNamespace

import numpy as np
import torch
from lightning.pytorch.strategies import ModelParallelStrategy

from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.training import strategies
from steel_defect_detection.training.strategies import Ddp
from steel_defect_detection.training.task import build
from tests.training.small_runs import GATE


def of(**settings):
    return strategies.strategy(GATE.model_copy(update=settings))


def test_one_process_shares_with_nobody():
    assert of() == of(strategy="ddp") == of(strategy="fsdp") == "auto"


def test_several_processes_hold_the_whole_network_unless_told_otherwise():
    assert isinstance(of(devices=2), Ddp)
    assert isinstance(of(devices=2, strategy="ddp"), Ddp)
    assert isinstance(of(devices=2, nodes=2, strategy="fsdp"), ModelParallelStrategy)


def test_a_validation_step_asks_the_task_and_not_what_is_wrapped_around_it():
    strategy = Ddp()
    asked = []
    strategy._lightning_module = SimpleNamespace(validation_step=lambda *batch: asked.append(batch))
    strategy.model = None
    strategy.validation_step("batch", 3)
    assert asked == [("batch", 3)]


def test_a_network_that_is_not_dealt_out_stays_as_it_is():
    config = GATE.graph(("a", "b"))
    graph = graphs.plain(config)
    strategies.shard(SimpleNamespace(strategy=Ddp()), graph)
    strategies.unshard(graph)
    assert strategies.whole(SimpleNamespace(), graph, config) is graph


def test_the_weights_of_all_are_put_into_a_copy(monkeypatch):
    config = GATE.model_copy(update={"encoder": "shufflenet_v2"}).graph(("a", "b"))
    torch.manual_seed(0)
    job = build(GATE.model_copy(update={"encoder": "shufflenet_v2"}), config)
    state = dict(job.state_dict())
    for process in (state, {}):
        strategy = of(devices=2, strategy="fsdp")
        strategy.lightning_module_state_dict = lambda process=process: process
        copy = strategies.whole(SimpleNamespace(strategy=strategy), job.graph, config)
        assert copy is not job.graph
        found, expected = weights.arrays(copy), weights.arrays(job.graph)
        assert found.keys() == expected.keys()
        same = all(np.array_equal(found[name], expected[name]) for name in expected)
        assert same == bool(process)
