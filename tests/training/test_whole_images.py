import numpy as np
import pytest
import torch

from steel_defect_detection.training.class_weights import Counts
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.whole_images import WholeImages

CLASSES = ("a", "b", "c")


def whole(*, exclusive: bool, counts: Counts | None = None, **settings) -> WholeImages:
    config = TrainConfig(architecture="classifier", encoder="resnet18", **settings)
    return WholeImages(config, config.graph(CLASSES, exclusive=exclusive), counts)


def test_rare_classes_weigh_more():
    counts = Counts((60, 30, 10), 100)
    exclusive = whole(exclusive=True, counts=counts, balance_classes=True)
    # All images, by the number of classes and the images of the class.
    assert exclusive.criterion.class_weights.tolist() == pytest.approx(
        [100 / 180, 100 / 90, 100 / 30]
    )
    independent = whole(exclusive=False, counts=counts, balance_classes=True)
    # Images without the class, by those with it.
    assert independent.criterion.pos_weight.tolist() == pytest.approx([40 / 60, 70 / 30, 90 / 10])


def test_smoothed_labels_never_leave_the_loss_at_zero():
    logits, targets = torch.tensor([[50.0, -50, -50]]), torch.tensor([[1.0, 0, 0]])
    assert whole(exclusive=True).loss(logits, targets) < 1e-6
    assert whole(exclusive=True, label_smoothing=0.1).loss(logits, targets) > 1


def test_macro_f1_is_not_accuracy():
    judge = whole(exclusive=True)
    answers = [(0, 0)] * 8 + [(1, 0), (2, 2)]
    for actual, called in answers:
        logits = torch.full((1, 3), -5.0)
        logits[0, called] = 5
        judge.measure(logits, torch.eye(3)[[actual]])
    measures = judge.measures()
    # F1 of the three classes: 2 * 8 / (9 + 8), 0 and 1.
    assert measures["validation_f1_macro"] == pytest.approx((16 / 17 + 0 + 1) / 3)
    assert measures["validation_accuracy"] == pytest.approx(0.9)
    assert measures["validation_accuracy_majority"] == pytest.approx(0.8)
    assert judge.seen == []


def test_any_defect_has_a_column_of_its_own_where_it_was_asked_for():
    judge = whole(exclusive=False, any_defect="logit")
    logits = torch.tensor([[-9.0, -9, -9, 9], [9, -9, -9, -9]])
    targets = torch.tensor([[0.0, 0, 0], [1, 0, 0]])
    expected = np.mean([[0, 0, 0, 9], [0, 0, 0, 9]])
    assert float(judge.loss(logits, targets)) == pytest.approx(expected, abs=1e-2)


def test_images_without_defects_are_no_defects_though_they_have_a_class_of_their_own():
    config = TrainConfig(architecture="classifier", encoder="resnet18", labels="independent")
    judge = WholeImages(config, config.graph(("good", "pit"), good_class="good"))
    # Two good sheets and a pit; one good sheet is called a pit.
    for shown, said in (([1.0, 0], [4.0, -4]), ([1.0, 0], [-4.0, 3]), ([0, 1.0], [-4.0, 4])):
        judge.measure(torch.tensor([said]), torch.tensor([shown]))
    measures = judge.measures()
    assert measures["validation_accuracy"] == pytest.approx(2 / 3)
    assert measures["validation_accuracy_majority"] == pytest.approx(2 / 3)
    assert measures["validation_auroc"] == 1.0


def test_a_distance_head_asks_one_question_per_class_and_answers_with_one_class():
    judge = whole(exclusive=True, head="duq", counts=Counts((60, 30, 10), 100))
    # Kernels of 1/2 for all: ln 2 for each class, where a comparison of classes would be ln 3.
    logits, targets = torch.zeros(1, 3), torch.tensor([[0.0, 1, 0]])
    assert judge.loss(logits, targets).item() == pytest.approx(np.log(2))
    for actual in (0, 1):
        judge.measure(torch.tensor([[3.0, -1, -2]]), torch.eye(3)[[actual]])
    assert judge.seen[0][0].tolist() == pytest.approx([0.9526, 0.2689, 0.1192], abs=1e-4)
    assert judge.measures()["validation_accuracy"] == 0.5


def test_classes_that_are_rare_weigh_more_in_a_distance_head_too():
    judge = whole(
        exclusive=True, head="duq", counts=Counts((60, 30, 10), 100), balance_classes=True
    )
    assert judge.criterion.pos_weight.tolist() == pytest.approx([40 / 60, 70 / 30, 90 / 10])
