"""Images of defects made by a network that has learned from real ones (a GAN).

::

    Dataset -> gan_images.read -> GanTask -> Lightning's Trainer -> Gan

The output folder holds ``gan.safetensors`` (the last epoch that was finished),
``config.json``, ``epochs.csv`` and ``samples/epoch-0001.png`` and so on: what
the same random numbers have become in each epoch, where there are masks with
the outlines beside. Where the training images have masks, the made ones have
some too, so that they can teach outlining.

A made image resembles the images that were learned from and is none of them;
whether it is worth anything in training must be measured on real images.
"""

import hashlib
import json
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.numpy
import torch
from lightning import Callback, LightningModule, Trainer, seed_everything
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from torch.utils.data import DataLoader

from steel_defect_detection import drawing, files, images, masks
