from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection import images
from steel_defect_detection.datasets import image_files
from steel_defect_detection.errors import DatasetNotFoundError


@pytest.fixture
def folder(tmp_path):
    """Three images that count, and what does not: hidden ones, a text, a folder called so."""
    for name in ("b.png", "A.JPG", "coil/2.bmp", ".hidden.png", ".cache/x.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def test_images_are_found_by_their_endings_sorted_by_path(folder):
    found = image_files.below(folder)
    assert [path.relative_to(folder).as_posix() for path in found] == [
        "A.JPG",
        "b.png",
        "coil/2.bmp",
    ]
    assert [path.name for path in image_files.below(folder, deep=False)] == ["A.JPG", "b.png"]


def test_a_hidden_folder_above_the_data_hides_nothing(tmp_path):
    home = tmp_path / ".data/images"
    home.mkdir(parents=True)
    (home / "a.png").write_bytes(b"")
    assert image_files.below(home) == [home / "a.png"]


def test_whether_there_is_an_image_is_what_a_search_would_find(folder):
    assert image_files.any_below(folder)
    assert image_files.any_below(folder / "coil", deep=False)
    assert not image_files.any_below(folder / "folder.png")
    assert not image_files.any_below(folder / "nowhere")


def test_a_folder_without_images_is_refused_where_some_are_needed(folder):
    assert len(image_files.required(folder, "Kolektor")) == 3
    with pytest.raises(DatasetNotFoundError, match=r"no Kolektor data: .* in '.*folder\.png'"):
        image_files.required(folder / "folder.png", "Kolektor")


def test_a_stem_is_the_path_without_its_ending():
    assert image_files.stem(Path("data/coil-7/0001.v2.jpg"), Path("data")) == "coil-7/0001.v2"


def test_two_images_of_one_stem_are_a_problem_and_the_first_is_kept():
    problems: list[str] = []
    paths = [Path("d/a.jpg"), Path("d/a.png"), Path("d/e/a.png"), Path("d/b_GT.png")]
    found = image_files.by_stem(paths, Path("d"), problems, "_GT")
    assert found == {"a": paths[0], "e/a": paths[2], "b": paths[3]}
    assert problems == [f"{paths[0]} and {paths[1]} have the same stem"]


stems = st.sets(st.sampled_from("abcdefgh")).map(lambda names: {n: Path(f"{n}.png") for n in names})


@given(stems, stems)
def test_each_file_without_its_mate_is_named_once(found, masks):
    said = list(image_files.unpaired(found, masks, "; draw one"))
    # The stem is the first letter of each line.
    assert sorted(line[0] for line in said) == sorted(set(found) ^ set(masks))
    assert {line[1:] for line in said if line[0] in found} <= {".png has no mask; draw one"}
    assert {line[1:] for line in said if line[0] in masks} <= {
        f".png has no image ({' '.join(images.EXTENSIONS)})"
    }
