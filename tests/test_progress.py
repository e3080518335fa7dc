"""How far work has come: a line now and then in a log, a bar on a terminal, or nothing."""

import io
import logging
import sys

import pytest

from steel_defect_detection import progress
from steel_defect_detection.progress import progress_bar


@pytest.fixture
def log(caplog, monkeypatch):
    """What is said in a log, where silence lasts no minute."""
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 1e-9)
    caplog.set_level(logging.INFO, logger=progress.__name__)
    return caplog


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_lines_that_say_how_far_it_is(log, capsys):
    assert list(progress_bar(range(1200), unit="image")) == list(range(1200))
    assert log.messages[0].startswith("1 of 1,200 images, ")
    assert log.messages[0].endswith(" left at this rate")
    assert log.messages[-1].startswith("1,200 of 1,200 images, 00:00 left")
    assert "".join(capsys.readouterr()) == ""


def test_what_is_done_before_is_counted_but_not_as_quick_work(log):
    with progress_bar(unit="batch", total=9, done=4, what="epoch 2/3") as bar:
        bar.update(2)
    assert log.messages[0].startswith("epoch 2/3: 6 of 9 batches, ")


def test_of_an_unknown_number_only_what_is_done_is_said(log):
    assert sum(progress_bar(iter([3, 4]), unit="image")) == 7
    assert log.messages == ["1 images", "2 images"]


def test_bytes_are_said_in_units_that_can_be_read(log):
    with progress_bar(unit="B", total=5_000_000, what="steel.zip") as bar:
        bar.update(1_500_000)
    assert log.messages[0].startswith("steel.zip: 1.50MB of 5.00MB, ")


def test_a_short_work_says_nothing(caplog, capsys):
    caplog.set_level(logging.INFO, logger=progress.__name__)
    list(progress_bar(range(100), unit="image"))
    assert caplog.messages == []
    assert "".join(capsys.readouterr()) == ""


def test_what_is_not_shown_says_nothing_anywhere(log, capsys):
    list(progress_bar(range(100), unit="image", shown=False))
    assert log.messages == []
    assert "".join(capsys.readouterr()) == ""


def test_a_terminal_gets_a_bar_and_no_lines(log, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    list(progress_bar(range(3), unit="image", what="reading"))
    assert "reading: 100%" in terminal.getvalue()
    assert log.messages == []


def test_without_standard_error_there_are_lines(log, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress_bar(range(3), unit="image")) == [0, 1, 2]
    assert log.messages
