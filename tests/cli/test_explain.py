import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.cli.explain import main
from steel_defect_detection.explain import METHODS
from tests.cli.calling import call
from tests.export import toys

run = partial(call, main)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A classifier, a segmenter and the two as a cascade."""
    folder = tmp_path_factory.mktemp("models")
    toys.save_cascade(folder)
    return folder


@pytest.fixture
def strips(tmp_path):
    return toys.strips(tmp_path / "strips", count=2)


@pytest.fixture
def labelled(tmp_path):
    """Two strips with a bright pit each."""
    folder = tmp_path / "labelled"
    for number in range(2):
        picture = np.full((64, 96), 90, dtype=np.uint8)
        picture[20:40, 30:60] = 200
        images.write(folder / f"images/{number}.png", picture)
        images.write(folder / f"masks/{number}.png", (picture == 200).astype(np.uint8))
    (folder / "classes.txt").write_text("pit\nscratch\n")
    return folder


def test_the_methods_are_those_of_the_package():
    (option,) = [option for option in main.params if option.name == "method"]
    assert tuple(option.type.choices) == METHODS


@pytest.mark.thorough
@pytest.mark.parametrize("method", METHODS)
def test_every_method_explains_outlines(models, strips, tmp_path, method):
    words = (models / "cascade.safetensors", strips / "strip-1.png", "--method", method)
    result = run(*words, "--output", tmp_path / "out", "--device", "cpu", "--steps", 32)
    assert result.stdout.endswith(f". Results are in {tmp_path / 'out'}\n")
    assert result.stdout.startswith("strip-1.png: logits of ")
    assert ("completeness gap" in result.stdout) == (method in {"integrated-gradients", "deeplift"})
    assert images.read(tmp_path / "out/strip-1.png").shape[1] == 1000


def test_the_verdict_can_be_explained_in_place_of_the_outlines(models, strips, tmp_path):
    words = ("--method", "saliency", "--graph", "classifier", "--class", "scratch", "--json")
    words = (models / "cascade.safetensors", strips, *words, "--arrays")
    result = json.loads(run(*words, "--output", tmp_path / "out", "--device", "cpu").stdout)
    assert [row["target"] for row in result["images"]] == ["logit of scratch"] * 2
    assert result["command"] == "sdd-explain"
    assert result["model"]["graph"] == "classifier"
    assert np.load(tmp_path / "out/strip-0.npz")["attribution"].shape == (64, 96)


def test_both_checks_are_reported(models, strips, labelled, tmp_path):
    words = (models / "segmenter.safetensors", strips, "--method", "saliency", "--check")
    words += ("--data", labelled, "--device", "cpu", "--output", tmp_path / "out")
    said = run(*words).stdout
    assert "with shuffled weights: rank correlation" in said
    # 20 x 30 of 64 x 96 pixels.
    assert "on 2 labelled images" in said
    assert "(9.8% by chance)" in said
    assert (tmp_path / "out/localisation.csv").read_text().startswith("image,class_name,inside,")


def test_with_labelled_images_alone_no_samples_are_explained(models, labelled, tmp_path):
    words = (models / "gate.safetensors", "--method", "saliency", "--check", "--count", 1)
    result = run(*words, "--data", labelled, "--device", "cpu", "--output", tmp_path / "out")
    assert "on 1 labelled images" in result.stdout
    assert "0 images. Results" in result.stdout
    assert result.stderr == ""


def test_a_part_of_the_labelled_images_is_taken(models, labelled, tmp_path):
    (tmp_path / "split.csv").write_text(
        "image,split\nimages/0.png,train\nimages/1.png,validation\n"
    )
    words = (models / "gate.safetensors", "--method", "saliency", "--check", "--data", labelled)
    words += ("--split", tmp_path / "split.csv", "--output", tmp_path / "out", "--json")
    assert json.loads(run(*words).stdout)["localisation"]["images"] == 1


def test_without_images_the_samples_are_explained(models, strips, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "samples", lambda: images.find([strips]))
    words = (models / "gate.safetensors", "--method", "grad-cam", "--device", "cpu")
    result = run(*words, "--output", tmp_path / "out")
    assert "the built-in sample strips are explained" in result.stderr
    assert "strip-0.png: logit of" in result.stdout


def test_a_file_that_cannot_be_read_is_named_and_the_status_is_3(models, strips, tmp_path):
    (strips / "broken.png").write_bytes(b"no picture")
    words = (models / "gate.safetensors", strips, "--method", "saliency", "--device", "cpu")
    result = run(*words, "--output", tmp_path / "out", exit_status=3)
    assert "broken.png" in result.stderr
    assert "3 images, 1 could not be explained. Results are in" in result.stdout


def test_pictures_of_an_earlier_run_are_not_explained(models, strips):
    words = (models / "gate.safetensors", strips, "--method", "saliency", "--device", "cpu")
    run(*words, "--output", strips / "out")
    again = run(*words, "--output", strips / "out", "--overwrite")
    assert "2 images. Results" in again.stdout
    assert "add --overwrite" in run(*words, "--output", strips / "out", exit_status=1).stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--data", "."], "--data needs --check"),
        (["--fold", 1], "--layout, --split and --fold need --data"),
        (["--method", "lrp"], "is not one of"),
    ],
    ids=["data", "fold", "method"],
)
def test_words_that_do_not_go_together_are_refused(words, text):
    assert text in run("strip", *words, exit_status=2).stderr


def test_a_missing_model_is_one_line():
    result = run("nowhere.safetensors", exit_status=1)
    assert "no model 'nowhere.safetensors'" in result.stderr.splitlines()[-1]


def test_without_captum_one_line_says_what_to_install(models, strips, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    result = run(models / "gate.safetensors", strips, exit_status=1)
    assert result.stderr == (
        "sdd-explain: captum is not installed. "
        'Install it with: pip install "steel-defect-detection[explain]"\n'
    )


def test_an_image_in_place_of_the_model_is_noticed(strips):
    image = next(Path(strips).glob("*.png"))
    result = run(image, exit_status=2)
    assert f"MODEL comes first: sdd-explain strip {image}" in " ".join(result.stderr.split())
