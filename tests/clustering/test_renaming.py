import json

import numpy as np
import pytest

from steel_defect_detection.clustering import model, read_names, rename
from steel_defect_detection.datasets import layouts
from steel_defect_detection.errors import ConfigError, ResultsError


def test_names_change_everywhere_and_clusters_nowhere(copied, finished):
    said = read_names('{"0": {"name": "lines", "severity": "strong"}, "1": "blank", "2": "lines"}')
    rename(copied, said)
    assert layouts.read(copied).classes == ("lines", "blank")
    assert np.load(copied / "labels.npy").tolist() == [0] * 5 + [1] * 7 + [0] * 10
    assert model.load(copied).names.classes == ("lines", "blank")
    report = json.loads((copied / "clusters.json").read_text())
    assert [line["severity"] for line in report["clusters"]] == ["strong", "", "strong"]
    assert report["tried"] == finished.facts["tried"]
    rows = (copied / "clusters.csv").read_text().splitlines()
    assert rows[1].startswith("0,grain/00.png,2,lines,strong,")
    assert (copied / "images.npy").read_bytes() == (finished.output / "images.npy").read_bytes()


def test_names_can_be_given_twice(copied):
    rename(copied, read_names('{"0": "lines", "2": "lines"}'))
    # What was joined can be parted again.
    found = rename(copied, read_names('{"2": "grain"}'))
    assert found.names.classes == ("lines", "cluster_1", "grain")


def test_bad_names_change_nothing(copied):
    before = (copied / "clusters.json").read_bytes()
    with pytest.raises(ConfigError, match="there is no cluster '9' to name; there are 0, 1, 2"):
        rename(copied, read_names('{"9": "lines"}'))
    assert (copied / "clusters.json").read_bytes() == before


def test_only_a_clustering_can_be_renamed(tmp_path):
    with pytest.raises(ResultsError, match="holds no clustering"):
        rename(tmp_path, {})
