import os

import pytest

from steel_defect_detection.runtimes import cache
from steel_defect_detection.runtimes.cache import Entry

ENTRY = Entry(b"<network/>", b"weights", {"probabilities": 1e-6})


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A cache folder for this test alone."""
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_was_kept_comes_back():
    cache.store("key", ENTRY)
    assert cache.load("key") == ENTRY
    assert cache.load("other") is None


@pytest.mark.parametrize("ending", ["xml", "bin", "json"])
@pytest.mark.parametrize(
    "damage", [None, b"", b'{"other": 1}', b"[1, 2]", b'{"parity": 3, "network_sha256": ""}']
)
def test_an_entry_that_is_damaged_or_foreign_counts_as_not_there(home, ending, damage):
    cache.store("key", ENTRY)
    path = home / f"key.{ending}"
    path.unlink() if damage is None else path.write_bytes(damage)
    assert cache.load("key") is None


def test_a_newer_entry_replaces_an_older_one():
    cache.store("key", ENTRY)
    newer = ENTRY._replace(weights=b"others")
    cache.store("key", newer)
    assert cache.load("key") == newer


def test_a_place_that_cannot_be_written_keeps_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SDD_CACHE", str(tmp_path / "file"))
    cache.store("key", ENTRY)
    assert cache.load("key") is None


def test_without_a_wish_the_users_cache_folder_is_taken(monkeypatch):
    monkeypatch.delenv("SDD_CACHE")
    assert "steel-defect-detection" in cache.folder().parts


def test_what_was_not_used_for_three_months_goes_when_another_comes(home):
    old, used, new = (letter * 64 for letter in "abc")
    for key in (old, used):
        cache.store(key, ENTRY)
        (home / f"{key}.json").touch()
        long_ago = (home / f"{key}.json").stat().st_mtime - 100 * 24 * 3600
        os.utime(home / f"{key}.json", (long_ago, long_ago))
    (home / "notes.json").write_text("{}")
    os.utime(home / "notes.json", (long_ago, long_ago))
    assert cache.load(used) == ENTRY
    cache.store(new, ENTRY)
    assert cache.load(old) is None
    assert cache.load(used) == cache.load(new) == ENTRY
    assert sorted(path.name for path in home.iterdir() if path.stem == old) == []
    assert (home / "notes.json").is_file()
