"""Networks are judged by probabilities in float32, and by what follows from them otherwise."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from steel_defect_detection.checkpoints import Header, Thresholds
from steel_defect_detection.errors import ExportError
from steel_defect_detection.export.comparison import Tally, margin, require
from steel_defect_detection.export.description import Comparison
from steel_defect_detection.models.config import FamiliarityConfig
from tests.export.toys import CLASSES, GATE, SEGMENTER

LIMITS = Thresholds(gate=0.5, classes=(0.5, 0.5), pixels=(0.5, 0.5), min_areas=(3, 3))


def header(**graphs):
    kind = "cascade" if len(graphs) > 1 else next(iter(graphs))
    return Header(architecture=kind, graphs=graphs, classes=CLASSES, thresholds=LIMITS)


CASCADE = header(classifier=GATE, segmenter=SEGMENTER)
CLASSIFIER = header(classifier=GATE)


def whole(first, second, defect):
    return {
        "probabilities": np.array([[first, second]], dtype=np.float32),
        "defect_probability": np.array([defect], dtype=np.float32),
    }


def pixels(*masks):
    """Probabilities of 0.9 within masks and 0.1 outside."""
    return {"probabilities": np.where(np.stack(masks), 0.9, 0.1).astype(np.float32)[None]}


def square(top, left, side):
    mask = np.zeros((20, 30), dtype=np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


NOTHING = square(0, 0, 0)


def test_dice_is_that_of_scikit_learn_over_what_either_outlines():
    ours, theirs = square(2, 2, 8), square(4, 4, 8)
    tally = Tally(CASCADE, "segmenter")
    tally.add(pixels(ours, NOTHING), pixels(theirs, NOTHING))
    tally.add(pixels(NOTHING, ours), pixels(NOTHING, ours))
    found = tally.result()
    assert (found.images, found.outlines, found.same_masks) == (2, 2, 0.5)
    assert found.dice == pytest.approx((f1_score(ours.ravel(), theirs.ravel()) + 1) / 2)
    assert found.probability_difference == pytest.approx(0.8)


def test_specks_that_cleaning_removes_do_not_count():
    tally = Tally(CASCADE, "segmenter")
    tally.add(pixels(square(9, 9, 1), NOTHING), pixels(NOTHING, NOTHING))
    found = tally.result()
    assert (found.same_masks, found.dice, found.outlines) == (1, None, 0)


def test_the_gate_of_a_cascade_decides_and_its_classes_do_not():
    tally = Tally(CASCADE, "classifier")
    tally.add(whole(0.6, 0.1, 0.6), whole(0.4, 0.1, 0.51))
    assert tally.result().same_decisions == 1
    tally.add(whole(0.6, 0.1, 0.6), whole(0.6, 0.1, 0.49))
    assert tally.result().same_decisions == 0.5


def test_the_classes_of_a_gate_decide_where_only_those_are_outlined():
    limits = LIMITS.model_copy(update={"only_named": True})
    tally = Tally(CASCADE.model_copy(update={"thresholds": limits}), "classifier")
    tally.add(whole(0.6, 0.1, 0.6), whole(0.7, 0.2, 0.51))
    assert tally.result().same_decisions == 1
    tally.add(whole(0.6, 0.1, 0.6), whole(0.4, 0.1, 0.6))
    assert tally.result().same_decisions == 0.5


def test_the_classes_of_a_classifier_decide():
    tally = Tally(CLASSIFIER, "classifier")
    tally.add(whole(0.6, 0.1, 0.6), whole(0.6, 0.4, 0.4))
    assert tally.result().same_decisions == 1
    tally.add(whole(0.6, 0.1, 0.6), whole(0.6, 0.6, 0.6))
    assert tally.result().same_decisions == 0.5


def test_the_likeliest_of_exclusive_classes_decides():
    network = GATE.network.model_copy(update={"exclusive": True})
    tally = Tally(header(classifier=GATE.model_copy(update={"network": network})), "classifier")
    tally.add(whole(0.48, 0.4, 0.5), whole(0.9, 0.1, 0.5))
    assert tally.result().same_decisions == 1
    tally.add(whole(0.51, 0.49, 0.5), whole(0.49, 0.51, 0.5))
    assert tally.result().same_decisions == 0.5


@pytest.mark.parametrize(
    "broken",
    [
        pixels(np.full((20, 30), fill_value=True)),
        {"probabilities": np.full((1, 2, 20, 30), np.nan, dtype=np.float32)},
        {},
    ],
    ids=["one class too few", "no numbers", "no answer"],
)
@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_answers_of_another_shape_and_no_numbers_are_refused(broken, precision):
    tally = Tally(CASCADE, "segmenter")
    tally.add(pixels(square(2, 2, 8), NOTHING), broken)
    assert (tally.result().same_masks, tally.result().dice) == (0, 0)
    assert margin(tally.result()) < 0
    with pytest.raises(ExportError, match="answers of another shape, or that are no numbers"):
        require(tally.result(), precision, "the segmenter")


def compared(**values):
    return Comparison(images=5, **{"probability_difference": 0.2, "outlines": 3} | values)


def test_float32_is_judged_by_probabilities():
    require(compared(probability_difference=0.0009, dice=0.5), "float32", "it")
    message = r"it differs .* on 5 images: a probability, .* by 0\.002, and 0\.001 is allowed"
    with pytest.raises(ExportError, match=message):
        require(compared(probability_difference=0.002, dice=1.0), "float32", "it")


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_low_precision_is_judged_by_dice_and_decisions(precision):
    require(compared(dice=0.951, same_decisions=0.995), precision, "it")
    with pytest.raises(ExportError, match=r"mean Dice of the masks is 0\.940, least is 0\.95"):
        require(compared(dice=0.94), precision, "it")
    with pytest.raises(ExportError, match=r"98\.0% of the decisions are the same, least is 99%"):
        require(compared(same_decisions=0.98), precision, "it")


@pytest.mark.parametrize(
    "values", [{"dice": 0.95}, {"same_decisions": 0.99}, {"dice": 0.9}, {"same_decisions": 0.98}]
)
def test_the_margin_ends_where_a_network_is_refused(values):
    better = {name: value + 0.001 for name, value in values.items()}
    assert margin(compared(**better)) > margin(compared(**values))
    if margin(compared(**better)) > 0:
        require(compared(**better), "int8", "it")
    else:
        with pytest.raises(ExportError):
            require(compared(**better), "int8", "it")
    assert margin(compared()) == margin(compared(dice=1, same_decisions=1)) == 1


def calibrated(kind, **thresholds):
    """A classifier that says how familiar images are, and its Tally."""
    density = FamiliarityConfig(kinds=1, channels=(8,), directions=1)
    network = GATE.network.model_copy(update=kind)
    graph = GATE.model_copy(update={"familiarity": density, "network": network})
    limits = LIMITS.model_copy(update={"familiarity": 0.1} | thresholds)
    found = header(classifier=graph)
    update = {"thresholds": limits, "background": network.good_class}
    return Tally(found.model_copy(update=update), "classifier")


def familiar(familiarity, *scores):
    return whole(*scores) | {"familiarity": np.array([familiarity], dtype=np.float32)}


def test_whether_an_image_is_familiar_is_a_decision_and_how_familiar_is_a_difference():
    tally = calibrated({})
    tally.add(familiar(0.9, 0.6, 0.1, 0.6), familiar(0.2, 0.6, 0.1, 0.6))
    assert tally.result().same_decisions == 1
    assert tally.result().probability_difference == pytest.approx(0.7)
    with pytest.raises(ExportError, match=r"a probability, or the familiarity, by 0\.7"):
        require(tally.result(), "float32", "it")
    tally.add(familiar(0.11, 0.6, 0.1, 0.6), familiar(0.09, 0.6, 0.1, 0.6))
    assert tally.result().same_decisions == 0.5


def test_a_segmenter_that_knows_what_is_familiar_decides_that():
    density = FamiliarityConfig(kinds=1, channels=(8,), directions=1)
    found = header(segmenter=SEGMENTER.model_copy(update={"familiarity": density}))
    limits = LIMITS.model_copy(update={"familiarity": 0.1})
    tally = Tally(found.model_copy(update={"thresholds": limits}), "segmenter")
    outlined = pixels(square(2, 2, 8), NOTHING)
    known, strange = ({"familiarity": np.array([value])} for value in (0.5, 0.05))
    tally.add(outlined | known, outlined | known)
    assert tally.result().same_decisions == 1
    tally.add(outlined | known, outlined | strange)
    assert tally.result().same_decisions == 0.5


EXCLUSIVE = {"exclusive": True, "good_class": "pit"}


def test_of_exclusive_classes_a_threshold_on_any_defect_decides():
    tally = calibrated(EXCLUSIVE, defect=0.2)
    tally.add(familiar(0.9, 0.7, 0.3, 0.3), familiar(0.9, 0.4, 0.6, 0.6))
    assert tally.result().same_decisions == 1
    tally.add(familiar(0.9, 0.7, 0.3, 0.3), familiar(0.9, 0.9, 0.1, 0.1))
    assert tally.result().same_decisions == 0.5
    # Without it the likeliest class does.
    tally = calibrated(EXCLUSIVE)
    tally.add(familiar(0.9, 0.7, 0.3, 0.3), familiar(0.9, 0.4, 0.6, 0.6))
    assert tally.result().same_decisions == 0


def test_which_defect_it_is_is_part_of_the_decision():
    names = ("pit", "scratch", "good")
    graph = GATE.model_copy(
        update={
            "network": GATE.network.model_copy(
                update={"exclusive": True, "good_class": "good", "classes": names}
            )
        }
    )
    tally = Tally(
        Header(
            architecture="classifier",
            graphs={"classifier": graph},
            classes=names,
            background="good",
            thresholds=Thresholds.default(3).model_copy(update={"defect": 0.2}),
        ),
        "classifier",
    )

    def says(*scores):
        return {
            "probabilities": np.array([scores], dtype=np.float32),
            "defect_probability": np.array([1 - scores[2]], dtype=np.float32),
        }

    tally.add(says(0.2, 0.1, 0.7), says(0.25, 0.15, 0.6))
    assert tally.result().same_decisions == 1
    tally.add(says(0.2, 0.1, 0.7), says(0.1, 0.2, 0.7))
    assert tally.result().same_decisions == 0.5
