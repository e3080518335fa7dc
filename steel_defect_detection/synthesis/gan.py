"""Train a network that makes images of defects (a GAN) on real ones.

::

    Dataset -> gan_images.read -> GanTask -> Lightning's Trainer -> Gan

The output folder holds ``gan.safetensors`` (the last epoch that was finished),
``config.json``, ``epochs.csv`` and ``samples/epoch-0001.png`` and so on: what
the same random numbers have become in each epoch, where there are masks with
those beside in the colours of their classes. Where the training images have
masks, the made ones have some too, so that they can teach outlining.

Generated images resemble those that were learned from. Whether they are worth
anything in training must be measured on real ones.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer, seed_everything
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from steel_defect_detection import drawing, files, images, masks
from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.datasets import output_folder
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import TrainingError
from steel_defect_detection.runtimes.pytorch import find_device
from steel_defect_detection.synthesis import distance, gan_images
from steel_defect_detection.synthesis.gan_config import GanConfig
from steel_defect_detection.synthesis.gan_file import FILE, Gan, GanHeader, Generated, load_gan
from steel_defect_detection.synthesis.gan_images import Squares
from steel_defect_detection.synthesis.gan_task import GanTask
from steel_defect_detection.training.callbacks import Progress, measures
from steel_defect_detection.training.folder import fingerprint

__all__ = ["Gan", "GanConfig", "load_gan", "train_gan"]

_GRID = 6
_GAP = 2
_MOST_JUDGED = 256


def train_gan(
    dataset: Dataset,
    config: GanConfig,
    output: Path,
    *,
    device: str = "auto",
    judge: Checkpoint | None = None,
    overwrite: bool = False,
) -> Gan:
    """Train a generator of images, and keep the last epoch.

    Args:
        dataset: Training images: of one class for a generator of that class, or
            of all for one of all.
        config: Settings of the run.
        output: Folder to write into.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        judge: Model by whose features each epoch's images are compared with the
            real ones, in ``epochs.csv``; without one they are not.
        overwrite: Write into a folder that holds something, in place of the
            samples of an earlier run.

    Returns:
        The generator as ``gan.safetensors`` holds it.

    Raises:
        NoImagesError: If there are fewer than two images to learn from, or four
            where there is a judge.
        AnnotationError: If some images have masks and others none.
        ImageError: If an image cannot be read.
        ResultsError: If the folder is not empty or cannot be written.
        DeviceError: If the device is not there.
        TrainingError: If a loss is not finite, or memory runs out.
        KeyboardInterrupt: After Ctrl-C; the epochs so far are kept.
    """
    output = Path(output)
    found = find_device(device)
    squares = gan_images.read(dataset, config, progress=True)
    compared = None if judge is None else _Compared(judge, squares, config, device)
    output_folder.prepare(output, overwrite=overwrite)
    for old in (output / "samples").glob("epoch-*.png"):
        old.unlink()
    files.write_text(output / "config.json", config.model_dump_json(indent=2) + "\n")
    header = GanHeader(
        config=config,
        classes=dataset.classes,
        with_masks=squares.masks is not None,
        epochs=0,
        images=len(squares),
        inputs=fingerprint([dataset], ()),
    )
    seed_everything(config.seed, workers=False, verbose=False)
    kept = _KeepEpochs(output, header, compared)
    _fit(GanTask(config, header.planes), squares, kept, found)
    return load_gan(output)


class _Compared:
    """Real images that made ones are compared with."""

    def __init__(
        self, checkpoint: Checkpoint, squares: Squares, config: GanConfig, device: str
    ) -> None:
        self._judge = distance.Judge(checkpoint, device=device)
        self._seed = config.seed + 1
        random = np.random.default_rng(config.seed)
        chosen = random.permutation(len(squares))[:_MOST_JUDGED]
        self._count = len(chosen)
        self._real = self._judge.features(list(squares.images[chosen]))

    def measures(self, gan: Gan) -> dict[str, float]:
        made = [image for image, _ in gan.sample(self._count, self._seed)]
        found, deviation = distance.kernel_distance(self._real, self._judge.features(made))
        return {"kernel_distance": found, "kernel_deviation": deviation}


class _KeepEpochs(Callback):
    """Keep each epoch: the generator, a row of the table, and what it makes of the same numbers."""

    def __init__(self, output: Path, header: GanHeader, compared: _Compared | None) -> None:
        self._output = output
        self._header = header
        self._compared = compared
        self._rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what the epoch has come to; a reader never finds half of a file."""
        if not isinstance(pl_module, GanTask):
            return
        epoch = trainer.current_epoch + 1
        state = pl_module.generator.state_dict()
        gan = Gan(
            header=self._header.model_copy(update={"epochs": epoch}),
            tensors={name: value.cpu().numpy().copy() for name, value in state.items()},
        )
        if self._compared is not None:
            pl_module.log_dict(self._compared.measures(gan))
        self._rows.append({"epoch": epoch} | measures(trainer))
        gan.save(self._output / FILE)
        columns = list(self._rows[0])
        rows = [list(row.values()) for row in self._rows]
        files.write_table(self._output / "epochs.csv", columns, rows)
        made = gan.sample(_GRID**2, seed=self._header.config.seed)
        images.write(self._output / "samples" / f"epoch-{epoch:04d}.png", _sheet(made))


def _fit(task: GanTask, squares: Squares, kept: _KeepEpochs, device: torch.device) -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    trainer = Trainer(
        accelerator=device.type,
        devices=[device.index] if ":" in str(device) else 1,
        max_epochs=task.config.epochs,
        callbacks=[kept, Progress()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    size = min(task.config.batch_size, len(squares))
    # The rest of an epoch may be a single image, of which BatchNorm learns nothing.
    loader = DataLoader(squares, batch_size=size, shuffle=True, drop_last=True)
    with warnings.catch_warnings():
        # It remarks on the number of workers, for images that lie in memory.
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        with _plain_errors(task.config):
            trainer.fit(task, loader)


@contextmanager
def _plain_errors(config: GanConfig) -> Iterator[None]:
    """Say in one line what libraries say in many."""
    try:
        yield
    except SystemExit as stopped:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from stopped
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        msg = (
            f"memory ran out. Try a smaller batch_size than {config.batch_size} or a smaller "
            f"image_size than {config.image_size}"
        )
        raise TrainingError(msg) from error


def _sheet(made: list[Generated]) -> NDArray[np.uint8]:
    """Put images in rows and columns; where there are masks, those beside them in colours."""
    plain = _grid([image for image, _ in made])
    coloured = [_coloured(stack) for _, stack in made if stack is not None]
    return np.concatenate([plain, _grid(coloured)], axis=1) if coloured else plain


def _coloured(stack: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fill masks with the colours of their classes, on black."""
    colours = [(0, 0, 0), *(drawing.color(number + 1) for number in range(len(stack)))]
    return np.array(colours, dtype=np.uint8)[masks.to_label_map(stack)]


def _grid(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    framed = [
        np.pad(np.repeat(picture, 3 // picture.shape[2], axis=2), ((0, _GAP), (0, _GAP), (0, 0)))
        for picture in pictures
    ]
    lines = [framed[start : start + _GRID] for start in range(0, len(framed), _GRID)]
    return np.concatenate([np.concatenate(line, axis=1) for line in lines])
