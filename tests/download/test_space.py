import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.download import space
from steel_defect_detection.download.space import readable
from steel_defect_detection.errors import DownloadError


def test_a_full_disk_is_noticed_before_the_transfer(get, monkeypatch, tmp_path):
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(DownloadError, match=r"there is no room for .*300 kB, .* has 1 kB free"):
        get()
    assert not (tmp_path / "file.zip").exists()


def test_what_just_fits_is_let_through(monkeypatch, tmp_path):
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    space.require(tmp_path, 1000, purpose="for this")
    message = f"there is no room for this: it takes 1 kB, and {tmp_path} has 1 kB free. Make room"
    with pytest.raises(DownloadError, match=f"^{re.escape(message)}"):
        space.require(tmp_path, 1001, purpose="for this")


UNITS = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}


@given(st.integers(0, 10**13))
def test_what_is_said_of_a_size_is_right_to_the_last_digit(size):
    number, unit = readable(size).split()
    last_digit = 0 if unit == "bytes" else UNITS[unit] / (10 if "." in number else 1)
    assert abs(float(number) * UNITS[unit] - size) <= last_digit / 2
    assert len(number.partition(".")[0]) <= 5
