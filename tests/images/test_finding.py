import errno
import os
import re
from pathlib import Path

import pytest

from steel_defect_detection import images
from steel_defect_detection.errors import NoImagesError
from tests.images.pictures import one_line


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


class TestFind:
    def found(self, folder, *sources, skip=()):
        paths = images.find([folder / source for source in sources], skip=skip)
        return [path.relative_to(folder).as_posix() for path in paths]

    def test_a_folder_gives_its_images_in_order_of_their_paths(self, tmp_path):
        touch(tmp_path, "b.png", "a.jpg", "a/z.png", "a-1/z.png", "B.png", "a/b/c.tif")
        assert self.found(tmp_path, "") == [
            "B.png",
            "a-1/z.png",
            "a.jpg",
            "a/b/c.tif",
            "a/z.png",
            "b.png",
        ]

    def test_all_endings_are_recognised_in_any_case(self, tmp_path):
        touch(tmp_path, *(f"1{ending}" for ending in images.EXTENSIONS), "2.JPG", "3.Png")
        assert len(self.found(tmp_path, "")) == len(images.EXTENSIONS) + 2

    def test_other_files_and_hidden_ones_are_left_out(self, tmp_path):
        touch(
            tmp_path, "a.png", "train.csv", "notes", "png", ".b.png", ".cache/c.png", "x/.y/d.png"
        )
        assert self.found(tmp_path, "") == ["a.png"]

    def test_a_hidden_folder_that_is_named_is_looked_into(self, tmp_path):
        touch(tmp_path, ".cache/x/c.png")
        assert self.found(tmp_path, ".cache") == [".cache/x/c.png"]

    def test_a_file_that_is_named_is_taken_whatever_its_ending(self, tmp_path):
        touch(tmp_path, "frame.raw", ".hidden.png")
        assert self.found(tmp_path, "frame.raw", ".hidden.png") == ["frame.raw", ".hidden.png"]

    def test_sources_keep_their_order_and_give_each_image_once(self, tmp_path):
        touch(tmp_path, "a.png", "b.png", "x/c.png")
        assert self.found(tmp_path, "x", "b.png", "", "x/../a.png") == [
            "x/c.png",
            "b.png",
            "a.png",
        ]

    def test_paths_come_back_as_they_were_given(self, tmp_path, monkeypatch):
        touch(tmp_path, "coil/a.png", "b.png")
        monkeypatch.chdir(tmp_path)
        assert images.find(["coil", "./b.png"]) == [Path("coil/a.png"), Path("b.png")]
        assert images.find(["."]) == [Path("b.png"), Path("coil/a.png")]

    def test_folders_to_skip_are_not_looked_into(self, tmp_path, monkeypatch):
        touch(tmp_path, "a.png", "out/masks/a.png", "x/out/b.png")
        assert self.found(tmp_path, "", skip=[tmp_path / "out"]) == ["a.png", "x/out/b.png"]
        monkeypatch.chdir(tmp_path)
        assert images.find(["."], skip=["out", "x"]) == [Path("a.png")]

    def test_results_of_an_earlier_run_are_not_looked_into(self, tmp_path):
        touch(tmp_path, "a.png", "out/run.json", "out/images.csv", "out/masks/a.png")
        touch(tmp_path, "training/run.json", "training/b.png", "out/later.png")
        assert self.found(tmp_path, "") == ["a.png", "out/later.png", "training/b.png"]

    def test_a_folder_of_results_alone_is_named_as_such(self, tmp_path):
        touch(tmp_path, "run.json", "images.csv", "masks/a.png")
        with pytest.raises(
            NoImagesError, match=r"no images in .* but the masks and overlays of an"
        ):
            images.find([tmp_path])

    def test_images_below_a_folder_with_results_are_found(self, tmp_path):
        touch(tmp_path, "run.json", "images.csv", "masks/a.png", "day/b.png", "night/masks/c.png")
        assert self.found(tmp_path, "") == ["day/b.png", "night/masks/c.png"]

    def test_an_empty_name_is_not_the_folder_one_is_in(self):
        with pytest.raises(NoImagesError, match="the name of an image or folder is empty"):
            images.find([""])

    def test_images_that_lie_among_results_are_found_without_the_results(self, tmp_path):
        touch(tmp_path, "a.png", "run.json", "images.csv", "masks/a.png", "overlays/a.png")
        assert self.found(tmp_path, "") == ["a.png"]
        assert self.found(tmp_path, "", skip=[tmp_path]) == ["a.png"]

    def test_results_that_are_named_are_looked_into(self, tmp_path):
        touch(tmp_path, "run.json", "images.csv", "masks/a.png")
        assert self.found(tmp_path, "masks") == ["masks/a.png"]
        assert self.found(tmp_path, "masks/*.png") == ["masks/a.png"]

    def test_a_pattern_is_expanded_in_order(self, tmp_path):
        touch(tmp_path, "2.png", "1.png", "3.jpg", "x/4.png", "1.txt", ".5.png")
        assert self.found(tmp_path, "*.png") == ["1.png", "2.png"]
        assert self.found(tmp_path, "[13].*") == ["1.png", "3.jpg"]
        assert self.found(tmp_path, "?.jpg") == ["3.jpg"]

    def test_two_stars_reach_into_folders_below(self, tmp_path):
        touch(tmp_path, "1.png", "x/2.png", "x/y/3.png", "x/y/4.jpg", ".z/5.png")
        assert self.found(tmp_path, "**/*.png") == ["1.png", "x/2.png", "x/y/3.png"]

    def test_a_pattern_that_matches_a_folder_looks_into_it(self, tmp_path):
        touch(tmp_path, "line-1/a.png", "line-2/x/b.png", "other/c.png")
        assert self.found(tmp_path, "line-*") == ["line-1/a.png", "line-2/x/b.png"]

    @pytest.mark.parametrize("pattern", ["*", "**", "**/*.png"])
    def test_a_pattern_leaves_out_what_a_folder_leaves_out(self, tmp_path, pattern):
        touch(tmp_path, "a.png", "notes.txt", "skipped/x/b.png", ".c/d.png")
        touch(tmp_path, "out/run.json", "out/images.csv", "out/masks/a.png")
        assert self.found(tmp_path, pattern, skip=[tmp_path / "skipped"]) == ["a.png"]

    def test_a_pattern_may_be_relative(self, tmp_path, monkeypatch):
        touch(tmp_path, "x/a.png")
        monkeypatch.chdir(tmp_path)
        assert images.find(["*/*.png"]) == [Path("x/a.png")]

    def test_a_path_that_looks_like_a_pattern_is_a_path(self, tmp_path):
        touch(tmp_path, "[1].png", "1.png", "coil[2]/a.png")
        assert self.found(tmp_path, "[1].png", "coil[2]") == ["[1].png", "coil[2]/a.png"]

    def test_without_sources_there_is_nothing(self):
        assert images.find([]) == []

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            pytest.param("absent.png", "no such file or folder: '{}'", id="missing path"),
            pytest.param(
                "empty",
                "no images in '{}': looked for .jpg .jpeg .png .bmp .tif .tiff .webp",
                id="folder without images",
            ),
            pytest.param(
                "*.webp",
                "no images match '{}': looked for .jpg .jpeg .png .bmp .tif .tiff .webp",
                id="pattern without images",
            ),
        ],
    )
    def test_a_source_without_images_is_named(self, tmp_path, source, message):
        touch(tmp_path, "a.png", "empty/notes.txt")
        text = message.format(tmp_path / source)
        with pytest.raises(NoImagesError, match=f"^{re.escape(text)}$"):
            images.find([tmp_path, tmp_path / source])

    def test_a_folder_that_cannot_be_listed_is_named(self, tmp_path, monkeypatch):
        # Tests may run as a user whom no permission stops.
        def forbid(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        monkeypatch.setattr(os, "scandir", forbid)
        with pytest.raises(
            NoImagesError, match=one_line(tmp_path, " cannot be listed: Permission denied")
        ):
            images.find([tmp_path])

    def test_a_path_that_cannot_be_reached_is_named(self, tmp_path):
        path = tmp_path / ("x" * 300)
        with pytest.raises(
            NoImagesError, match=one_line(path, " cannot be reached: File name too long")
        ):
            images.find([path])


def test_images_of_kinds_that_are_not_read_are_counted(tmp_path, caplog):
    caplog.set_level("INFO", "steel_defect_detection")
    touch(tmp_path, "a.png", "b.gif", "x/c.HEIC", "notes.txt")
    assert len(images.find([tmp_path])) == 1
    (said,) = caplog.messages
    assert said.startswith(f"2 images left out, of kinds that are not read, such as {tmp_path}/b.g")
    images.find([tmp_path / "a.png"])
    assert len(caplog.messages) == 1
