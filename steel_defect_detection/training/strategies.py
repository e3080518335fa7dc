"""How processes share the work of training, in Lightning's words.

With ``ddp`` each process holds the whole network. With ``fsdp`` each holds a part
of the weights, of their gradients and of the optimiser's state, and they put the
network together for each step: PyTorch's FSDP2, which runs on processors too.
"""

from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch.distributed.fsdp import FSDPModule, fully_shard

from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.models.graph import Graph, PlainGraph
from steel_defect_detection.training.config import TrainConfig


class Ddp(DDPStrategy):
    """Lightning's, with validation steps that do not wait for each other.

    Processes may have different numbers of validation images. DDP's own
    ``forward`` would have them exchange statistics at each.
    """

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task itself."""
        assert self.lightning_module is not None
        with self.precision_plugin.val_step_context():
            return self.lightning_module.validation_step(*args, **kwargs)


def strategy(config: TrainConfig) -> Strategy | str:
    """For Lightning's ``Trainer(strategy=…)``; one process has nobody to share with.

    Args:
        config: Settings of the run.
    """
    count = config.devices * config.nodes
    if count == 1:
        return "auto"
    if config.strategy == "fsdp":
        return ModelParallelStrategy(
            data_parallel_size=count, tensor_parallel_size=1, save_distributed_checkpoint=False
        )
    return Ddp()


def shard(trainer: Trainer, graph: PlainGraph) -> None:
    """Deal the weights out to the processes, where the strategy is to.

    Args:
        trainer: What trains, after its processes have met.
        graph: Its network, changed in place.
    """
    if isinstance(trainer.strategy, ModelParallelStrategy):
        # It deals out rows, which have to lie in one piece.
        graph.network.to(memory_format=torch.contiguous_format)
        fully_shard(graph.network, mesh=trainer.strategy.device_mesh["data_parallel"])


def unshard(graph: PlainGraph) -> None:
    """Put the weights together until the next step, if they were dealt out.

    Args:
        graph: The network; afterwards its forward passes wait for nobody.
    """
    if isinstance(graph.network, FSDPModule):
        graph.network.unshard()


def whole(trainer: Trainer, graph: PlainGraph, config: GraphConfig) -> Graph:
    """The network with all of its weights; all processes have to call this.

    Args:
        trainer: What trains it.
        graph: The network, which may be dealt out.
        config: Its description.

    Returns:
        The network itself. Where it is dealt out, a copy, which holds the weights
        in the first process only.
    """
    strategy = getattr(trainer, "strategy", None)
    if not isinstance(strategy, ModelParallelStrategy):
        return graph
    copy = graphs.plain(config)
    state = strategy.lightning_module_state_dict()
    if state:
        prefix = "graph."
        named = {name: value for name, value in state.items() if name.startswith(prefix)}
        copy.load_state_dict({name.removeprefix(prefix): named[name] for name in named})
    return copy
