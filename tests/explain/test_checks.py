import numpy as np
import pytest
import torch
from torch import nn

from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.explain import Explainer, checks
from tests.explain import toys


class Kept:
    """Pixels or masks that are in memory."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def read(self, shape: tuple[int, int] | None = None) -> np.ndarray:
        return self.array


class Edges:
    """A method that knows no network: it draws the edges of the image."""

    def __init__(self, subject) -> None:
        self.subject = subject

    def with_graph(self, graph):
        return Edges(self.subject)

    def attribute(self, image, target):
        rows, columns = np.gradient(image[..., 0].astype(np.float32))
        return np.hypot(rows, columns), 0.0, None


def test_a_method_that_draws_the_image_scores_1():
    edges = Edges(toys.linear())
    drawn, _, _ = edges.attribute(toys.noise(), None)
    check = checks.Randomisation(edges)
    assert check.correlation(drawn, toys.noise(), None) == pytest.approx(1)


@pytest.mark.parametrize("method", ["integrated-gradients", "saliency"])
def test_a_linear_network_scores_what_its_input_leaves(method):
    # The gradient is the weight alone. Times the same image, shuffled weights stay related to it.
    subject, image = toys.linear(), toys.noise()
    explainer = Explainer(subject, method=method, device="cpu")
    found = explainer.explain(image)
    correlation = checks.Randomisation(explainer, seed=1).correlation(
        found.attribution, image, found.target
    )
    low, high = (-0.1, 0.1) if method == "saliency" else (0.2, 0.8)
    assert low < correlation < high


@pytest.mark.thorough
def test_shuffling_keeps_the_numbers_of_each_weight_and_not_their_order():
    graph = toys.real("resnet18").graph
    made = checks.shuffled(graph, seed=3)
    weights = list(zip(graph.parameters(), made.parameters(), strict=True))
    assert all(torch.equal(a.flatten().sort()[0], b.flatten().sort()[0]) for a, b in weights)
    assert not any(torch.equal(a, b) for a, b in weights if a.ndim == 4)
    again = checks.shuffled(graph, seed=3)
    assert all(
        torch.equal(a, b) for a, b in zip(made.parameters(), again.parameters(), strict=True)
    )


def test_the_rank_correlation_of_two_swapped_pairs_is_0_6():
    # Each of the four ranks is off by one: one less six times four over four times fifteen.
    one, other = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[20.0, 10.0], [40.0, 30.0]])
    assert checks.rank_correlation(one, other) == pytest.approx(0.6)


@pytest.mark.parametrize("other", [np.zeros((2, 2)), np.array([[1, np.nan], [0, 2]])], ids=str)
def test_a_map_that_says_nothing_has_no_rank_correlation(other):
    assert checks.rank_correlation(np.array([[1.0, 2.0], [3.0, 4.0]]), other) is None


def test_a_map_without_anything_that_speaks_for_the_class_points_nowhere():
    mask = np.eye(2, dtype=np.bool_)
    assert checks.inside_share(np.full((2, 2), -1, dtype=np.float32), mask) == 0


def test_the_mean_leaves_out_what_is_not_known():
    assert checks.mean([1.0, None, 2.0]) == 1.5
    assert checks.mean([None]) is None


def dataset(*images: np.ndarray, classes=toys.CLASSES) -> Dataset:
    """Images whose bright pixels are pits and whose dark ones are scratches."""
    entries = tuple(
        Entry(
            name=f"{number}.png",
            pixels=Kept(image),
            masks=Kept(np.stack([image[..., 0] > 200, image[..., 0] < 50])),
        )
        for number, image in enumerate(images)
    )
    return Dataset(classes=classes, entries=entries)


def spotted(bright: int, dark: int) -> np.ndarray:
    """Grey, with two rows of bright and dark pixels."""
    image = np.full((32, 32, 1), 120, dtype=np.uint8)
    image[4, :bright], image[20, :dark] = 250, 10
    return image


def explainer() -> Explainer:
    network = toys.per_pixel([[1.0], [-1.0]], activation=nn.Identity)
    return Explainer(toys.segmenter(network), method="integrated-gradients", device="cpu")


def test_a_perfect_network_points_to_the_class_that_covers_most():
    found = checks.locate(explainer(), dataset(spotted(8, 4), spotted(4, 16)))
    # Grey is below the mean, so that a tenth of a logit of each grey pixel speaks for a scratch.
    assert [each.class_name for each in found] == ["pit", "scratch"]
    assert [each.chance for each in found] == [8 / 1024, 16 / 1024]
    assert found[0].inside == pytest.approx(1)
    each_dark, each_grey = 0.5 - 10 / 255, 0.5 - 120 / 255
    expected = 16 * each_dark / (16 * each_dark + 1004 * each_grey)
    assert found[1].inside == pytest.approx(expected, rel=1e-4)


def test_a_class_can_be_named_and_images_without_it_are_left_out():
    found = checks.locate(explainer(), dataset(spotted(8, 4), spotted(4, 0)), class_name="scratch")
    assert [(each.image, each.class_name) for each in found] == [("0.png", "scratch")]


def test_what_cannot_be_explained_is_named():
    strict = Explainer(
        toys.classifier(nn.Conv2d(1, 2, 32, stride=32), toys.Summed()), method="grad-cam"
    )
    (found,) = checks.locate(strict, dataset(spotted(8, 4)))
    assert "so small that" in found.error
    assert found.inside is None


def test_images_without_a_known_class_are_refused():
    with pytest.raises(AnnotationError, match="none of the 1 images has a mask of pit, scratch"):
        checks.locate(explainer(), dataset(spotted(8, 4), classes=("rust", "dust")))
