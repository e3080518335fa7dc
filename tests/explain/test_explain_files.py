import csv
import json

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.errors import ConfigError, ResultsError
from steel_defect_detection.explain import Explainer
from steel_defect_detection.explain.checks import Location, Randomisation
from steel_defect_detection.explain.explain_files import Row, explain_files, summary, write_record
from tests.explain import toys


@pytest.fixture
def explainer():
    return Explainer(toys.linear(), device="cpu")


@pytest.fixture
def paths(tmp_path):
    for folder in ("one", "two"):
        images.write(tmp_path / folder / "a.png", toys.noise(seed=len(folder)))
    (tmp_path / "one/broken.png").write_bytes(b"no picture")
    return [tmp_path / "one/a.png", tmp_path / "one/broken.png", tmp_path / "two/a.png"]


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_image_gets_a_picture_and_a_row(explainer, paths, tmp_path):
    out = tmp_path / "out"
    rows = explain_files(explainer, paths, out, arrays=True)
    write_record(out, explainer, rows, record={"command": "test"})
    assert sorted(path.name for path in out.iterdir()) == [
        "a-2.npz",
        "a-2.png",
        "a.npz",
        "a.png",
        "explanations.csv",
        "explanations.json",
    ]
    assert images.read(out / "a.png").shape[1] == 1000
    first, broken, last = table(out / "explanations.csv")
    assert (first["figure"], last["figure"]) == ("a.png", "a-2.png")
    assert first["class"] in toys.CLASSES
    assert float(first["gap"]) < 1e-3
    assert broken["error"].startswith(str(paths[1]))
    assert broken["figure"] == broken["gap"] == ""


def test_the_array_is_the_map(explainer, paths, tmp_path):
    explain_files(explainer, paths[:1], tmp_path / "out", arrays=True, class_name="pit")
    found = np.load(tmp_path / "out/a.npz")["attribution"]
    assert np.array_equal(found, explainer.explain(paths[0], "pit").attribution)


def test_the_record_says_what_was_done(explainer, paths, tmp_path):
    rows = explain_files(explainer, paths, tmp_path / "out", randomisation=Randomisation(explainer))
    locations = [
        Location(image="a", class_name="pit", inside=0.5, chance=0.1),
        Location(image="b", error="too small"),
    ]
    write_record(tmp_path / "out", explainer, rows, locations=locations)
    record = json.loads((tmp_path / "out/explanations.json").read_text())
    assert record["counts"] == {"images": 3, "error": 1}
    assert record["method"] == "integrated-gradients"
    assert record["steps"] == 64
    assert record["model"]["graph"] == "classifier"
    assert set(record["versions"]) == {"steel-defect-detection", "torch", "captum"}
    correlations = [row.randomisation for row in rows if not row.error]
    mean = record["randomisation"]["mean_rank_correlation"]
    assert mean == pytest.approx(sum(correlations) / 2)
    assert record["localisation"] == {
        "images": 1,
        "error": 1,
        "mean_share_inside": 0.5,
        "mean_share_by_chance": 0.1,
    }
    assert [row["inside"] for row in table(tmp_path / "out/localisation.csv")] == ["0.5", ""]


def test_a_record_without_checks_names_none():
    assert summary([Row(file="a")], []) == {"counts": {"images": 1, "error": 0}}


def test_a_folder_that_holds_something_is_left_alone(explainer, paths, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").write_bytes(b"mine")
    with pytest.raises(ResultsError, match=r"is not empty: it holds a\.png.*add --overwrite"):
        explain_files(explainer, paths, tmp_path / "out")
    assert (tmp_path / "out/a.png").read_bytes() == b"mine"
    explain_files(explainer, paths, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out/a.png").read_bytes() != b"mine"


def test_an_unknown_class_is_refused_before_anything_is_written(explainer, paths, tmp_path):
    with pytest.raises(ConfigError, match="no class 'rust'"):
        explain_files(explainer, paths, tmp_path / "out", class_name="rust")
    assert not (tmp_path / "out").exists()


def test_outlines_are_drawn_on_the_picture(tmp_path):
    subject = toys.segmenter(toys.per_pixel([[1.0], [-1.0]]), pixels=(0.99, 0.99))
    image = np.full((32, 32, 1), 128, dtype=np.uint8)
    image[8:24, 8:24] = 250
    images.write(tmp_path / "a.png", image)
    explainer = Explainer(subject, method="saliency", device="cpu")
    (row,) = explain_files(explainer, [tmp_path / "a.png"], tmp_path / "out")
    assert row.target == "logits of pit over the 256 pixels outlined"
    left = images.read(tmp_path / "out/a.png")[:, :450].reshape(-1, 3).astype(int)
    # Orange is the colour of the first class.
    assert (np.abs(left - (230, 159, 0)).max(axis=1) < 30).any()
