"""Every preset trains two epochs on its real images with one command."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from steel_defect_detection import checkpoints
from steel_defect_detection.cli import crop
from steel_defect_detection.cli import train as command
from steel_defect_detection.training import presets
from steel_defect_detection.training.config import CascadeConfig

pytestmark = [pytest.mark.slow, pytest.mark.real_data]

DATA = {
    "strip": "severstal",
    "cracks": "crackforest",
    "prints": "neu_cls",
    "welds": "tig_ss304",
    "crops": "crops",
    "neu-cls": "neu_cls",
    "neu-duq": "neu_cls",
    "neu-seg": "neu_seg",
    "magnetic": "magnetic_tile",
}

# No network here has learned on ImageNet; a frozen one would then see nothing.
SCRATCH = ["--init", "scratch", "--no-freeze-encoder", "--epochs", "2"]


def data_of(preset: str, real_data, folder):
    """Folder of a preset's images; crops are cut first."""
    name = DATA.get(preset) or DATA[preset.partition("-")[0]]
    if name != "crops":
        return real_data / name
    cut = [str(real_data / "neu_seg"), "--output", str(folder)]
    assert CliRunner().invoke(crop.main, cut).exit_code in {0, 3}
    return folder


def losses(folder) -> list[float]:
    with (folder / "epochs.csv").open(newline="") as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_learns_from_its_real_images(name, real_data, tmp_path):
    data = data_of(name, real_data, tmp_path / "crops")
    arguments = [name, "--data", str(data), "--output", str(tmp_path / "run"), *SCRATCH]
    result = CliRunner().invoke(command.main, arguments)
    assert result.exit_code == 0, result.stderr
    checkpoint = checkpoints.load(tmp_path / "run")
    assert all(np.isfinite(tensor).all() for tensor in checkpoint.tensors.values())
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())
    is_cascade = isinstance(presets.load(name), CascadeConfig)
    for stage in ("gate", "segmenter") if is_cascade else ("",):
        folder = tmp_path / "run" / stage
        first, second = losses(folder)
        assert second < first
        drawn = {path.name for path in folder.glob("*.png")}
        assert drawn >= {"curves.png", "confusion.png", "examples.png"}
        written = {path.name for path in folder.iterdir()}
        assert written >= {"model.safetensors", "config.json", "last.ckpt", "tensorboard"}
