import re
import sys

import pytest

from steel_defect_detection.distributed import place
from steel_defect_detection.distributed.place import Place
from steel_defect_detection.errors import MissingExtraError, ResultsError


@pytest.fixture(params=["here", "s3", "memory"])
def somewhere(request, tmp_path):
    if request.param == "here":
        return Place(str(tmp_path / "place"))
    if request.param == "s3":
        return Place(request.getfixturevalue("bucket"))
    pytest.importorskip("fsspec")
    return Place(f"memory://{tmp_path.name}")


def test_what_is_written_is_there(somewhere):
    assert somewhere.read("a/b.txt") is None
    assert not somewhere.has("a/b.txt")
    assert somewhere.names() == somewhere.names("a") == []
    somewhere.write("a/b.txt", b"one")
    somewhere.write("a/c.txt", b"")
    assert somewhere.read("a/b.txt") == b"one"
    assert somewhere.has("a/c.txt")
    assert not somewhere.has("a")
    assert somewhere.names() == ["a"]
    assert somewhere.names("a") == ["b.txt", "c.txt"]


def test_a_file_is_replaced_and_removed(somewhere):
    somewhere.write("a.txt", b"a long text")
    somewhere.write("a.txt", b"short")
    assert somewhere.read("a.txt") == b"short"
    somewhere.remove("a.txt")
    somewhere.remove("a.txt")
    assert somewhere.read("a.txt") is None
    assert somewhere.names() == []


def test_addresses_and_paths_are_read(bucket, tmp_path):
    Place(bucket).write("a.txt", b"there")
    (tmp_path / "a.txt").write_bytes(b"here")
    assert place.read(f"{bucket}/a.txt") == b"there"
    assert place.read(str(tmp_path / "a.txt")) == b"here"
    for missing in (f"{bucket}/b.txt", str(tmp_path / "b.txt")):
        with pytest.raises(FileNotFoundError):
            place.read(missing)


def test_an_address_of_no_known_kind_is_refused():
    pytest.importorskip("fsspec")
    with pytest.raises(ResultsError, match=re.escape("nothing://a cannot be opened: ")):
        Place("nothing://a")


@pytest.mark.parametrize(
    ("address", "package"),
    [("s3://a", "s3fs"), ("s3a://a/b", "s3fs"), ("gs://a", "gcsfs"), ("gcs://a", "gcsfs")],
)
def test_object_storage_without_its_package_names_the_extra(monkeypatch, address, package):
    pytest.importorskip("fsspec")
    monkeypatch.setitem(sys.modules, package, None)
    text = f'{package} is not installed. Install it with: pip install "steel-defect-detection[ray]"'
    with pytest.raises(MissingExtraError, match=f"^{re.escape(text)}$"):
        Place(address)


def test_what_cannot_be_written_is_told(storage):
    with pytest.raises(
        ResultsError, match=r"s3://no-such-bucket/a\.txt cannot be written: The .*bucket"
    ):
        Place("s3://no-such-bucket").write("a.txt", b"")


def test_whatever_a_kind_of_address_raises_is_told(monkeypatch):
    """Such as missing credentials, whose error is none of Python's own."""
    pytest.importorskip("fsspec")

    class StrangeError(Exception):
        pass

    class Broken:
        def __getattr__(self, name):
            def fail(*args, **rest):
                msg = "no credentials"
                raise StrangeError(msg)

            return fail

    broken = Place("memory://broken")
    broken._system = Broken()
    calls = [
        lambda: broken.write("a", b""),
        lambda: broken.read("a"),
        lambda: broken.has("a"),
        lambda: broken.names("a"),
        lambda: broken.remove("a"),
    ]
    for call in calls:
        with pytest.raises(ResultsError, match=r"memory://broken.* cannot be .*: no credentials"):
            call()


def test_a_reason_is_one_short_line():
    assert place.reason(OSError("two\n lines")) == "two lines"
    assert place.reason(ValueError()) == "ValueError"
    assert len(place.reason(ValueError("x" * 5000))) == 200
