import json
import re
import shutil
from dataclasses import fields
from functools import partial

import numpy as np
import pandas as pd
import pytest

from steel_defect_detection.cli.cluster import main
from steel_defect_detection.cli.inspect import main as inspect_main
from steel_defect_detection.clustering import Settings
from steel_defect_detection.models import weights
from tests.cli.calling import call
from tests.clustering import drawn

run = partial(call, main)
QUICK = ("--backbone", "shufflenet_v2", "--weights", "random", "--size", 32, "--device", "cpu")


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return drawn.crops(tmp_path_factory.mktemp("crops"))


@pytest.fixture(scope="module")
def finished(crops, tmp_path_factory):
    """What a first run prints, and its folder."""
    folder = tmp_path_factory.mktemp("run") / "out"
    words = (crops, "--output", folder, *QUICK, "--clusters", 3, "--truth", "folders")
    return run(*words), folder


@pytest.fixture
def copied(finished, tmp_path):
    return shutil.copytree(finished[1], tmp_path / "copied")


def test_clusters_are_listed_beside_the_folders_they_did_not_see(finished):
    result, folder = finished
    lines = result.stdout.splitlines()
    assert re.fullmatch(r"22 crops in 3 clusters, silhouette 0\.\d{3}", lines[0])
    assert [line.split() for line in lines[1:5]] == [
        ["cluster", "class", "severity", "crops", "mostly", "share"],
        ["0", "cluster_0", "-", "10", "stripes", "1.0000"],
        ["1", "cluster_1", "-", "7", "smooth", "1.0000"],
        ["2", "cluster_2", "-", "5", "grain", "1.0000"],
    ]
    assert "adjusted Rand index 1.0000" in lines
    assert lines[-1] == f"They are in {folder}"


def test_the_way_to_train_is_told_with_what_its_accuracy_means(finished):
    result, folder = finished
    expected = (
        f"sdd-cluster: train with: sdd-train crops-resnet18 --data {folder} --output runs/crops. "
        "Its accuracy will say how well it agrees with this clustering, not how often it is right"
    )
    assert expected in result.stderr.splitlines()


def test_other_commands_say_where_the_labels_come_from(finished):
    result = call(inspect_main, finished[1])
    assert "the labels come from a clustering (clusters.json): measures say how" in result.stderr


def test_clusters_are_named_after_a_look(copied, tmp_path):
    said = {"0": {"name": "scratches", "severity": "strong"}, "1": "holes", "2": "scratches"}
    (tmp_path / "names.json").write_text(json.dumps(said))
    before = (copied / "images.npy").stat().st_mtime_ns
    result = run(copied, "--names", tmp_path / "names.json")
    assert (copied / "classes.txt").read_text() == "scratches\nholes\n"
    assert "clusters 0 and 2 are one class, scratches" in result.stderr
    assert (copied / "images.npy").stat().st_mtime_ns == before


def test_new_crops_are_assigned(copied, tmp_path):
    new = drawn.crops(tmp_path / "new", seed=4, kinds={"smooth": 3})
    output = tmp_path / "assigned"
    result = run(new, "--assign", copied, "--output", output, "--device", "cpu")
    expected = "3 crops, 0 cluster_0, 3 cluster_1, 0 cluster_2. They are in "
    assert result.stdout == f"{expected}{output}/assigned.csv\n"
    assert pd.read_csv(output / "assigned.csv")["class"].tolist() == ["cluster_1"] * 3
    words = (new, "--assign", copied, "--output", output, "--overwrite", "--json")
    assert json.loads(run(*words).stdout) == {
        "output": str(output),
        "crops": 3,
        "classes": {"cluster_0": 0, "cluster_1": 3, "cluster_2": 0},
        "unreadable": [],
    }


def test_json_holds_everything(crops, tmp_path):
    words = (crops, "--output", tmp_path / "out", *QUICK, "--most-clusters", 4, "--json")
    report = json.loads(run(*words).stdout)
    assert report == json.loads((tmp_path / "out/clusters.json").read_text())
    assert [one["clusters"] for one in report["tried"]] == [2, 3, 4]
    assert report["note"].startswith("the labels come from a clustering")


def test_unreadable_crops_are_named_and_the_status_is_3(tmp_path):
    crops = drawn.crops(tmp_path / "crops")
    (crops / "smooth/03.png").write_bytes(b"no picture")
    words = (crops, "--output", tmp_path / "out", *QUICK, "--clusters", 2)
    result = run(*words, exit_status=3)
    assert "smooth/03.png is not an image" in result.stderr
    assert result.stdout.startswith("21 crops in 2 clusters")
    words = (crops, "--assign", tmp_path / "out", "--output", tmp_path / "new")
    assert "smooth/03.png is not an image" in run(*words, exit_status=3).stderr


def test_clusters_that_lie_in_each_other_are_told(crops, tmp_path, monkeypatch):
    monkeypatch.setattr("steel_defect_detection.cli.cluster._LITTLE_STRUCTURE", 1)
    result = run(crops, "--output", tmp_path / "out", *QUICK, "--clusters", 2)
    assert "a silhouette below 1 means that the clusters lie in each other: other" in result.stderr


def test_a_bad_setting_is_one_line_and_status_1(crops, tmp_path):
    words = (crops, "--output", tmp_path / "out", *QUICK)
    result = run(*words, "--clusters", 100, exit_status=1)
    assert result.stderr.startswith("sdd-cluster: expected 1 to ")
    result = run(*words, "--names", '{"0": 1}', exit_status=1)
    assert result.stderr.count("\n") == 1
    assert "expected a name, or a name and a severity" in result.stderr


def test_without_a_network_imagenet_is_one_line(crops, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(weights, "_published", fail)
    words = (crops, "--output", tmp_path / "out", "--backbone", "shufflenet_v2")
    result = run(*words, exit_status=1)
    assert result.stderr == (
        "sdd-cluster: cannot fetch the ImageNet weights of shufflenet_v2: no route to host. Use "
        "--weights random, a baseline, or --model with a model that was trained\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--clusters", "many"], "'many' is neither 'auto' nor a whole number from 2 on"),
        (["--weights", "random"], "--weights needs --backbone"),
        (["--least-members", 4], "--least-members needs --method hdbscan"),
        (["--backbone", "resnet18", "--model", "strip"], "--model does nothing beside --backbone"),
        (["--method", "hdbscan", "--clusters", 3], "--clusters does nothing beside --method hdb"),
        (["--clusters", 3, "--most-clusters", 5], "--most-clusters does nothing beside --clusters"),
        (["--assign", "out", "--pca", 3], "--pca does nothing beside --assign"),
    ],
)
def test_options_that_would_do_nothing_are_wrong_usage(crops, words, message):
    assert message in run(crops, *words, exit_status=2).stderr


def test_renaming_takes_names_alone(copied):
    words = (copied, "--names", '{"0": "a"}', "--clusters", 3)
    message = "--clusters does nothing beside --names of an earlier output: leave one of them out"
    assert message in run(*words, exit_status=2).stderr


def test_options_have_the_defaults_of_the_settings(monkeypatch, crops, tmp_path):
    asked = []

    def note(_crops, _output, settings, **_):
        asked.append(settings)
        raise KeyboardInterrupt

    monkeypatch.setattr("steel_defect_detection.clustering.cluster", note)
    run(crops, exit_status=130)
    assert asked == [Settings()]
    options = {option.name for option in main.params}
    assert {field.name for field in fields(Settings)} <= options


def test_labels_are_what_sdd_train_takes(finished):
    labels = np.load(finished[1] / "labels.npy")
    assert labels.dtype == np.int32
    assert labels.min() == 0
