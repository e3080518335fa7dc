"""Signals and errors that end a run; several processes: ``test_processes.py``."""

import os
import signal
from types import SimpleNamespace

import pytest

from steel_defect_detection.errors import ImageError, TrainingError
from steel_defect_detection.training.agreement import Agreement
from steel_defect_detection.training.callbacks import Progress
from steel_defect_detection.training.run import train
from steel_defect_detection.training.task import build
from tests.training.small_runs import GATE, SEGMENTER, rows

NOBODY = SimpleNamespace()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_what_a_cluster_sends_before_it_kills_means_ctrl_c(data, tmp_path, monkeypatch, number):
    handler = signal.getsignal(number)
    begin = Progress.on_train_epoch_start

    def told(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            os.kill(os.getpid(), number)
        begin(self, trainer, pl_module)

    monkeypatch.setattr(Progress, "on_train_epoch_start", told)
    config = GATE.model_copy(update={"encoder": "shufflenet_v2", "epochs": 4})
    with pytest.raises(KeyboardInterrupt):
        train(config, data, tmp_path)
    assert len(rows(tmp_path / "epochs.csv")) == 2
    assert signal.getsignal(number) == handler
    monkeypatch.undo()
    assert train(config, data, tmp_path, resume=True).exists()
    assert len(rows(tmp_path / "epochs.csv")) == 4


@pytest.mark.parametrize("hook", ["on_train_batch_start", "on_validation_batch_start"])
def test_an_error_in_place_of_a_batch_is_raised_before_anything_is_made_of_it(hook):
    agreement, error = Agreement(), ImageError("a.png is cut")
    if hook == "on_validation_batch_start":
        # Processes have different numbers of them, so they hear of it at the end.
        agreement.on_validation_batch_start(NOBODY, NOBODY, error, 0)
        with pytest.raises(ImageError) as caught:
            agreement.on_validation_epoch_end(NOBODY, NOBODY)
    else:
        with pytest.raises(ImageError) as caught:
            agreement.on_train_batch_start(NOBODY, NOBODY, error, 0)
    assert caught.value is error


@pytest.mark.parametrize("hook", ["on_validation_epoch_start", "on_train_epoch_end"])
def test_what_a_step_has_met_is_raised_before_anybody_judges_or_writes(hook):
    job = build(SEGMENTER, SEGMENTER.graph(("a",)))
    getattr(Agreement(), hook)(NOBODY, job)
    job.problem = TrainingError("the loss became nan")
    with pytest.raises(TrainingError, match="the loss became nan"):
        getattr(Agreement(), hook)(NOBODY, job)


def test_several_processes_go_on_to_the_next_step_before_they_stop(monkeypatch):
    monkeypatch.setattr("steel_defect_detection.training.agreement.processes", lambda: (0, 2))
    trainer = SimpleNamespace(validating=False)
    agreement = Agreement()
    handlers = [(number, signal.getsignal(number)) for number in (2, 10, 15)]
    try:
        agreement.on_train_start(trainer, NOBODY)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            agreement.on_train_batch_start(trainer, NOBODY, (), 0)
        trainer.validating = True
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
