"""The lesson of a GAN: what a step does, in Lightning's words."""

from typing import Any, cast

import torch
from lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from steel_defect_detection.errors import TrainingError
from steel_defect_detection.synthesis.gan_config import GanConfig
from steel_defect_detection.synthesis.gan_networks import Discriminator, Generator, step


class GanTask(LightningModule):
    """Train a generator and a discriminator, one step of each per batch.

    Args:
        config: Settings of the run.
        planes: Channels of the images, and one per mask.
    """

    def __init__(self, config: GanConfig, planes: int) -> None:
        """Build both networks with random weights."""
        super().__init__()
        # Two optimisers take turns, which Lightning leaves to us.
        self.automatic_optimization = False
        self.config = config
        self.generator = Generator(config.latent_size, config.image_size, planes)
        self.discriminator = Discriminator(config.image_size, planes)

    def training_step(self, batch: Tensor, batch_index: int) -> None:  # noqa: ARG002
        """Let both learn from one batch of real images, float, -1 to 1."""
        optimizers = cast("tuple[Optimizer, Optimizer]", self.optimizers())
        losses = step(self.generator, self.discriminator, optimizers, batch)
        for name, loss in zip(("generator_loss", "discriminator_loss"), losses, strict=True):
            if not torch.isfinite(loss):
                msg = (
                    f"the {name} became {loss.item()} in epoch {self.current_epoch + 1}. Try a "
                    f"smaller learning_rate than {self.config.learning_rate}"
                )
                raise TrainingError(msg)
            self.log(name, loss, on_step=False, on_epoch=True, batch_size=len(batch))

    def configure_optimizers(self) -> Any:
        """Build one Adam for each network, the generator's first."""
        betas = (self.config.beta_1, 0.999)
        return [
            torch.optim.Adam(network.parameters(), lr=self.config.learning_rate, betas=betas)
            for network in (self.generator, self.discriminator)
        ]
