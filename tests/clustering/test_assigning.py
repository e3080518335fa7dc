import numpy as np
import pandas as pd
import pytest

from steel_defect_detection.clustering import assign, read_names, rename
from steel_defect_detection.errors import CheckpointError, ImageError
from tests.clustering import drawn


def test_new_crops_go_to_the_clusters_of_their_kind(copied, tmp_path):
    rename(copied, read_names('{"0": "lines", "1": {"name": "blank", "severity": "weak"}}'))
    new = drawn.crops(tmp_path / "new", seed=9, kinds={"smooth": 20, "stripes": 15})
    found = assign(new, copied, tmp_path / "out", device="cpu")
    assert found.counts() == {"lines": 15, "blank": 20, "cluster_2": 0}
    table = pd.read_csv(tmp_path / "out/assigned.csv", keep_default_na=False)
    assert list(table.columns) == ["file", "cluster", "class", "severity", "distance"]
    assert table.iloc[0].to_dict() | {"distance": 0} == {
        "file": "smooth/00.png",
        "cluster": 1,
        "class": "blank",
        "severity": "weak",
        "distance": 0,
    }


def test_the_crops_themselves_are_assigned_as_they_were_clustered(finished, crops, tmp_path):
    found = assign(crops, finished.output, tmp_path, device="cpu")
    assert found.files == finished.files
    assert np.array_equal(found.labels, finished.labels)
    assert np.allclose(found.distances, finished.distances, atol=1e-4)


def test_unreadable_crops_are_listed(finished, tmp_path):
    new = drawn.crops(tmp_path / "new", kinds={"smooth": 2})
    (new / "smooth/00.png").write_bytes(b"no picture")
    found = assign(new, finished.output, tmp_path / "out", device="cpu")
    assert found.files == ("smooth/01.png",)
    assert [problem.image for problem in found.problems] == [str(new / "smooth/00.png")]
    (new / "smooth/01.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="none of 2 crops can be read, first"):
        assign(new, finished.output, tmp_path / "other", device="cpu")


def test_without_a_clustering_nothing_is_written(crops, tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot read .*nowhere"):
        assign(crops, tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()
