"""A step of a GAN within Lightning's loop."""

import re

import pytest
import torch
from lightning import Trainer
from torch.utils.data import DataLoader

from steel_defect_detection.errors import TrainingError
from steel_defect_detection.synthesis.gan_config import GanConfig
from steel_defect_detection.synthesis.gan_task import GanTask

CONFIG = GanConfig(image_size=16, latent_size=6, batch_size=2, epochs=1)


def trained(images: torch.Tensor, config: GanConfig = CONFIG) -> tuple[GanTask, Trainer]:
    torch.manual_seed(0)
    task = GanTask(config, planes=images.shape[1])
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task, DataLoader(images, batch_size=2))
    return task, trainer


def test_both_networks_learn_and_both_losses_are_logged():
    torch.manual_seed(0)
    fresh = GanTask(CONFIG, planes=1)
    task, trainer = trained(torch.rand(4, 1, 16, 16) * 2 - 1)
    assert set(trainer.callback_metrics) == {"generator_loss", "discriminator_loss"}
    for name in ("generator", "discriminator"):
        before, after = (dict(one.named_parameters()) for one in (fresh, task))
        moved = [
            key
            for key in before
            if key.startswith(name) and not torch.equal(before[key], after[key])
        ]
        assert moved


def test_each_optimiser_holds_the_weights_of_one_network():
    task = GanTask(CONFIG, planes=1)
    optimizers = task.configure_optimizers()
    for optimizer, network in zip(optimizers, (task.generator, task.discriminator), strict=True):
        held = [weight for group in optimizer.param_groups for weight in group["params"]]
        assert {id(weight) for weight in held} == {id(weight) for weight in network.parameters()}
        assert optimizer.param_groups[0]["betas"] == (0.5, 0.999)
        assert optimizer.param_groups[0]["lr"] == 2e-4


def test_a_loss_that_is_no_number_ends_the_run():
    # Through BatchNorm one image without numbers spoils the whole batch.
    message = "the generator_loss became nan in epoch 1. Try a smaller learning_rate than 0.0002"
    with pytest.raises(TrainingError, match=re.escape(message)):
        trained(torch.full((2, 1, 16, 16), float("nan")))
