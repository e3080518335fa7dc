import re

import pandas as pd
import pytest

from steel_defect_detection.distributed.place import Place
from steel_defect_detection.distributed.sources import find
from steel_defect_detection.errors import NoImagesError


@pytest.fixture
def stored(bucket):
    place = Place(bucket)
    for name in ("b.png", "a.JPG", "deeper/c.tif", ".hidden/d.png", "notes.txt", "out/masks/e.png"):
        place.write(name, b"x")
    return bucket


def addresses(sources, **rest):
    return [one.address for one in find(sources, **rest)]


def test_a_folder_of_object_storage_gives_its_images(stored):
    found = find([stored], skip=[f"{stored}/out"])
    expected = [f"{stored}/{name}" for name in ("a.JPG", "b.png", "deeper/c.tif")]
    assert [one.address for one in found] == [one.name for one in found] == expected


def test_files_and_patterns_of_object_storage(stored):
    assert addresses([f"{stored}/b.png", f"{stored}/*.JPG", f"{stored}/b.png"]) == [
        f"{stored}/b.png",
        f"{stored}/a.JPG",
    ]
    assert addresses([f"{stored}/**/*.tif"]) == [f"{stored}/deeper/c.tif"]


def test_paths_are_absolute_and_called_as_they_were_given(tmp_path, monkeypatch):
    (tmp_path / "coil").mkdir()
    (tmp_path / "coil" / "a.png").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    (found,) = find(["coil"])
    assert found == ("coil/a.png", str(tmp_path / "coil" / "a.png"))


@pytest.mark.parametrize("column", ["image", "file", "path", "uri", "ImageId", " Image"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_list_names_images_beside_it_or_anywhere(tmp_path, column, ending):
    path = tmp_path / f"list.{ending}"
    names = ["0001.png", "/far/b.png", "s3://bucket/c.png"]
    table = pd.DataFrame({"number": [1, 2, 3], column: names})
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    found = find([str(path)])
    assert [one.name for one in found] == names
    assert [one.address for one in found] == [str(tmp_path / "0001.png"), *names[1:]]


def test_a_list_in_object_storage(bucket):
    Place(bucket).write("lists/coil.csv", b"image\n0001.png\ns3://other/2.png\n")
    found = find([f"{bucket}/lists/coil.csv"])
    assert [one.address for one in found] == [f"{bucket}/lists/0001.png", "s3://other/2.png"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name\na.png\n", "or uri or imageid or image_id, but name"),
        (b"image;x\na.png;1\n", "but image;x: cells are parted by commas"),
        (b"image\n", "names no image"),
        (b"", "cannot be read as a list of images: "),
        (b"image\n\xff\xfe\n", "cannot be read as a list of images: "),
    ],
)
def test_a_list_of_nothing_is_refused(tmp_path, content, message):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(NoImagesError, match=re.escape(message)):
        find([str(tmp_path / "list.csv")])


@pytest.mark.parametrize("source", ["", "/none", "/none.csv", "/**/*.bmp"])
def test_what_is_not_there_is_refused(stored, source):
    with pytest.raises(NoImagesError, match=re.escape(stored + source)):
        find([f"{stored}{source}"] if source else [f"{stored}-other"])


def test_a_bucket_that_is_not_there_is_refused(storage):
    with pytest.raises(NoImagesError, match="s3://no-such-bucket"):
        find(["s3://no-such-bucket"])


def test_a_server_that_does_not_answer_is_one_line(storage, monkeypatch):
    """Its error is none of Python's own."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(NoImagesError, match="s3://nowhere/coil cannot be listed: "):
            find(["s3://nowhere/coil"])
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
