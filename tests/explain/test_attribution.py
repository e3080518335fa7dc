"""What captum computes here, against cases by hand and against PyTorch alone."""

import numpy as np
import pytest
import torch
from torch import nn

from steel_defect_detection.errors import ExplanationError
from steel_defect_detection.explain import Explainer, attribution
from tests.explain import toys


def explained(subject, image, method, **settings):
    return Explainer(subject, method=method, device="cpu", **settings).explain(image, "scratch")


# Seen as 0.6 in 255 steps: 255 is 8, 200 about 4.5, 50 about -4.9 and 0 is -8.
LEVELS = [255, 200, 50, 0]


def columns() -> np.ndarray:
    """An image of four columns, each of one brightness."""
    return np.repeat(np.array(LEVELS, dtype=np.uint8), 8)[None, :, None].repeat(32, axis=0)


def per_level(attributed: np.ndarray) -> list[float]:
    """What each brightness got, in the unit that the network sees."""
    assert (np.ptp(attributed.reshape(32, 4, 8), axis=(0, 2)) < 1e-6).all()
    return attributed[0, ::8].tolist()


def two_layers(activation: type[nn.Module], weights: list[float]) -> toys.Subject:
    """First z and -z, then ``weights`` times the two."""
    layers = toys.per_pixel([[1.0], [-1.0]], [[0.0, 0.0], weights], activation=activation)
    return toys.classifier(layers, toys.Summed())


def unit(numbers: list[float]) -> list[float]:
    return [pytest.approx(number / (255 * toys.STD), abs=1e-6) for number in numbers]


def test_guided_gradients_stop_where_they_are_negative():
    # Bright pixels pass the first ReLU, where the gradient is -1; dark ones get 2 times -1 back.
    subject = two_layers(nn.ReLU, [-1.0, 2.0])
    found = explained(subject, columns(), "guided-backprop").attribution
    assert per_level(found) == unit([0, 0, -2, -2])


def test_guided_gradients_of_relu6_stop_above_6_as_well():
    subject = two_layers(nn.ReLU6, [0.5, 0.25])
    found = explained(subject, columns(), "guided-backprop").attribution
    # 8 and -8 lie beyond 6.
    assert per_level(found) == unit([0, 0.5, -0.25, 0])


def test_the_plain_gradient_keeps_its_sign():
    layers = [*toys.per_pixel([[1.0], [-1.0]]), nn.Conv2d(2, 2, 1, bias=False)]
    layers[-1].weight.data = torch.tensor([[0.0, 0.0], [-1.0, 2.0]])[:, :, None, None]
    subject = toys.classifier(nn.Sequential(*layers), toys.Summed())
    assert per_level(explained(subject, columns(), "saliency").attribution) == unit(
        [-1, -1, -2, -2]
    )
    # The first ReLU takes the negative ones away.
    guided = explained(subject, columns(), "guided-backprop").attribution
    assert per_level(guided) == unit([0, 0, -2, -2])


class Beside(nn.Module):
    """A ReLU whose input goes on beside it, as before the blocks of some networks."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, maps):
        return self.relu(maps) - 2 * maps


def test_what_goes_on_beside_an_activation_is_not_lost():
    layer = toys.per_pixel([[0.0], [1.0]], activation=nn.Identity)
    subject = toys.classifier(nn.Sequential(*layer, Beside()), toys.Summed())
    gains = [pytest.approx(max(z, 0) - 2 * z) for z in toys.seen(columns())[0, ::8]]
    assert per_level(explained(subject, columns(), "deeplift").attribution) == gains
    guided = explained(subject, columns(), "guided-backprop").attribution
    assert per_level(guided) == unit([-1, -1, -2, -2])


def by_pytorch_alone(graph, image: np.ndarray) -> np.ndarray:
    """Guided backpropagation at the steps of the backward pass, whatever layers there are."""
    pixels = torch.from_numpy(image.astype(np.float32))[None].requires_grad_()
    value = graph.logits(pixels)[0, 1]
    waiting, known = [value.grad_fn], {value.grad_fn}
    while waiting:
        step = waiting.pop()
        if step.name() in {"ReluBackward0", "HardtanhBackward0"}:
            step.register_hook(lambda inputs, _: (inputs[0].clamp(min=0),))
        new = {before for before, _ in step.next_functions if before is not None} - known
        known |= new
        waiting += new
    value.backward()
    return pixels.grad.sum(dim=3)[0].numpy()


@pytest.mark.parametrize("encoder", ["resnet18", "mobilenet_v2", "shufflenet_v2"])
def test_guided_backprop_of_real_networks_is_not_the_plain_gradient(encoder):
    subject, image = toys.real(encoder), toys.noise(64, 64)
    guided = explained(subject, image, "guided-backprop").attribution
    plain = explained(subject, image, "saliency").attribution
    expected = by_pytorch_alone(subject.graph, image)
    np.testing.assert_allclose(guided, expected, atol=1e-4 * np.abs(expected).max())
    assert np.abs(guided - plain).max() > 0.5 * np.abs(plain).max()


@pytest.mark.parametrize("method", ["integrated-gradients", "deeplift"])
def test_a_linear_network_gives_each_weight_times_what_is_seen(method):
    subject, image = toys.linear(), toys.noise()
    found = explained(subject, image, method)
    weights = subject.graph.network.head.weight[1].detach().numpy().reshape(32, 32)
    np.testing.assert_allclose(found.attribution, weights * toys.seen(image), atol=1e-5)
    assert found.gap < 1e-4


@pytest.mark.parametrize("method", ["integrated-gradients", "deeplift"])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6])
def test_where_each_pixel_stands_for_itself_it_gets_what_it_gains(method, activation):
    subject = two_layers(activation, [1.0, 0.5])
    steps = 500 if method == "integrated-gradients" else 1
    found = explained(subject, columns(), method, steps=steps)
    z = toys.seen(columns())[0, ::8]
    most = 6 if activation is nn.ReLU6 else np.inf
    gains = [min(max(v, 0), most) + 0.5 * min(max(-v, 0), most) for v in z]
    gains = [min(gain, most) for gain in gains]
    assert per_level(found.attribution) == [pytest.approx(gain, rel=0.01) for gain in gains]


@pytest.mark.parametrize("part", ["classifier", "segmenter"])
def test_deeplift_of_a_resnet_adds_up(part):
    # Its ReLUs are called twice, and the windows of its max pooling overlap.
    found = explained(toys.real("resnet18", part), toys.noise(64, 64), "deeplift")
    assert found.gap < 1e-3


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "shufflenet_v2", "vgg16"])
def test_deeplift_of_other_networks_adds_up(encoder):
    assert explained(toys.real(encoder), toys.noise(64, 64), "deeplift").gap < 1e-3


def test_integrated_gradients_of_a_smooth_network_add_up():
    torch.manual_seed(1)
    encoder = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Conv2d(4, 2, 3), nn.Softplus())
    found = explained(toys.classifier(encoder, toys.Summed()), toys.noise(), "integrated-gradients")
    assert found.gap < 0.01
    gained = found.attribution.sum()
    assert gained == pytest.approx(found.value - grey_value(encoder), rel=0.01)


def grey_value(encoder: nn.Module) -> float:
    with torch.no_grad():
        return float(encoder(torch.zeros(1, 1, 32, 32)).sum(dim=(2, 3))[0, 1])


def test_a_segmenter_is_explained_by_the_pixels_it_outlines():
    # Each logit is what is seen at its pixel, so nothing else can speak for it.
    subject = toys.segmenter(toys.per_pixel([[0.0], [1.0]], activation=nn.Identity))
    found = explained(subject, toys.noise(), "integrated-gradients")
    inside = toys.seen(toys.noise()) > 0
    assert np.array_equal(found.target.pixels, inside)
    expected = np.where(inside, toys.seen(toys.noise()), 0)
    np.testing.assert_allclose(found.attribution, expected, atol=1e-5)


@pytest.mark.parametrize("settings", [{"scale": 0.5}, {"size": (64, 96)}, {}], ids=str)
@pytest.mark.parametrize("method", ["integrated-gradients", "saliency", "grad-cam"])
def test_maps_have_the_size_of_the_image_whatever_the_network_sees(method, settings):
    subject = toys.classifier(nn.Conv2d(1, 2, 8, stride=8), toys.Summed(), **settings)
    found = explained(subject, toys.noise(70, 90), method)
    assert found.attribution.shape == (70, 90)
    if method == "integrated-gradients":
        assert found.gap < 1e-3


def test_three_equal_channels_give_the_map_of_one():
    subject = toys.linear()
    grey = toys.noise()
    one = explained(subject, grey, "saliency").attribution
    three = explained(subject, grey.repeat(3, axis=2), "saliency").attribution
    np.testing.assert_allclose(one, three, atol=1e-6)


def test_colours_are_added_up():
    subject = toys.classifier(nn.Conv2d(3, 2, 1, bias=False), toys.Summed(), channels=3)
    subject.graph.network.encoder.weight.data = torch.tensor([[0.0, 0.0, 0.0], [1.0, -2.0, 4.0]])[
        :, :, None, None
    ]
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    found = explained(subject, image, "saliency").attribution
    np.testing.assert_allclose(found, 3 / (255 * toys.STD), rtol=1e-5)


def coarse(subject, image: np.ndarray) -> np.ndarray:
    """Grad-CAM's map before it is enlarged, by finite differences."""
    pixels = torch.from_numpy(image)[None]
    with torch.no_grad():
        stage = subject.graph.network.encoder(subject.graph.preprocess(pixels)).double()
        head = subject.graph.network.head.double()
        total = torch.zeros(stage.shape[2:], dtype=torch.float64)
        for channel in range(stage.shape[1]):
            slopes = []
            for place in np.ndindex(*stage.shape[2:]):
                step = torch.zeros_like(stage)
                step[(0, channel, *place)] = 1e-4
                rise = head(stage + step)[0, 1] - head(stage - step)[0, 1]
                slopes.append(float(rise) / 2e-4)
            total += np.mean(slopes) * stage[0, channel]
        head.float()
    return total.numpy()


def cam_subject(columns_seen: int) -> toys.Subject:
    torch.manual_seed(2)
    head = nn.Sequential(
        nn.Flatten(), nn.Linear(3 * 2 * columns_seen, 4), nn.Tanh(), nn.Linear(4, 2)
    )
    return toys.classifier(nn.Conv2d(1, 3, 16, stride=16), head)


def test_grad_cam_weighs_channels_by_their_mean_gradient():
    subject, image = cam_subject(2), toys.noise()
    found = explained(subject, image, "grad-cam").attribution
    expected = coarse(subject, image)
    # Bilinear enlarging keeps the corners, and the centre is the mean of the four.
    corners = found[[0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_allclose(corners, expected.ravel(), rtol=1e-3)
    assert found[15:17, 15:17].mean() == pytest.approx(expected.mean(), rel=1e-3)


def test_grad_cam_leaves_out_what_was_padded():
    # 40 columns are padded to 64, so that the encoder sees four columns of 16 pixels.
    subject, image = cam_subject(4), toys.noise(32, 40)
    found = explained(subject, image, "grad-cam").attribution
    expected = coarse(subject, image)
    assert found.shape == (32, 40)
    # Pixel 23 lies 1/32 of a column before the middle of the stage's second column, and pixel 39
    # as far before the middle of its third.
    for pixel, column in ((23, 1), (39, 2)):
        wanted = expected[:, column - 1] / 32 + expected[:, column] * 31 / 32
        np.testing.assert_allclose(found[[0, -1], pixel], wanted, rtol=1e-3)


def test_grad_cam_of_a_real_network_keeps_its_signs():
    found = explained(toys.real("efficientnet-b0"), toys.noise(96, 96), "grad-cam").attribution
    assert found.shape == (96, 96)
    assert found.min() < 0 < found.max()


class Counting(nn.Flatten):
    """Notes how many images it sees together."""

    def __init__(self, batches: list[int]) -> None:
        super().__init__()
        self.batches = batches

    def __deepcopy__(self, _):
        return self

    def forward(self, images):
        self.batches.append(len(images))
        return super().forward(images)


def test_only_so_many_pixels_pass_the_network_at_once(monkeypatch):
    subject = toys.linear()
    batches: list[int] = []
    subject.graph.network.encoder = Counting(batches)
    for at_once in (3 * 32 * 32, 10):
        monkeypatch.setattr(attribution, "PIXELS_AT_ONCE", at_once)
        batches.clear()
        explained(subject, toys.noise(), "integrated-gradients", steps=10)
        assert max(batches) == max(1, at_once // 1024)
        assert sum(batches) >= 10


def test_an_image_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(attribution, "MOST_PIXELS", 64 * 64)
    assert explained(
        toys.classifier(nn.Conv2d(1, 2, 1), toys.Summed()), toys.noise(64, 64), "saliency"
    )
    text = r"^the network sees 96 x 64 pixels, and at most 4,096 are explained at once, for want of"
    with pytest.raises(ExplanationError, match=text):
        explained(
            toys.classifier(nn.Conv2d(1, 2, 1), toys.Summed()), toys.noise(64, 65), "saliency"
        )


def test_what_is_seen_is_what_the_toys_say():
    prepare = toys.linear().graph.preprocess
    shown = prepare(torch.from_numpy(toys.noise())[None])[0, 0].numpy()
    np.testing.assert_allclose(shown, toys.seen(toys.noise()), atol=1e-5)
