from pathlib import Path

import click
import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.cli.inputs import photographs, refuse_swapped
from steel_defect_detection.errors import NoImagesError


def test_masks_among_photographs_are_remarked_upon(tmp_path, capsys):
    noise = np.random.default_rng(0).integers(80, 150, (40, 60, 3), dtype=np.uint8)
    images.write(tmp_path / "a.jpg", noise)
    assert photographs([str(tmp_path)], skip=[]) == [tmp_path / "a.jpg"]
    assert capsys.readouterr() == ("", "")

    images.write(tmp_path / "a.png", np.eye(40, dtype=np.uint8))
    assert photographs([str(tmp_path)], skip=[]) == [tmp_path / "a.jpg", tmp_path / "a.png"]
    said = capsys.readouterr().err
    assert said == (
        "sdd: 8 grey values or fewer, as masks have and no photograph: 1 of 2 images looked at, "
        f"such as {tmp_path / 'a.png'}. Name the photographs alone\n"
    )


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(NoImagesError):
        photographs([str(tmp_path / "none")], skip=[])


@pytest.mark.parametrize("name", ["masks", "overlays"])
def test_what_a_run_has_drawn_are_no_photographs(tmp_path, name):
    images.write(tmp_path / name / "a.png", np.full((8, 8), 90, dtype=np.uint8))
    assert photographs([str(tmp_path / name)], skip=[]) == [tmp_path / name / "a.png"]
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(NoImagesError, match=f"{name} holds what an earlier run has drawn"):
        photographs([str(tmp_path / name)], skip=[])


def test_a_photograph_with_a_png_of_the_same_name_is_remarked_upon(tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    for name in ("a.JPG", "a.png", "b.jpg", "c.png"):
        images.write(tmp_path / name, noise)
    assert len(photographs([str(tmp_path)], skip=[])) == 4
    said = capsys.readouterr().err
    assert said.startswith(
        f"sdd: 1 pair of images with the same name, such as {tmp_path}/a.JPG and"
    )
    photographs([str(tmp_path / "b.jpg"), str(tmp_path / "a.png")], skip=[])
    assert capsys.readouterr().err == ""


def test_the_name_of_a_built_in_model_is_no_image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoImagesError, match="strip is a built-in model, and here images are named"):
        photographs(["strip"], skip=[])
    images.write(tmp_path / "strip/a.png", np.full((8, 8), 90, dtype=np.uint8))
    assert [path.name for path in photographs(["strip"], skip=[])] == ["a.png"]


def test_the_name_of_a_built_in_model_is_no_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.UsageError, match="MODEL comes first, then DATA"):
        refuse_swapped(Path("strip"))
    refuse_swapped(Path("mine"))
    (tmp_path / "strip").mkdir()
    refuse_swapped(Path("strip"))
