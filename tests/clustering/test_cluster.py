import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from steel_defect_detection import images
from steel_defect_detection.clustering import Settings, cluster, methods, read_names, rename
from steel_defect_detection.clustering.cluster import fit
from steel_defect_detection.clustering.methods import NOISE, Grouping
from steel_defect_detection.datasets import layouts
from steel_defect_detection.errors import ConfigError, NoImagesError, ResultsError
from tests.clustering import drawn
from tests.clustering.drawn import KINDS, QUICK


def test_kinds_that_differ_become_clusters_of_their_own(finished):
    # Sorted by name: grain, smooth, stripes; numbered by size.
    expected = [2] * KINDS["grain"] + [1] * KINDS["smooth"] + [0] * KINDS["stripes"]
    assert finished.labels.tolist() == expected
    assert finished.facts["score"]["adjusted_rand"] == 1
    assert finished.facts["assigned_alike"] == 1
    assert finished.files[0] == "grain/00.png"


def test_everything_that_was_promised_is_written(finished):
    found = {path.relative_to(finished.output).as_posix() for path in finished.output.rglob("*")}
    assert found == {
        "images.npy",
        "labels.npy",
        "classes.txt",
        "clusters.csv",
        "clusters.json",
        "clusters.safetensors",
        "silhouette.png",
        "map.png",
        "sheets",
        *(f"sheets/{number}.png" for number in range(3)),
    }
    labels = np.load(finished.output / "labels.npy")
    assert labels.dtype == np.int32
    assert labels.tolist() == finished.labels.tolist()
    pixels = np.load(finished.output / "images.npy")
    assert (pixels.dtype, pixels.shape) == (np.uint8, (22, 32, 32, 3))


@pytest.mark.thorough
def test_the_output_is_a_data_set_whose_classes_have_names(crops, tmp_path):
    said = read_names('{"0": {"name": "lines", "severity": "strong"}, "2": "lines"}')
    cluster(crops, tmp_path / "out", QUICK, said=said)
    dataset = layouts.read(tmp_path / "out")
    assert dataset.classes == ("lines", "cluster_1")
    assert dataset.labels().sum(axis=0).tolist() == [15, 7]
    table = pd.read_csv(tmp_path / "out/clusters.csv", keep_default_na=False)
    assert list(table["class"].unique()) == ["lines", "cluster_1"]
    assert set(table[table["cluster"] == 2]["severity"]) == {"strong"}


def test_names_that_do_not_fit_cost_no_clustering(crops, tmp_path):
    with pytest.raises(ConfigError, match="there is no cluster '7' to name; there are 0, 1, 2"):
        cluster(crops, tmp_path, QUICK, said=read_names('{"7": "lines"}'))
    assert rename(tmp_path, read_names('{"0": "lines"}')).names.classes[0] == "lines"


def test_the_same_seed_writes_the_same_tables_and_the_truth_changes_nothing_but_the_score(
    finished, crops, tmp_path
):
    blind = cluster(crops, tmp_path, QUICK)
    assert blind.facts["score"] is None
    for name in ("clusters.csv", "labels.npy", "images.npy", "clusters.safetensors"):
        assert (tmp_path / name).read_bytes() == (finished.output / name).read_bytes(), name


def test_the_number_that_parts_best_is_taken(crops, tmp_path):
    found = cluster(crops, tmp_path, replace(QUICK, clusters=None, most_clusters=6))
    assert [one["clusters"] for one in found.facts["tried"]] == [2, 3, 4, 5, 6]
    best = max(found.facts["tried"], key=lambda one: one["silhouette"])
    assert len(found.names.clusters) == best["clusters"]
    assert found.facts["silhouette"] == best["silhouette"]


def test_noise_is_the_last_class(crops, tmp_path, monkeypatch):
    labels = np.array([NOISE] * 5 + [1] * 7 + [0] * 10, dtype=np.int32)

    def grouped(points, *_, **__):
        centres = np.stack([points[labels == number].mean(axis=0) for number in (0, 1)])
        return [Grouping(labels=labels, centres=centres)]

    monkeypatch.setattr(methods, "group", grouped)
    cluster(crops, tmp_path, replace(QUICK, method="hdbscan", clusters=None))
    report = json.loads((tmp_path / "clusters.json").read_text())
    assert [line["cluster"] for line in report["clusters"]] == ["0", "1", "noise"]
    dataset = layouts.read(tmp_path)
    assert dataset.classes == ("cluster_0", "cluster_1", "noise")
    assert dataset.labels().argmax(axis=1).tolist() == [2] * 5 + [1] * 7 + [0] * 10
    assert (tmp_path / "sheets/noise.png").is_file()


def test_crops_of_one_image_stay_together(tmp_path):
    drawn.crops(tmp_path / "crops")
    (tmp_path / "crops/groups.csv").write_text("class,file,group\ngrain,01.png,strip-7\n")
    cluster(tmp_path / "crops", tmp_path / "out", QUICK)
    dataset = layouts.read(tmp_path / "out")
    assert [entry.group for entry in dataset.entries[:3]] == [None, "strip-7", None]


def test_unreadable_crops_are_listed_and_the_rest_goes_on(tmp_path):
    drawn.crops(tmp_path / "crops")
    (tmp_path / "crops/grain/00.png").write_bytes(b"no picture")
    found = cluster(tmp_path / "crops", tmp_path / "out", QUICK)
    assert len(found.files) == 21
    assert found.files[0] == "grain/01.png"
    (problem,) = found.facts["unreadable"]
    assert problem["image"].endswith("grain/00.png")


def test_sheets_of_an_earlier_run_are_named(copied, crops):
    found = cluster(crops, copied, replace(QUICK, clusters=2), overwrite=True)
    assert found.left_over == ("sheets/2.png",)


def test_what_cannot_be_is_refused_before_the_work(crops, finished, tmp_path):
    with pytest.raises(ResultsError, match=r"is not empty: it holds .*. Name another folder or ad"):
        cluster(crops, finished.output, QUICK)
    message = "is the output of a clustering. Name the folder of the crops, or rename the clusters"
    with pytest.raises(ConfigError, match=message):
        cluster(finished.output, tmp_path / "out", QUICK)
    with pytest.raises(NoImagesError, match="expected a folder of crops"):
        cluster(tmp_path / "nowhere", tmp_path / "out", QUICK)


def test_crops_beside_the_class_folders_have_no_truth(tmp_path):
    drawn.crops(tmp_path / "crops")
    images.write(tmp_path / "crops/stray.png", np.zeros((9, 9), np.uint8))
    message = "1 crops lie in no class folder, first: stray.png. Move them, or leave out --truth"
    with pytest.raises(ConfigError, match=re.escape(message)):
        cluster(tmp_path / "crops", tmp_path / "out", QUICK, truth=True)


def test_the_built_in_model_works_without_a_network(crops, tmp_path):
    found = cluster(crops, tmp_path, Settings(size=32, clusters=3), truth=True)
    assert found.facts["network"].startswith("classifier of strip")
    assert found.facts["score"]["purity"] > 0.9


def test_a_network_that_sees_no_difference_is_refused():
    alike = np.ones((20, 8), np.float32) + np.random.default_rng(0).normal(0, 1e-7, (20, 8))
    with pytest.raises(ConfigError, match="sees no difference between these crops"):
        fit(alike.astype(np.float32), Settings())


def test_an_output_among_the_crops_is_refused(tmp_path):
    images.write(tmp_path / "1.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(ResultsError, match="name a folder outside of it"):
        cluster(tmp_path, tmp_path / "clusters", Settings())
