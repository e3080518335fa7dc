from steel_defect_detection.report import judged
from steel_defect_detection.report.album import Album
from tests.report import folders_of
from tests.report.folders_of import prediction


def test_pictures_say_what_they_show(tmp_path):
    found = judged.read(folders_of.results(tmp_path, prediction("one.png", "defect")))
    album = Album(found)
    assert album.large(found.images[0]).alt == "one.png: defect, patch"
    assert album.small(found.images[0]).width == 40
    assert album.pieces(found.images[0]).tolist() == [0, 2]
    assert album.outlined(found.images[0]) is album.outlined(found.images[0])
    assert list(album.leaf_through()) == list(found.images)
    assert album.problems == {}


def test_a_damaged_file_is_named_once_and_the_rest_goes_on(tmp_path):
    found = judged.read(folders_of.results(tmp_path, prediction("one.png", "defect")))
    (tmp_path / "overlays/one.png").write_text("no picture")
    album = Album(found)
    assert album.large(found.images[0]) is None
    assert album.small(found.images[0]) is None
    problem = f"{tmp_path / 'overlays/one.png'} is not an image"
    assert album.problems["one.png"].startswith(problem)
    assert len(album.problems) == 1


def test_a_damaged_mask_is_named(tmp_path):
    found = judged.read(folders_of.results(tmp_path, prediction("one.png", "defect")))
    (tmp_path / "overlays/one.png").unlink()
    (tmp_path / "masks/one.png").write_text("no picture")
    album = Album(judged.read(tmp_path))
    assert album.pieces(found.images[0]) is None
    assert "masks/one.png is not an image" in album.problems["one.png"]
