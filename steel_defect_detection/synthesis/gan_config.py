"""GanConfig: every setting of one run that trains a generator of images, declared once."""

from typing import Literal, Self

from pydantic import Field, model_validator

from steel_defect_detection.models.config import Frozen

HALVINGS = 4
"""How often the discriminator halves an image."""


class GanConfig(Frozen):
    """Settings of one run, written beside what it has learned.

    All defaults are those of the prints system, but for the size of the images
    and for what it had not: masks, windows around defects, grey images and a
    seed.
    """

    image_size: int = Field(
        default=64, ge=16, le=512, description="Side of the images, a multiple of 16 pixels."
    )
    channels: Literal[1, 3] = Field(
        default=1, description="1: grey images; 3: red, green and blue."
    )
    masks: bool = Field(
        default=True, description="Make the outlines too, where the training images have some."
    )
    crops: bool = Field(
        default=True,
        description="Images with masks: learn from windows of image_size around their defects; "
        "otherwise from whole images, made as small as that.",
    )
    latent_size: int = Field(
        default=100, ge=1, le=4096, description="Random numbers that an image is made of."
    )
    epochs: int = Field(default=100, ge=1, description="Passes over the training images.")
    batch_size: int = Field(
        default=32, ge=2, description="Images per step; fewer where there are not as many."
    )
    learning_rate: float = Field(default=2e-4, gt=0, description="Size of the steps.")
    beta_1: float = Field(
        default=0.5, ge=0, lt=1, description="Share of the last direction that Adam keeps."
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="Number that all chance depends on.")

    @model_validator(mode="after")
    def _size_can_be_halved(self) -> Self:
        step = 2**HALVINGS
        if self.image_size % step:
            below = self.image_size // step * step
            msg = (
                f"image_size must be a multiple of {step}, got {self.image_size}. "
                f"Take {below} or {below + step}"
            )
            raise ValueError(msg)
        return self
