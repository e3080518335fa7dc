import json
from functools import partial

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.cli.reduce import main
from steel_defect_detection.datasets import layouts
from tests.cli.calling import call

run = partial(call, main)


def test_a_smaller_data_set_is_written_and_its_counts_said(tiny_severstal, tmp_path):
    result = run(tiny_severstal, "--output", tmp_path / "out", "--per-class", 2)
    assert result.stdout == (
        "4 images, 0 defect_1, 0 defect_2, 2 defect_3, 0 defect_4, 2 free of defects. "
        f"The data set is in {tmp_path / 'out'}, layout severstal\n"
    )
    assert "fewer than 2 images of: defect_1, defect_2, defect_4" in result.stderr
    assert len(layouts.read(tmp_path / "out")) == 4


def test_counts_can_be_had_as_json(tiny_severstal, tmp_path):
    result = run(tiny_severstal, "--output", tmp_path / "out", "--per-class", 1, "--json")
    content = json.loads(result.stdout)
    assert content["layout"] == "severstal"
    classes = {"defect_1": 0, "defect_2": 0, "defect_3": 1, "defect_4": 0}
    assert content["counts"] == {"images": 2, "clean": 1, "classes": classes}


@pytest.mark.parametrize("name", ["clean", "images"])
def test_a_class_may_be_called_like_a_total(tmp_path, name):
    for number in range(6):
        picture = np.full((4, 4), 20 * number, dtype=np.uint8)
        images.write(
            tmp_path / "data" / ("rust" if number % 3 else name) / f"{number}.png", picture
        )
    words = (tmp_path / "data", "--output", tmp_path / "out", "--per-class", 3)
    result = run(*words, "--json", "--layout", "class-folders")
    clean = 2 if name == "clean" else 0
    assert json.loads(result.stdout)["counts"] == {
        "images": 5,
        "clean": clean,
        "classes": {name: 2, "rust": 3},
    }
    assert f"fewer than 3 images of: {name}\n" in result.stderr
    assert "fewer than 3 images are free of defects" in result.stderr


def test_images_that_cannot_be_read_are_named_and_the_status_is_3(tiny_severstal, tmp_path):
    (tiny_severstal / "train_images/sheet-0.png").write_bytes(b"no picture")
    result = run(tiny_severstal, "--output", tmp_path / "out", "--per-class", 9, exit_status=3)
    assert "sheet-0.png" in result.stderr
    assert result.stdout.startswith("7 images, ")


def test_a_folder_in_use_is_refused(tiny_severstal, tmp_path):
    words = (tiny_severstal, "--output", tmp_path / "out", "--per-class", 2)
    run(*words)
    assert "or add --overwrite" in run(*words, exit_status=1).stderr
    run(*words, "--overwrite")


def test_output_and_number_are_asked_for(tiny_severstal, tmp_path):
    assert "--per-class" in run(tiny_severstal, "--output", tmp_path, exit_status=2).stderr
    assert "--output" in run(tiny_severstal, "--per-class", 2, exit_status=2).stderr
    wrong = run(tiny_severstal, "--output", tmp_path, "--per-class", 0, exit_status=2)
    assert "x>=1" in wrong.stderr
