"""From the settings of a network to its description."""

import pytest

from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.network_settings import NetworkSettings


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"architecture": "classifier"}, "classifier"),
        ({"architecture": "unet"}, "segmenter"),
        ({"architecture": "linknet", "gate_head": True}, "two_head"),
    ],
)
def test_the_kind_says_which_question_is_answered(settings, kind):
    config = NetworkSettings(**settings)
    assert config.kind == kind
    assert config.graph(("rust",)).network.kind == kind


@pytest.mark.parametrize(
    ("labels", "data_is", "exclusive"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("exclusive", False, True),
        ("independent", True, False),
    ],
)
def test_labels_that_are_declared_go_before_what_the_data_show(labels, data_is, exclusive):
    config = NetworkSettings(architecture="classifier", labels=labels)
    graph_config = config.graph(("rust", "pits"), exclusive=data_is)
    assert graph_config.network.exclusive == exclusive


def test_the_graph_sees_images_as_the_settings_say():
    config = NetworkSettings(
        architecture="unet", channels=3, mean=0.4, std=0.2, scale=0.5, size=(64, 96)
    )
    found = config.graph(("rust",)).preprocessing.model_dump()
    expected = {"channels": 3, "mean": 0.4, "std": 0.2, "scale": 0.5, "size": (64, 96)}
    assert {name: found[name] for name in expected} == expected


def test_a_distance_head_is_described_with_its_measures():
    config = NetworkSettings(
        architecture="classifier", head="duq", length_scale=0.3, embedding_size=16
    )
    network = config.graph(("rust", "pits"), exclusive=True).network
    assert (network.head, network.length_scale, network.embedding_size) == ("duq", 0.3, 16)


def test_settings_of_a_network_come_before_those_of_its_training():
    names = list(NetworkSettings.model_fields)
    assert list(TrainConfig.model_fields)[: len(names)] == names
