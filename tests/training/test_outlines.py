import math

import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score

from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.outlines import OUTLINE_MEASURES, Outlines


def outlines(**settings) -> Outlines:
    config = TrainConfig(architecture="linknet", encoder="resnet18", **settings)
    return Outlines(config, config.graph(("pit", "scratch")))


def drawn(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and masks of one image in which both classes overlap in part."""
    random = torch.Generator().manual_seed(seed)
    targets = (torch.rand(1, 2, 8, 12, generator=random) > 0.6).float()
    return torch.randn(1, 2, 8, 12, generator=random), targets


def test_the_measures_are_those_of_scikit_learn():
    judge, images = outlines(), [drawn(0), drawn(1)]
    for logits, targets in images:
        judge.measure(logits, targets)
    measures = judge.measures()
    pairs = [
        (targets[0, number].flatten(), (logits[0, number] >= 0).flatten())
        for logits, targets in images
        for number in (0, 1)
    ]
    dice = [f1_score(truth, said) for truth, said in pairs]
    assert measures["validation_dice_kaggle"] == pytest.approx(sum(dice) / 4)
    assert measures["validation_dice_on_defects"] == pytest.approx(sum(dice) / 4)
    # Pixels of all images together, then the mean of the classes.
    pooled = [
        jaccard_score(*(torch.cat(parts) for parts in zip(*pairs[number::2], strict=True)))
        for number in (0, 1)
    ]
    assert measures["validation_miou"] == pytest.approx(sum(pooled) / 2)
    assert set(OUTLINE_MEASURES) < set(measures)


def test_measures_are_of_the_images_since_the_last_time():
    judge = outlines()
    logits, targets = drawn(0)
    judge.measure(-logits, targets)
    judge.measures()
    judge.measure(logits, targets)
    alone = outlines()
    alone.measure(logits, targets)
    assert judge.measures() == alone.measures()


def test_predicting_nothing_scores_what_is_said_of_it():
    judge = outlines()
    clean, marked = torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8)
    marked[0, 0, :4] = 1
    for targets in (clean, marked):
        judge.measure(torch.full_like(targets, -1), targets)
    measures = judge.measures()
    # Of four pairs of image and class one has a defect.
    assert measures["validation_dice_kaggle"] == measures["validation_dice_all_empty"] == 0.75
    assert measures["validation_dice_on_defects"] == 0


def test_the_loss_of_a_coin_is_that_of_a_coin():
    targets = torch.zeros(1, 2, 4, 4)
    plain = outlines(dice_weight=0.0)
    assert float(plain.loss(torch.zeros_like(targets), targets)) == pytest.approx(math.log(2))


def test_a_class_that_weighs_more_costs_more_where_it_is_missed():
    targets = torch.zeros(1, 2, 4, 4)
    targets[0, 1] = 1
    light, heavy = (
        float(outlines(class_weights=weights).loss(torch.zeros_like(targets), targets))
        for weights in ((1.0, 1.0), (1.0, 3.0))
    )
    assert heavy > light


@pytest.mark.parametrize(
    "setting",
    [
        {"class_weights": (1.0, 5.0)},
        {"background_weight": 0.2},
        {"dice_weight": 0.75},
        {"dice_per_class": True},
        {"lovasz_weight": 1.0},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_every_setting_of_the_loss_changes_it(setting):
    plain = {"class_weights": (1.0, 1.0)}
    logits, targets = drawn(0)
    usual, changed = (
        float(outlines(**settings).loss(logits, targets)) for settings in (plain, plain | setting)
    )
    assert changed != pytest.approx(usual)
