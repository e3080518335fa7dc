import json
from functools import partial

import numpy as np
import pandas as pd

from steel_defect_detection import images
from steel_defect_detection.cli.crop import main
from tests.cli.calling import call

run = partial(call, main)


def test_each_square_becomes_a_picture_with_a_margin(tiny_severstal, tmp_path):
    result = run(tiny_severstal, "--output", tmp_path / "out", "--margin", 0.25)
    assert result.stdout == f"4 crops, 4 defect_3. They are in {tmp_path / 'out'}\n"
    table = pd.read_csv(tmp_path / "out/crops.csv")
    # The squares of 32 x 32 begin in row 16 and column 24; 8 pixels are a quarter of 32.
    assert table.iloc[0].to_dict() == {
        "crop": "defect_3/sheet-1-1.png",
        "image": "sheet-1.png",
        "class": "defect_3",
        "top": 8,
        "left": 16,
        "height": 48,
        "width": 48,
        "area": 1024,
    }


def test_small_defects_are_left_out(tiny_severstal, tmp_path):
    words = (tiny_severstal, "--output", tmp_path / "out", "--min-area", 1025, "--json")
    result = run(*words)
    counts = {"crops": 0, "classes": {}}
    assert json.loads(result.stdout) == {"output": str(tmp_path / "out"), "counts": counts}
    assert (tmp_path / "out/crops.csv").read_text().count("\n") == 1


def test_a_class_may_be_called_crops(tmp_path):
    picture = np.zeros((40, 40), dtype=np.uint8)
    images.write(tmp_path / "data/images/1.png", picture)
    picture[:10, :10] = picture[20:30, 20:30] = 255
    images.write(tmp_path / "data/masks/1.png", picture)
    (tmp_path / "data/classes.txt").write_text("crops\n")
    result = run(tmp_path / "data", "--output", tmp_path / "out", "--json")
    assert json.loads(result.stdout)["counts"] == {"crops": 2, "classes": {"crops": 2}}


def test_images_that_cannot_be_read_are_named_and_the_status_is_3(tiny_severstal, tmp_path):
    (tiny_severstal / "train_images/sheet-1.png").write_bytes(b"no picture")
    result = run(tiny_severstal, "--output", tmp_path / "out", exit_status=3)
    assert "sheet-1.png" in result.stderr
    assert result.stdout.startswith("3 crops, ")


def test_crops_of_an_earlier_run_are_named(tiny_severstal, tmp_path):
    run(tiny_severstal, "--output", tmp_path / "out")
    assert "is not empty" in run(tiny_severstal, "--output", tmp_path / "out", exit_status=1).stderr
    result = run(tiny_severstal, "--output", tmp_path / "out", "--overwrite", "--min-area", 2000)
    assert "4 pictures that this run did not write lie in" in result.stderr


def test_impossible_settings_are_refused(tiny_severstal, tmp_path):
    assert (
        "margin"
        in run(tiny_severstal, "--output", tmp_path / "out", "--margin=-1", exit_status=1).stderr
    )
    assert (
        "x>=0"
        in run(tiny_severstal, "--output", tmp_path / "out", "--join=-1", exit_status=2).stderr
    )
