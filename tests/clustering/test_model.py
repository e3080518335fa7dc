import re
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from steel_defect_detection.clustering import embedding, model, names
from steel_defect_detection.clustering.methods import NOISE
from steel_defect_detection.clustering.model import ClusterModel
from steel_defect_detection.clustering.points import Axes
from steel_defect_detection.errors import CheckpointError

CENTRES = np.array([[0, 0], [10, 0]], dtype=np.float32)


def made(**changes):
    """Two clusters: one that reaches as far as 2, one as far as 4."""
    values = {
        "backbone": embedding.of_zoo("shufflenet_v2", "random", size=32),
        "features": "penultimate",
        "size": 32,
        "axes": None,
        "centres": CENTRES,
        "reach": np.array([2, 4], dtype=np.float32),
        "names": names.unnamed(2),
    }
    return ClusterModel(**(values | changes))


def test_points_go_to_the_nearest_centre():
    labels, distances = made().assign(np.array([[3, 4], [10, 1], [-90, 0]], dtype=np.float32))
    assert labels.tolist() == [0, 1, 0]
    assert distances.tolist() == [5, 1, 90]


def test_where_there_is_noise_no_cluster_reaches_farther_than_its_farthest_crop():
    known = made(names=names.unnamed(2, noise=True))
    points = [[2, 0], [2.1, 0], [6, 0], [14, 0], [14.1, 0]]
    labels, _ = known.assign(np.array(points, dtype=np.float32))
    assert labels.tolist() == [0, NOISE, 1, 1, NOISE]


def test_a_model_comes_back_as_it_was_saved(tmp_path):
    axes = Axes(mean=np.ones(3, np.float32), directions=np.eye(2, 3, dtype=np.float32))
    said = names.read('{"0": {"name": "rust", "severity": "weak"}, "noise": "rest"}')
    called = names.given(names.unnamed(2, noise=True), said)
    before = made(axes=axes, names=called)
    model.save(tmp_path / "clusters.safetensors", before)
    # By its folder, too.
    for place in (tmp_path, tmp_path / "clusters.safetensors"):
        after = model.load(place)
        assert after.names == called
        assert after.backbone.config == before.backbone.config
        assert np.array_equal(after.centres, CENTRES)
        rows = np.array([[3, 4, 0]], dtype=np.float32)
        # Brought to length 1, then, less the mean, onto the first two coordinates.
        assert np.allclose(after.place(rows), [[-0.4, -0.2]])
        crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
        seen = [embedding.Embedder(one.backbone).embed(crops) for one in (before, after)]
        assert np.array_equal(*seen)


def test_what_is_no_clustering_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot read .*nowhere: No such"):
        model.load(tmp_path / "nowhere")
    (tmp_path / "cut").write_bytes(b"\x00" * 40)
    with pytest.raises(CheckpointError, match=r"cut is no intact \.safetensors file"):
        model.load(tmp_path / "cut")
    safetensors.numpy.save_file({"centres": CENTRES}, tmp_path / "other")
    message = "other is no clustering of sdd-cluster: its header has no"
    with pytest.raises(CheckpointError, match=re.escape(message)):
        model.load(tmp_path / "other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "has a header without the number of its format"),
        ("no json", "has a header that is no JSON object: "),
        (
            '{"format_version": 2}',
            "has format 2, this version reads format 1. Upgrade",
        ),
    ],
)
def test_a_header_that_says_something_else_is_refused(tmp_path, text, message):
    metadata = {"steel_defect_detection_clusters": text}
    safetensors.numpy.save_file({"centres": CENTRES}, tmp_path / "odd", metadata=metadata)
    with pytest.raises(CheckpointError, match=re.escape(message)):
        model.load(tmp_path / "odd")


@pytest.mark.parametrize(
    "changes",
    [
        {"centres": CENTRES[:1]},
        {"centres": CENTRES * np.float32(np.nan)},
        {"reach": np.ones(3, np.float32)},
        {"axes": Axes(mean=np.ones(3, np.float32), directions=np.ones((1, 3), np.float32))},
    ],
)
def test_numbers_that_do_not_belong_together_are_refused(tmp_path, changes):
    model.save(tmp_path / "clusters.safetensors", replace(made(), **changes))
    message = r"names 2 clusters, but its centres, of shape .*, do not fit them. Cluster again"
    with pytest.raises(CheckpointError, match=message):
        model.load(tmp_path)
