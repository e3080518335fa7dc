"""A head that measures distances to centroids."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import make_moons
from torch import nn

from steel_defect_detection.losses.gradient_penalty import gradient_penalty
from steel_defect_detection.models.duq import DuqHead


def head(features: int = 6, classes: int = 3, **settings) -> DuqHead:
    torch.manual_seed(0)
    return DuqHead(features, classes, **settings)


def plain(**settings) -> DuqHead:
    """Two classes of two coordinates that are the features, with centroids at (0, 0) and (1, 1)."""
    built = DuqHead(2, 2, **settings)
    with torch.no_grad():
        built.projections.copy_(torch.eye(2)[:, None].expand(2, 2, 2))
        built.embedding_sums.copy_(torch.tensor([[0.0, 1.0], [0.0, 1.0]]) * built.image_counts)
    return built


def test_the_kernel_is_one_on_the_centroid():
    near = plain().kernel(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    assert near.diagonal().tolist() == [1, 1]


def test_the_kernel_falls_to_0_61_at_one_length_scale():
    # Both coordinates are 0.1 away, or one of them 0.1 times the root of 2.
    places = torch.tensor([[0.1, 0.1], [-0.1, 0.1], [0.1 * math.sqrt(2), 0.0]])
    short, long = plain(length_scale=0.1), plain(length_scale=0.2)
    assert short.kernel(places)[:, 0].tolist() == pytest.approx([0.6065] * 3, rel=1e-4)
    # Twice as far: exp(-2).
    assert short.kernel(2 * places)[:, 0].tolist() == pytest.approx([0.1353] * 3, rel=1e-3)
    assert long.kernel(2 * places)[:, 0].tolist() == pytest.approx([0.6065] * 3, rel=1e-4)


def test_the_distance_is_a_mean_over_coordinates():
    # A network with more of them must not be less certain.
    small, large = DuqHead(4, 2, embedding_size=4), DuqHead(4, 2, embedding_size=8)
    with torch.no_grad():
        large.projections.copy_(small.projections.repeat(2, 1, 1))
        large.embedding_sums.copy_(small.embedding_sums.repeat(2, 1))
    features = torch.randn(5, 4)
    assert torch.allclose(small(features), large(features), atol=1e-5)


def test_the_sigmoid_of_a_logit_is_the_kernel():
    built, features = head(), torch.randn(50, 6) * 0.4
    kernels = built.kernel(features)
    assert kernels.min() < 0.01 < kernels.max()
    assert torch.allclose(built(features).sigmoid(), kernels, atol=1e-6)


@pytest.mark.parametrize("distance", [0.0, 1e-8, 1e-3, 1.0, 10.0, 1e3, 1e6])
def test_logits_and_their_gradients_are_finite_at_any_distance(distance):
    features = torch.full((1, 2), distance, requires_grad=True)
    built = plain()
    logits = built(features)
    logits.sum().backward()
    assert torch.isfinite(logits).all()
    assert torch.isfinite(features.grad).all()
    assert torch.isfinite(built.projections.grad).all()


def test_far_away_the_logit_is_the_logarithm_of_the_kernel():
    # (10 / 0.1)^2 / 2 = 5000, of which no float32 has the exponential.
    assert plain()(torch.tensor([[10.0, 10.0]]))[0, 0].item() == pytest.approx(-5000)


def test_the_update_moves_only_the_centroid_of_the_class_shown():
    built = head()
    before = built.centroids().clone()
    labels = torch.zeros(4, 3)
    labels[:, 1] = 1
    built.remember(torch.randn(4, 6), labels, momentum=0.9)
    moved = (built.centroids() - before).abs().amax(dim=0)
    assert moved[[0, 2]].max() < 1e-6
    assert moved[1] > 0.01


def test_an_update_by_hand():
    built = plain(initial_count=2.0)
    built.remember(
        torch.tensor([[1.0, 0.0], [3.0, 0.0], [5.0, 5.0]]),
        torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
        momentum=0.5,
    )
    # N: (2 + 2) / 2 and (2 + 1) / 2. m: half of (0, 0) + (4, 0), half of (2, 2) + (5, 5).
    assert built.image_counts.tolist() == [2, 1.5]
    assert built.embedding_sums.tolist() == [[2, 3.5], [0, 3.5]]
    assert built.centroids()[:, 1].tolist() == pytest.approx([7 / 3] * 2)


def test_centroids_come_to_lie_where_the_images_do():
    built = head()
    features, labels = torch.randn(3, 6), torch.eye(3)
    for _ in range(300):
        built.remember(features, labels, momentum=0.95)
    assert built.kernel(features).diagonal().tolist() == pytest.approx([1] * 3, abs=1e-3)
    assert built.image_counts.tolist() == pytest.approx([1] * 3, abs=1e-4)


def test_a_class_that_is_hardly_ever_shown_keeps_its_centroid():
    built = head()
    before = built.centroids().clone()
    for _ in range(2000):
        built.remember(torch.randn(1, 6), torch.tensor([[1.0, 0, 0]]), momentum=0.5)
    assert torch.allclose(built.centroids()[:, 1:], before[:, 1:], rtol=1e-3)


def test_beginning_with_another_count_leaves_the_centroids_where_they_are():
    built = head()
    before = built.centroids().clone()
    built.begin(4)
    assert built.image_counts.tolist() == [4, 4, 4]
    assert torch.allclose(built.centroids(), before)


def test_centroids_travel_as_buffers_and_learn_nothing_by_gradient():
    built = head(embedding_size=5)
    assert set(built.state_dict()) == {"projections", "image_counts", "embedding_sums"}
    assert [name for name, _ in built.named_parameters()] == ["projections"]
    other = DuqHead(6, 3, embedding_size=5)
    other.load_state_dict(built.state_dict())
    features = torch.randn(2, 6)
    assert torch.equal(other(features), built(features))


def test_storage_in_half_the_space_changes_certainties_by_little():
    built = head(features=64)
    features = torch.rand(30, 64)
    labels = torch.eye(3).repeat(10, 1)
    # The last class so seldom that its count is the least one.
    labels[:, 2] = 0
    for step in range(3000):
        shown = labels if step else torch.eye(3).repeat(10, 1)
        built.remember(features, shown, momentum=0.99)
    before = built.kernel(features)
    for tensor in built.state_dict().values():
        tensor.copy_(tensor.half())
    assert before.max() > 0.05
    assert torch.allclose(built.kernel(features), before, atol=5e-3)


def test_automatic_precision_does_not_reach_the_head():
    built, features = head(), torch.randn(8, 6)
    expected = built(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(built(features), expected)


def test_the_head_can_be_written_down_for_batches_of_any_length():
    built, features = head().eval(), torch.randn(3, 6)
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    program = torch.export.export(built, (features,), dynamic_shapes=(batch,)).module()
    more = torch.randn(7, 6)
    assert torch.allclose(program(more), built(more), atol=1e-6)


def test_two_moons_are_told_apart_and_nothing_else_is_taken_for_one():
    points, moon = make_moons(1000, noise=0.1, random_state=0)
    inputs, labels = torch.tensor(points).float(), torch.eye(2)[moon]
    torch.manual_seed(0)
    encoder = nn.Sequential(*(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU()))
    duq = DuqHead(32, 2, length_scale=0.3)
    duq.begin(50)
    optimizer = torch.optim.Adam([*encoder.parameters(), *duq.parameters()], lr=0.01)
    random = torch.Generator().manual_seed(0)
    for _ in range(300):
        chosen = torch.randint(1000, (100,), generator=random)
        batch = inputs[chosen].requires_grad_()
        logits = duq(encoder(batch))
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels[chosen])
        loss = loss + 0.5 * gradient_penalty(logits.sigmoid().sum(dim=1), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        duq.remember(encoder(batch.detach()), labels[chosen], momentum=0.99)
    with torch.no_grad():
        near = duq.kernel(encoder(inputs))
        angles = torch.arange(0, 2 * math.pi, 0.1)
        far = duq.kernel(encoder(6 * torch.stack([angles.cos(), angles.sin()], dim=1)))
    assert (near.argmax(dim=1).numpy() == moon).mean() > 0.97
    assert near.amax(dim=1).median() > 0.8
    assert np.quantile(far.amax(dim=1), 0.9) < 0.1
