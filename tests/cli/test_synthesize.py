import json
from functools import partial

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.cli.synthesize import main
from steel_defect_detection.datasets import layouts, splits, writing
from tests.cli.calling import call
from tests.synthesis.sheets_and_defects import dataset

run = partial(call, main)


@pytest.fixture
def data(tmp_path):
    """A folder with images of a scratch or a pit each, and clean ones."""
    writing.write(dataset(groups=True), tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def split(data, tmp_path):
    """A split of it."""
    names = layouts.read(data).names
    parts = dict.fromkeys(names, "train") | {names[0]: "validation", names[1]: "validation"}
    splits.write(tmp_path / "split.csv", parts)
    return tmp_path / "split.csv"


def test_strips_are_drawn_without_any_data(tmp_path):
    words = ("--per-class", 1, "--clean", 2, "--shape", "64x96", "--workers", 1)
    result = run("draw", "--output", tmp_path / "out", *words)
    assert result.stdout.splitlines() == [
        "train: 0 real images and 6 synthetic ones (1 defect_1, 1 defect_2, 1 defect_3, "
        "1 defect_4, 2 free of defects)",
        f"The data set is in {tmp_path / 'out'}, layout severstal; samples.png shows a few",
        f"To train on it: sdd-train PRESET --data {tmp_path / 'out'} --output RUN",
    ]
    assert {sample.shape for sample in layouts.read(tmp_path / "out")} == {(64, 96)}


def test_defects_are_drawn_on_the_sheets_of_a_data_set(data, split, tmp_path):
    words = ("--split", split, "--per-class", 2, "--json")
    result = run("draw", data, "--output", tmp_path / "out", *words)
    assert json.loads(result.stdout) == {
        "output": str(tmp_path / "out"),
        "layout": "mask-folders",
        "real": {"train": 6, "validation": 2},
        "earlier": {"train": 0, "validation": 0},
        "synthetic": {"train": {"scratch": 2, "pit": 2}},
    }
    assert "scratch is drawn as scratches" in result.stderr
    assert "count as training images" not in result.stderr


def test_defects_are_transplanted(data, split, tmp_path):
    words = ("--split", split, "--per-class", "train=2,validation=1", "--class", "pit")
    words += ("--sheets", "clean,cleaned", "--rotation", 0, "--no-flips", "--most", 1)
    result = run("transplant", data, "--output", tmp_path / "out", *words)
    assert result.stdout.splitlines()[:2] == [
        "train: 6 real images and 2 synthetic ones (2 pit)",
        "validation: 2 real images and 1 synthetic ones (1 pit)",
    ]
    assert f"--data {tmp_path / 'out'} --split {tmp_path / 'out/split.csv'}" in result.stdout


def test_defects_are_found_by_template_and_transplanted(tmp_path):
    pattern = np.random.default_rng(5).integers(60, 140, (12, 16)).astype(np.uint8)
    for number in range(4):
        image = np.random.default_rng(number).normal(120, 4, (64, 64)).astype(np.uint8)
        if number % 2:
            image[8 * number : 8 * number + 12, 20:36] = pattern
        folder = "print" if number % 2 else "good"
        images.write(tmp_path / f"data/{folder}/{number}.png", image)
    images.write(tmp_path / "templates/print.png", pattern)
    words = ("--templates", tmp_path / "templates", "--per-class", 3, "--sheets", "clean")
    result = run("transplant", tmp_path / "data", "--output", tmp_path / "out", *words)
    assert "train: 4 real images and 3 synthetic ones (3 print)" in result.stdout
    written = layouts.read(tmp_path / "out")
    assert written.labels().sum(axis=0).tolist() == [2, 5]
    masks = [images.read(path)[..., 0] for path in sorted((tmp_path / "out/masks").iterdir())]
    assert [np.unique(mask).tolist() for mask in masks] == [[0, 2]] * 3


def test_images_are_generated_and_generators_kept(data, split, tmp_path):
    words = ("--split", split, "--per-class", 1, "--epochs", 1, "--image-size", 16)
    words += ("--latent-size", 4, "--batch-size", 2)
    result = run("gan", data, "--output", tmp_path / "out", *words)
    assert "train: 6 real images and 2 synthetic ones (1 scratch, 1 pit)" in result.stdout
    assert len(list((tmp_path / "out-gans").glob("pit-*/samples/epoch-0001.png"))) == 1
    again = run("gan", data, "--output", tmp_path / "two", *words, "--gans", tmp_path / "out-gans")
    assert "epoch 1/1" in result.stderr
    assert "epoch 1/1" not in again.stderr


def test_ratios_leave_real_images_out(data, split, tmp_path):
    words = ("draw", data, "--split", split, "--output", tmp_path / "out")
    result = run(*words, "--per-class", 2, "--ratio", 0.5)
    assert result.stdout.startswith("train: 6 real images and 4")
    result = run(*words, "--per-class", 1, "--ratio", 0.5, "--no-combine", exit_status=2)
    assert "Give one of them" in result.stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("draw", "--ratio", 0.5), "--ratio needs DATA"),
        (("draw", "--kind", "a=pits"), "--kind needs DATA"),
        (("draw", "DATA", "--kind", "rust=pits"), "--kind 'rust' is no class"),
        (("draw", "DATA", "--class", "rust"), "there is no class 'rust'"),
        (("draw", "DATA", "--difficulty", "hard"), "'hard' is no number, or range like 0.2:0.8"),
        (("draw", "DATA", "--kind", "pit"), "expected --kind CLASS=KIND"),
        (("draw", "DATA", "--kind", "pit=pits", "--kind", "pit=cracks"), "once for each class"),
        (("draw", "DATA", "--shape", "64x64"), "--shape is that of drawn sheets"),
        (("draw", "--unlike"), "--unlike needs DATA"),
        (("draw", "--per-class", 0), "nothing is to be made"),
        (("transplant", "DATA", "--ink", "1:2"), "--ink belongs to --templates"),
        (("transplant", "DATA", "--least-match", 0.5), "--least-match belongs to --templates"),
        (("transplant", "DATA", "--per-class", "many"), "'many' is no whole number"),
        (("gan", "DATA", "--image-size", 30), "must be a multiple of 16"),
        (("gan", "DATA", "--epochs", 0), "--epochs Input should be greater than or equal to 1"),
    ],
)
def test_wrong_use_is_refused(data, tmp_path, words, text):
    words = [data if word == "DATA" else word for word in words]
    assert text in run(*words, "--output", tmp_path / "out", exit_status=2).stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("draw", "DATA", "--sheets", "dirty"), "sheets are clean, cleaned, as-is, drawn"),
        (("draw", "DATA", "--difficulty", 2), "expected a difficulty"),
        (("draw", "DATA", "--kind", "pit=moss"), "defects are drawn as"),
        (("draw", "--shape", "8x8"), "at least 64 x 64"),
        (("draw", "--shape", "100000x100000"), "at most 67,108,864 pixels"),
        (("transplant", "DATA", "--templates", "nowhere"), "no folder of templates"),
        (("transplant", "nowhere"), "there is no folder 'nowhere'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(data, tmp_path, words, text):
    words = [data if word == "DATA" else word for word in words]
    result = run(*words, "--output", tmp_path / "out", exit_status=1)
    assert text in result.stderr
    assert "Traceback" not in result.stderr


def test_an_output_among_the_data_is_refused(data):
    result = run("draw", data, "--output", data / "images/more", exit_status=1)
    assert "lies among the images of a data set: choose another --output" in result.stderr
    words = ("gan", data, "--output", data.with_name("o"), "--gans", data.with_name("o") / "gans")
    assert "lies in" in run(*words, exit_status=1).stderr


def test_what_is_all_synthetic_is_not_built_upon(tmp_path):
    run("draw", "--output", tmp_path / "a", "--per-class", 1, "--shape", "64x64")
    result = run("transplant", tmp_path / "a", "--output", tmp_path / "b", exit_status=1)
    assert "are synthetic; more are made of real ones only" in result.stderr


def test_a_second_round_tells_old_from_new(data, split, tmp_path):
    words = ("--per-class", 1, "--output")
    run("draw", data, "--split", split, *words, tmp_path / "a")
    again = ("--split", tmp_path / "a/split.csv", *words, tmp_path / "b")
    result = run("transplant", tmp_path / "a", *again)
    assert result.stdout.startswith(
        "train: 6 real images, 2 synthetic ones made before and 2 synthetic ones (1 scratch, 1 pit)"
    )


def test_classes_whose_name_says_nothing_need_a_kind(tmp_path):
    written = dataset()
    writing.write(written, tmp_path / "data")
    (tmp_path / "data/classes.txt").write_text("scratch\nmoss\n")
    result = run("draw", tmp_path / "data", "--output", tmp_path / "out", exit_status=2)
    assert "what does 'moss' look like?" in result.stderr
    words = ("--kind", "moss=patches", "--per-class", 1)
    result = run("draw", tmp_path / "data", "--output", tmp_path / "out", *words)
    assert "moss is drawn as patches" in result.stderr
    assert "all 8 images of" in result.stderr
