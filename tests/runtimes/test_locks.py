import os

import pytest

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.runtimes.locks import alone


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_one_at_a_time_writes_into_a_folder(tmp_path):
    with alone(tmp_path / "runs/a"):
        # By whatever name: a folder need not be there to be locked.
        again = tmp_path / "runs/../runs/a"
        message = r"another run is writing into .*a: wait for its end"
        with pytest.raises(ResultsError, match=message), alone(again):
            pytest.fail("both would write")
        with alone(tmp_path / "runs/b"):
            pass
    with alone(tmp_path / "runs/a"):
        pass


def test_an_error_lets_the_folder_go(tmp_path):
    with pytest.raises(KeyError), alone(tmp_path):
        raise KeyError
    with alone(tmp_path):
        pass


def test_a_cache_that_cannot_be_written_keeps_nobody_from_working(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "file"))
    with alone(tmp_path / "out"):
        assert (tmp_path / "file").read_text() == "in the way"


def test_locks_of_long_ago_are_removed(tmp_path, cache):
    with alone(tmp_path / "one"):
        (lock,) = (cache / "locks").iterdir()
    with alone(tmp_path / "two"):
        assert len(list((cache / "locks").iterdir())) == 2
    os.utime(lock, (0, 0))
    with alone(tmp_path / "two"):
        assert not lock.exists()
