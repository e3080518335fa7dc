import errno
from pathlib import Path

import pytest
import torch

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.training import run
from steel_defect_detection.training.keeping import WholeCheckpoints
from tests.training.small_runs import GATE


def test_what_is_kept_is_read_back(tmp_path):
    WholeCheckpoints().save_checkpoint({"weights": torch.arange(3)}, tmp_path / "new/last.ckpt")
    found = torch.load(tmp_path / "new/last.ckpt", weights_only=True)
    assert found["weights"].tolist() == [0, 1, 2]


def test_on_a_full_disk_the_earlier_state_stays(tmp_path, monkeypatch):
    place = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"epoch": 1}, place)
    before = place.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ResultsError, match=r"last\.ckpt cannot be written: No space left"):
        WholeCheckpoints().save_checkpoint({"epoch": 2}, place)
    assert place.read_bytes() == before
    assert list(tmp_path.iterdir()) == [place]


def test_a_training_writes_its_state_only_beside_its_place(data, tmp_path, monkeypatch):
    written = []
    replace = Path.replace

    def noting(self, target):
        written.append((self.parent, Path(target)))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noting)
    run.train(GATE, data, tmp_path / "run")
    states = [parent for parent, target in written if target.name == "last.ckpt"]
    assert states == [tmp_path / "run"] * GATE.epochs
