import pytest

from steel_defect_detection.checkpoints import Header, Thresholds
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.config import (
    ClassifierConfig,
    FamiliarityConfig,
    GraphConfig,
    SegmenterConfig,
)
from steel_defect_detection.predictors import limits

CLASSES = ("pit", "scratch")
NETWORKS = {
    "classifier": ClassifierConfig(classes=CLASSES),
    "segmenter": SegmenterConfig(classes=CLASSES),
}


def header(kind: str) -> Header:
    kinds = ("classifier", "segmenter") if kind == "cascade" else (kind,)
    return Header(
        architecture=kind,
        graphs={name: GraphConfig(network=NETWORKS[name]) for name in kinds},
        classes=CLASSES,
        thresholds=Thresholds(gate=0.4, classes=(0.3, 0.35), pixels=(0.6, 0.7), min_areas=(10, 20)),
    )


def test_without_a_wish_all_stays():
    assert limits.change(header("cascade")) == header("cascade").thresholds


def test_a_number_is_for_all_classes_and_a_name_for_one():
    found = limits.change(header("cascade"), threshold=0.5, min_area={"scratch": 7})
    assert found.pixels == (0.5, 0.5)
    assert found.min_areas == (10, 7)
    assert (found.gate, found.classes) == (0.4, (0.3, 0.35))


def test_a_gate_is_changed_alone():
    found = limits.change(header("cascade"), gate_threshold=0.1)
    assert found == header("cascade").thresholds.model_copy(update={"gate": 0.1})


def test_what_a_gate_names_may_be_all_that_is_outlined():
    found = limits.change(header("cascade"), only_named=True)
    assert found == header("cascade").thresholds.model_copy(update={"only_named": True})
    assert limits.change(header("segmenter"), only_named=False) == header("segmenter").thresholds


def test_a_classifier_s_threshold_is_that_of_whole_images():
    found = limits.change(header("classifier"), threshold={"pit": 0.9})
    assert (found.classes, found.pixels) == ((0.9, 0.35), (0.6, 0.7))


def exclusive(background: str | None) -> Header:
    network = ClassifierConfig(classes=CLASSES, exclusive=True)
    return Header(
        architecture="classifier",
        graphs={"classifier": GraphConfig(network=network)},
        classes=CLASSES,
        background=background,
        thresholds=Thresholds.default(2),
    )


def test_of_exclusive_classes_the_good_one_ends_at_the_gate_s_threshold():
    found = limits.change(exclusive("pit"), gate_threshold=0.2)
    assert found == exclusive("pit").thresholds.model_copy(update={"defect": 0.2})


def test_exclusive_classes_have_no_thresholds():
    with pytest.raises(ConfigError, match=r"likeliest one, so they have no thresholds$"):
        limits.change(exclusive(None), threshold=0.9)
    with pytest.raises(ConfigError, match=r"an image is not pit says --gate-threshold$"):
        limits.change(exclusive("pit"), threshold={"scratch": 0.9})
    with pytest.raises(ConfigError, match="without a gate"):
        limits.change(exclusive(None), gate_threshold=0.5)


@pytest.mark.parametrize(
    ("kind", "wish", "message"),
    [
        ("segmenter", {"gate_threshold": 0.5}, "is a segmenter without a gate"),
        ("classifier", {"gate_threshold": 0.5}, "is a classifier without a gate"),
        ("segmenter", {"only_named": True}, "is a segmenter without a gate, so no gate names"),
        ("classifier", {"only_named": True}, "is a classifier without a gate, so no gate names"),
        ("classifier", {"min_area": 3}, "a classifier, which outlines nothing"),
        ("segmenter", {"threshold": 1.5}, "thresholds must lie between 0 and 1"),
        ("segmenter", {"min_area": 1.5}, "must be whole numbers of pixels"),
        ("segmenter", {"min_area": -1}, "must not be negative"),
        ("segmenter", {"threshold": {"rust": 0.5}}, "no class 'rust'; its classes are pit, scr"),
    ],
)
def test_impossible_wishes_are_refused(kind, wish, message):
    with pytest.raises(ConfigError, match=message):
        limits.change(header(kind), **wish)


def knowing(kind: str) -> Header:
    """A model that says how familiar images are."""
    density = FamiliarityConfig(kinds=1, channels=(8,), directions=1)
    found = header(kind)
    graphs = {
        name: graph.model_copy(update={"familiarity": density})
        for name, graph in found.graphs.items()
    }
    limits = found.thresholds.model_copy(update={"familiarity": 0.02})
    return found.model_copy(update={"graphs": graphs, "thresholds": limits})


@pytest.mark.parametrize("kind", ["classifier", "segmenter", "cascade"])
@pytest.mark.parametrize("least", [0, 0.3, 1])
def test_least_familiarity_is_changed_alone(kind, least):
    found = limits.change(knowing(kind), least_familiarity=least)
    assert found == knowing(kind).thresholds.model_copy(update={"familiarity": least})


def test_never_unfamiliar_can_be_said_of_every_model():
    assert limits.change(header("cascade"), least_familiarity=0).familiarity == 0


def test_a_model_without_familiarity_has_no_least_one():
    message = (
        "the model does not know what is familiar, so it has no least familiarity. "
        "Calibrate it with sdd-calibrate"
    )
    with pytest.raises(ConfigError, match=message):
        limits.change(header("cascade"), least_familiarity=0.1)


@pytest.mark.parametrize(
    ("least", "message"),
    [
        (1.1, "the least familiarity must be 0 to 1, got 1.1"),
        (-0.1, "the least familiarity must be 0 to 1, got -0.1"),
    ],
)
def test_an_impossible_familiarity_is_refused(least, message):
    with pytest.raises(ConfigError, match=message):
        limits.change(knowing("segmenter"), least_familiarity=least)
