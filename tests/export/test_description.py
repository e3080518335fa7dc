import pytest
from pydantic import ValidationError

from steel_defect_detection.export.description import Comparison, Description, NetworkFile
from steel_defect_detection.export.reading import read


@pytest.fixture
def about(exports):
    return read(exports("torchscript")).description


@pytest.mark.thorough
def test_it_survives_json(about):
    assert Description.model_validate_json(about.model_dump_json()) == about


@pytest.mark.parametrize("name", ["../a.pt", "a/b.pt", "a\\b.pt", "/a.pt", "C:\\a.pt", "..", ""])
def test_a_network_lies_beside_the_others(name):
    with pytest.raises(ValidationError, match="a network lies beside the others, not at"):
        NetworkFile(file=name, sha256="0" * 64)


@pytest.mark.parametrize("digest", ["0" * 63, "G" * 64, "0" * 65])
def test_a_hash_is_one(digest):
    with pytest.raises(ValidationError):
        NetworkFile(file="a.pt", sha256=digest)


def test_it_names_the_networks_of_all_graphs(about):
    with pytest.raises(ValidationError, match="expected the graphs "):
        Description(**about.model_dump() | {"networks": {}})


@pytest.mark.parametrize(
    "change", [{"export_version": 2}, {"image_shape": (0, 4, 3)}, {"format": "tflite"}, {"x": 1}]
)
def test_what_this_version_does_not_know_is_refused(about, change):
    with pytest.raises(ValidationError):
        Description(**about.model_dump() | change)


def test_nothing_was_compared_on_no_images():
    with pytest.raises(ValidationError):
        Comparison(images=0, probability_difference=0.0)
