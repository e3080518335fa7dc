import json
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest

from steel_defect_detection import checkpoints, coil, images
from steel_defect_detection.checkpoints import Header, Thresholds
from steel_defect_detection.cli.coil import main
from steel_defect_detection.coil import writing
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from tests.cli.calling import call
from tests.coil import built
from tests.conftest import CLASSES

run = partial(call, main)


def strips(count=20, period=130, size=64):
    """Images of a coil with a mark of 4 x 4 pixels once per period."""
    strip = np.zeros((size, count * size), dtype=np.uint8)
    for place in range(20, count * size - 4, period):
        strip[30:34, place : place + 4] = 1
    parts = np.split(strip, count, axis=1)
    return {f"{number:03d}.png": part for number, part in enumerate(parts)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return built.results(tmp_path_factory.mktemp("results"), strips())


@pytest.fixture
def broken(tmp_path):
    return built.results(tmp_path / "broken", strips(), errors=["007.png"])


def test_a_mark_is_told_and_all_files_are_written(folder, tmp_path):
    result = run(folder, "--output", tmp_path / "coil", "--mm-per-pixel", 2)
    lines = result.stdout.splitlines()
    assert lines[0] == "2.6 m of strip, 128 mm wide, on 20 images: 10 defects, 3.9 per metre"
    expected = (
        r"R1: every 260 mm .* at 64\.0 mm from edge 1, 10 of 10 places from 0\.0 m to 2\.4 m, "
        r"class pits, false-alarm probability \de-\d+: a roll of 82\.8 mm diameter"
    )
    assert any(re.fullmatch(expected, line) for line in lines), lines
    assert lines[-1] == f"The map is {tmp_path / 'coil' / 'coil.html'}"
    assert {path.name for path in (tmp_path / "coil").iterdir()} == set(writing.NAMES)
    assert result.stderr == ""


def test_without_the_size_of_a_pixel_lengths_are_in_pixels(folder, tmp_path):
    result = run(folder, "--output", tmp_path / "coil")
    assert "every 130 px" in result.stdout
    expected = "lengths are in pixels: --mm-per-pixel gives millimetres, and a roll's diameter"
    assert result.stderr == f"sdd-coil: {expected}\n"


def test_json_is_what_the_file_holds(folder, tmp_path):
    result = run(folder, "--output", tmp_path / "coil", "--json")
    assert json.loads(result.stdout) == json.loads((tmp_path / "coil" / "coil.json").read_text())


def test_options_reach_the_search(folder, tmp_path):
    words = ("--shortest-period", 300, "--longest-period", 500, "--zones", 4, "--json")
    words += ("--tolerance", 6, "--tolerance-across", 8, "--false-alarms", 0.001, "--join", -1)
    found = json.loads(run(folder, "--output", tmp_path, "--mm-per-pixel", 2, *words).stdout)
    assert found["recurrences"] == []
    assert len(found["zones"]["counts"]) == 4
    search = found["search"]
    assert (search["shortest_period"], search["longest_period"]) == (300, 500)
    assert (search["tolerance_along"], search["tolerance_across"]) == (6, 8)


def test_the_other_axis_turns_the_coil(folder, tmp_path):
    words = ("--output", tmp_path, "--length-axis", "y", "--json")
    found = json.loads(run(folder, *words).stdout)
    assert (found["length"], found["width"]) == (20 * 64, 64)
    table = pd.read_csv(tmp_path / "defects.csv")
    assert (table["along_px"] % 64 == 32).all()


def test_images_that_could_not_be_judged_are_listed_and_make_status_3(broken, tmp_path):
    result = run(broken, "--output", tmp_path / "coil", "--mm-per-pixel", 2, exit_status=3)
    assert "not seen: 0.1 m, with 1 image that could not be judged" in result.stdout
    assert result.stderr == "sdd-coil: 007.png is not an image\n"


def test_an_order_leaves_out_what_it_does_not_name(folder, tmp_path):
    order = tmp_path / "order.csv"
    order.write_text("image\n003.png\n001.png\n")
    result = run(folder, "--output", tmp_path / "coil", "--order", order, "--mm-per-pixel", 2)
    assert result.stdout.startswith("0.3 m of strip")
    assert f"sdd-coil: left out, because {order} does not name them: 18" in result.stderr


def test_an_order_of_other_images_is_one_line_and_status_1(folder, tmp_path):
    order = tmp_path / "order.csv"
    order.write_text("image\nother.png\n")
    result = run(folder, "--output", tmp_path / "coil", "--order", order, exit_status=1)
    assert result.stderr == (
        "sdd-coil: not among the images: 1 of 1 image that the order names, first: other.png. Add "
        "what is missing, or take it out of the order\n"
    )
    assert not (tmp_path / "coil").exists()


def test_one_results_folder_is_one_coil(folder, tmp_path):
    result = run(folder, tmp_path, "--output", tmp_path / "coil", exit_status=2)
    assert f"name one results folder, or images: {folder} holds results" in result.stderr


def test_a_file_in_the_way_is_refused_before_any_work(folder, tmp_path):
    (tmp_path / "coil.html").mkdir()
    result = run(folder, "--output", tmp_path, exit_status=1)
    assert "coil.html cannot be written: it is a folder" in result.stderr


def test_something_to_look_at_must_be_named():
    assert "Missing argument 'RESULTS_OR_IMAGES...'" in run(exit_status=2).stderr


@pytest.fixture
def model(tmp_path, segmenter_config):
    """A segmenter with random weights that outlines something almost everywhere."""
    path = tmp_path / "segmenter.safetensors"
    header = Header(
        architecture="segmenter",
        graphs={"segmenter": segmenter_config},
        classes=CLASSES,
        thresholds=Thresholds.default(4),
    )
    checkpoints.save(path, header, weights.arrays(graphs.build(segmenter_config)))
    return path


def test_images_are_judged_first_and_their_results_stay(tmp_path, model):
    random = np.random.default_rng(0)
    for number in range(3):
        image = random.integers(0, 255, (64, 64, 1), dtype=np.uint8)
        images.write(tmp_path / "strips" / f"{number}.png", image)
    words = ("--model", model, "--runtime", "pytorch", "--device", "cpu", "--json")
    output = tmp_path / "coil"
    found = json.loads(run(tmp_path / "strips", "--output", output, *words).stdout)
    assert (found["images"], found["length"]) == (3, 192)
    assert {"images.csv", "predictions.csv", "run.json", "masks"} <= {
        path.name for path in output.iterdir()
    }
    # The results can be laid out again, without a model.
    assert len(coil.read(output).defects) == found["defects"]
    again = json.loads(run(output, "--output", output, "--json").stdout)
    assert again == found


def photograph(path, height):
    random = np.random.default_rng(0)
    images.write(path, random.integers(0, 255, (height, 64), dtype=np.uint8))


def test_an_image_that_cannot_be_judged_is_named_once(tmp_path, model):
    photograph(tmp_path / "strips" / "0.png", 64)
    (tmp_path / "strips" / "x.png").write_text("no image")
    words = ("--model", model, "--runtime", "pytorch", "--device", "cpu", "--mm-per-pixel", 1)
    result = run(tmp_path / "strips", "--output", tmp_path / "coil", *words, exit_status=3)
    assert result.stderr.count("x.png is not an image") == 1
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["1.png", "0.png"])
def test_images_that_are_no_coil_are_refused_before_they_are_judged(tmp_path, name):
    photograph(tmp_path / "strips" / "0.png", 64)
    photograph(tmp_path / "strips" / "1.png", 32)
    words = ("--output", tmp_path / "coil", "--model", "no model", "--mm-per-pixel", 1)
    result = run(tmp_path / "strips", *words, exit_status=1)
    assert "all images of a coil must be equally wide" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "coil").exists()
    order = tmp_path / "order.csv"
    order.write_text(f"image\n{name}\n")
    # One of them alone is a coil: the next thing that is wrong is the model.
    result = run(tmp_path / "strips", *words, "--order", order, exit_status=1)
    assert "no model" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--shortest-period", 500, "--longest-period", 400),
            "400, is less than the shortest, 5",
        ),
        (("--longest-period", 99), "99, is less than the shortest, 100: give both"),
        (("--mm-per-pixel", "nan"), "'nan' is no finite number"),
        (("--join", "inf"), "'inf' is no finite number"),
        (("--false-alarms", "nan"), "'nan' is no finite number"),
        (("--tolerance", 0), "0.0 is not in the range x>0"),
        (("--zones", 0), "0 is not in the range 1<=x<="),
    ],
)
def test_wrong_values_are_wrong_usage(folder, tmp_path, words, message):
    result = run(folder, "--output", tmp_path / "coil", *words, exit_status=2)
    assert message in result.stderr
    assert not (tmp_path / "coil").exists()


def test_a_period_that_has_no_room_on_the_coil_is_one_line_and_status_1(folder, tmp_path):
    words = ("--shortest-period", 3_000, "--mm-per-pixel", 2)
    result = run(folder, "--output", tmp_path / "coil", *words, exit_status=1)
    assert result.stderr == (
        "sdd-coil: the shortest period, 3,000 mm, is longer than the coil, 2,560 mm: nothing could "
        "come again. Choose a shorter one\n"
    )
    assert not (tmp_path / "coil").exists()


@pytest.mark.parametrize("content", ["{", "[]", None], ids=["cut short", "a list", "missing"])
def test_results_without_their_record_are_one_line_and_status_1(tmp_path, content):
    folder = built.results(tmp_path / "results", strips(count=2))
    (folder / "run.json").unlink()
    if content is not None:
        (folder / "run.json").write_text(content)
    result = run(folder, "--output", tmp_path / "coil", exit_status=1)
    assert "run.json is missing or no record of a run" in result.stderr
    assert result.stderr.count("\n") == 1


def test_names_are_printed_with_all_their_letters(tmp_path):
    names = {"0.png": np.zeros((64, 64), np.uint8), "gnp.\u202eexe": None}
    folder = built.results(tmp_path / "results", names, errors=["gnp.\u202eexe"])
    result = run(folder, "--output", tmp_path / "coil", "--mm-per-pixel", 1, exit_status=3)
    assert result.stderr == "sdd-coil: gnp.\\u202eexe is not an image\n"


def test_files_of_somebody_else_are_kept_unless_told(folder, tmp_path):
    mine = tmp_path / "coil" / "defects.csv"
    mine.parent.mkdir()
    mine.write_text("mine")
    result = run(folder, "--output", mine.parent, exit_status=1)
    assert result.stderr == (
        f"sdd-coil: {mine} is there already, and not from a coil: choose another --output, or add "
        "--overwrite\n"
    )
    assert mine.read_text() == "mine"
    run(folder, "--output", mine.parent, "--overwrite")
    # What is there now is a coil's.
    run(folder, "--output", mine.parent)
    assert mine.read_text() != "mine"
