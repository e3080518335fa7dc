"""A penalty on gradients whose length is not 1."""

import pytest
import torch
from torch import nn

from steel_defect_detection.losses.gradient_penalty import gradient_penalty


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()


def points() -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randn(5, 3, dtype=torch.float64, generator=random, requires_grad=True)


@pytest.mark.parametrize(
    ("slope", "expected"),
    [
        # A gradient of (3, 4) is 5 long everywhere, and 4 too long.
        ((3.0, 4.0), 16.0),
        ((0.6, 0.8), 0.0),
        ((0.3, 0.4), 0.25),
        ((0.0, 0.0), 1.0),
    ],
)
def test_a_straight_slope_is_judged_by_its_steepness_from_both_sides(slope, expected):
    inputs = torch.randn(4, 2, requires_grad=True)
    answers = inputs @ torch.tensor(slope)
    assert gradient_penalty(answers, inputs).item() == pytest.approx(expected, abs=1e-6)


def test_gradients_are_those_of_finite_differences():
    answer, inputs, step = network(), points(), 1e-6
    with torch.no_grad():
        slopes = [
            (answer(inputs + step * side) - answer(inputs - step * side))[:, 0] / (2 * step)
            for side in torch.eye(3, dtype=torch.float64)
        ]
    lengths = torch.stack(slopes).square().sum(dim=0).sqrt()
    found = gradient_penalty(answer(inputs)[:, 0], inputs)
    assert found.item() == pytest.approx(((lengths - 1) ** 2).mean().item(), rel=1e-6)


def test_its_own_gradient_is_that_of_finite_differences():
    answer, inputs, step = network(), points(), 1e-6
    gradient_penalty(answer(inputs)[:, 0], inputs).backward()
    weight = answer[0].weight
    with torch.no_grad():
        weight[2, 1] += step
    above = gradient_penalty(answer(inputs)[:, 0], inputs).item()
    with torch.no_grad():
        weight[2, 1] -= 2 * step
    below = gradient_penalty(answer(inputs)[:, 0], inputs).item()
    assert weight.grad[2, 1].item() == pytest.approx((above - below) / (2 * step), rel=1e-5)


def test_inputs_of_any_shape_count_as_one_each():
    flat = torch.randn(2, 12, requires_grad=True)
    shaped = flat.detach().reshape(2, 3, 2, 2).requires_grad_()
    one, other = (
        gradient_penalty(inputs.square().flatten(1).sum(dim=1), inputs) for inputs in (flat, shaped)
    )
    assert one.item() == pytest.approx(other.item())
