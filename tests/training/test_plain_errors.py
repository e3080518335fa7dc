"""Errors of other libraries, which end a run in one line."""

import os
import signal

import pytest
import torch

from steel_defect_detection.errors import ImageError, TrainingError
from steel_defect_detection.training import plain_errors, task
from steel_defect_detection.training.processes import EndedQuietly
from steel_defect_detection.training.run import train
from tests.conftest import draw_sheets
from tests.training.small_runs import GATE, SEGMENTER


def test_a_state_that_would_run_code_is_refused(data, tmp_path):
    class Harm:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'harm'}",)

    config = GATE.model_copy(update={"epochs": 1})
    train(config, data, tmp_path)
    (tmp_path / "metrics.json").unlink()
    torch.save({"state_dict": Harm()}, tmp_path / "last.ckpt")
    with pytest.raises(TrainingError, match=r"last\.ckpt is damaged, .* Add --overwrite"):
        train(config, data, tmp_path)
    assert not (tmp_path / "harm").exists()


def test_a_damaged_state_cannot_be_gone_on_from(data, tmp_path):
    config = SEGMENTER.model_copy(update={"epochs": 1})
    train(config, data, tmp_path)
    (tmp_path / "metrics.json").unlink()
    state = (tmp_path / "last.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(state[: len(state) // 2])
    with pytest.raises(TrainingError, match=r"last\.ckpt is damaged, .* Add --overwrite"):
        train(config, data, tmp_path)


def test_a_damaged_image_is_named_in_one_line_by_a_worker(tmp_path):
    folder = draw_sheets(tmp_path / "data")
    for path in (folder / "train_images").iterdir():
        path.write_bytes(path.read_bytes()[:-40])
    config = SEGMENTER.model_copy(update={"workers": 1})
    with pytest.raises(ImageError, match=r"^\S+sheet-\d\.png cannot be decoded[^\n]*$"):
        train(config, folder, tmp_path / "run")


@pytest.mark.thorough
def test_a_batch_too_small_to_learn_from_says_what_to_raise(data, tmp_path):
    config = SEGMENTER.model_copy(update={"batch_size": 1, "crop_size": (32, 32)})
    with pytest.raises(TrainingError, match="raise one of them"):
        train(config, data, tmp_path / "run")


def test_a_reader_that_is_killed_is_one_line(data, tmp_path, monkeypatch):
    def killed(*_arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr("steel_defect_detection.training.data.TrainingItems.__getitem__", killed)
    with pytest.raises(TrainingError, match="Try fewer --workers than 1"):
        train(SEGMENTER.model_copy(update={"workers": 1}), data, tmp_path)


def test_a_lack_of_memory_says_what_to_make_smaller(data, tmp_path, monkeypatch):
    def too_large(*_arguments):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")

    monkeypatch.setattr(task.SegmenterTask, "loss", too_large)
    with pytest.raises(TrainingError, match=r"memory ran out\. Try a smaller --batch-size"):
        train(SEGMENTER, data, tmp_path)


def test_an_error_of_a_worker_process_is_told_without_its_traceback():
    text = "Caught ImageError.\nOriginal Traceback:\n  File x\nmodule.ImageError: a.png is cut"
    with pytest.raises(ImageError, match=r"^a\.png is cut$"), plain_errors.plain_errors(GATE):
        raise ImageError(text)


def test_what_lightning_makes_of_ctrl_c_is_an_interruption_again():
    with pytest.raises(KeyboardInterrupt), plain_errors.plain_errors(GATE):
        raise SystemExit(1)


def test_a_connection_that_breaks_means_that_another_process_has_ended(monkeypatch):
    broken = RuntimeError("[../gloo/transport/tcp/pair.cc:547] Connection closed by peer")
    with pytest.raises(RuntimeError) as caught, plain_errors.plain_errors(GATE):
        raise broken
    assert caught.value is broken
    monkeypatch.setattr(plain_errors, "processes", lambda: (0, 2))
    with (
        pytest.raises(TrainingError, match="one of the other processes has ended"),
        plain_errors.plain_errors(GATE),
    ):
        raise broken


def test_a_process_that_leaves_quietly_was_not_interrupted():
    with pytest.raises(EndedQuietly), plain_errors.plain_errors(GATE):
        raise EndedQuietly(0)


@pytest.mark.parametrize("error", [RuntimeError("something new"), ValueError("x"), KeyError("y")])
def test_an_error_whose_cause_is_not_known_is_left_as_it_is(error):
    with pytest.raises(type(error)) as caught, plain_errors.plain_errors(GATE):
        raise error
    assert caught.value is error


def test_without_a_state_there_is_nothing_to_go_on_from(tmp_path):
    with plain_errors.interrupted(tmp_path / "last.ckpt") as state:
        assert state is None
