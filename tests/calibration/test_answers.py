import numpy as np
import pytest
from scipy.special import expit, softmax

from steel_defect_detection.calibration.answers import Answers
from steel_defect_detection.calibration.looks import Seen
from steel_defect_detection.models.config import ClassifierConfig, TwoHeadConfig

CLASSES = ("good", "pit", "scratch")


def seen(logits, labels) -> list[Seen]:
    """Images by their logits: one row per image, or rows for its copies."""
    return [
        Seen(
            name=f"{place}.png",
            logits=np.atleast_2d(np.array(row, dtype=np.float32)),
            numbers=np.zeros((1, 2), dtype=np.float32),
            labels=np.array(shown, dtype=np.bool_),
            group=place,
        )
        for place, (row, shown) in enumerate(zip(logits, labels, strict=True))
    ]


def network(**settings) -> ClassifierConfig:
    return ClassifierConfig(classes=CLASSES, **settings)


LOGITS = np.random.default_rng(0).normal(0, 2, (30, 3))
ONE_EACH = np.eye(3, dtype=np.bool_)[np.arange(30) % 3]


def test_an_exclusive_classifier_with_a_good_class_knows_both():
    answers = Answers(network(exclusive=True, good_class="good"), seen(LOGITS, ONE_EACH))
    table = softmax(LOGITS, axis=1)
    assert np.allclose(answers.any_defect(1), 1 - table[:, 0], atol=1e-6)
    assert np.allclose(answers.classes(1), table, atol=1e-6)
    assert answers.defective.tolist() == [False, True, True] * 10
    assert answers.likeliest_is_defect().tolist() == (LOGITS.argmax(axis=1) > 0).tolist()
    assert [said.what for said in answers.said()] == ["any defect", "the class named"]
    named = answers.said()[1]
    assert named.happened.tolist() == (LOGITS.argmax(axis=1) == np.arange(30) % 3).tolist()


def test_an_exclusive_classifier_without_one_names_a_class_only():
    answers = Answers(network(exclusive=True), seen(LOGITS, ONE_EACH))
    assert not answers.knows_clean
    assert [said.what for said in answers.said()] == ["the class named"]
    assert answers.defective.all()


def test_independent_classes_are_defective_by_the_likeliest():
    labels = np.random.default_rng(1).random((30, 3)) < 0.3
    answers = Answers(network(), seen(LOGITS, labels))
    assert np.allclose(answers.any_defect(2), expit(LOGITS.max(axis=1) / 2), atol=1e-6)
    assert np.allclose(answers.classes(2), expit(LOGITS / 2), atol=1e-6)
    assert answers.defective.tolist() == labels.any(axis=1).tolist()
    assert [said.what for said in answers.said()] == ["any defect"]


@pytest.mark.parametrize(
    "config", [network(any_defect="logit"), TwoHeadConfig(classes=CLASSES, any_defect="logit")]
)
def test_a_logit_of_its_own_says_whether_there_is_any_defect(config):
    own = np.linspace(-3, 3, 30)
    logits = np.column_stack([LOGITS, own])
    answers = Answers(config, seen(logits, ONE_EACH))
    assert np.allclose(answers.any_defect(1), expit(own), atol=1e-6)
    assert answers.classes(1).shape == (30, 3)


def test_kernels_are_probabilities_one_by_one():
    answers = Answers(
        network(exclusive=True, good_class="good", head="duq"), seen(LOGITS, ONE_EACH)
    )
    assert np.allclose(answers.classes(1), expit(LOGITS), atol=1e-6)
    assert np.allclose(answers.any_defect(1), expit(-LOGITS[:, 0]), atol=1e-6)


# Logits of two images, each with a mirrored copy, and what a copy says of itself at temperature 2:
# odds of 1, 3, 1/3 and 1 are probabilities of 1/2, 3/4, 1/4 and 1/2.
PAIRS = 2 * np.log([[[1, 3], [3, 1]], [[1 / 3, 1], [1 / 3, 1]]])


def test_probabilities_of_copies_are_averaged_and_not_logits():
    config = ClassifierConfig(classes=("pit", "scratch"))
    labels = np.array([[True, False], [False, True]])
    answers = Answers(config, seen(PAIRS, labels))
    assert np.allclose(answers.classes(2), [[5 / 8, 5 / 8], [1 / 4, 1 / 2]])
    # Each copy is as defective as its likeliest class: twice 3/4, and twice 1/2.
    assert np.allclose(answers.any_defect(2), [3 / 4, 1 / 2])


def test_exclusive_classes_of_copies_add_up_and_the_good_one_decides():
    config = ClassifierConfig(classes=("good", "pit"), exclusive=True, good_class="good")
    labels = np.array([[True, False], [False, True]])
    answers = Answers(config, seen(PAIRS, labels))
    # Odds of 1:3 and 3:1, and twice 1:3.
    assert np.allclose(answers.classes(2), [[1 / 2, 1 / 2], [1 / 4, 3 / 4]])
    assert np.allclose(answers.any_defect(2), [1 / 2, 3 / 4])


def test_a_copy_that_says_the_same_changes_nothing():
    config = network(exclusive=True, good_class="good")
    once = Answers(config, seen(LOGITS, ONE_EACH))
    twice = Answers(config, seen(np.stack([LOGITS, LOGITS], axis=1), ONE_EACH))
    assert twice.temperature == pytest.approx(once.temperature)
    assert np.allclose(twice.classes(3), once.classes(3))
    assert twice.metrics() == pytest.approx(once.metrics())


def test_a_network_that_is_too_sure_is_cooled_and_its_error_falls():
    random = np.random.default_rng(2)
    true = random.normal(0, 1.5, (5000, 3))
    lots = random.random(5000)[:, None]
    named = (softmax(true, axis=1).cumsum(axis=1) < lots).sum(axis=1)
    shown = np.arange(3) == named[:, None]
    answers = Answers(network(exclusive=True, good_class="good"), seen(4 * true, shown))
    assert answers.temperature == pytest.approx(4, rel=0.05)
    found = answers.metrics()
    assert found["temperature"] == answers.temperature
    for what in ("any_defect", "the_class_named"):
        assert found[f"calibration_error_{what}_before"] > 0.1
        assert found[f"calibration_error_{what}_after"] < 0.03


def test_a_network_that_is_right_and_sure_is_left_as_it_is():
    # Always right at about 99.9 %: any doubt would be further from the truth.
    sure = np.where(ONE_EACH, 7.0, 0.0)
    answers = Answers(network(exclusive=True), seen(sure, ONE_EACH))
    assert answers.temperature == 1
    metrics = answers.metrics()
    before = metrics["calibration_error_the_class_named_before"]
    assert metrics["calibration_error_the_class_named_after"] == before
