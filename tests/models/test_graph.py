import numpy as np
import pytest
import torch
from scipy.special import expit, logit, softmax

from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models.config import (
    ClassifierConfig,
    FamiliarityConfig,
    GraphConfig,
    Preprocessing,
    SegmenterConfig,
    TwoHeadConfig,
)
from steel_defect_detection.models.duq import DuqHead
from steel_defect_detection.models.stages import Watch, statistics

CLASSES = ("a", "b", "c")
SIZES = [(3, 3), (100, 333), (64, 96)]


def segmenter(architecture: str = "linknet", **preprocessing) -> GraphConfig:
    network = SegmenterConfig(architecture=architecture, classes=CLASSES)
    return GraphConfig(network=network, preprocessing=Preprocessing(**preprocessing))


def classifier(any_defect: str = "maximum", **preprocessing) -> GraphConfig:
    network = ClassifierConfig(any_defect=any_defect, classes=CLASSES)
    return GraphConfig(network=network, preprocessing=Preprocessing(**preprocessing))


def built(config: GraphConfig) -> graphs.Graph:
    torch.manual_seed(0)
    return graphs.build(config).eval()


def pixels(height: int, width: int, channels: int = 3, batch: int = 1) -> torch.Tensor:
    random = np.random.default_rng(0)
    return torch.from_numpy(
        random.integers(0, 256, (batch, height, width, channels), dtype=np.uint8)
    )


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("architecture", ["linknet", "unet"])
def test_a_segmenter_answers_for_each_pixel_of_any_size(architecture, size):
    with torch.inference_mode():
        (probabilities,) = built(segmenter(architecture))(pixels(*size, batch=2))
    assert probabilities.shape == (2, 3, *size)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_a_segmenter_that_looks_at_half_the_size_answers_for_each_pixel():
    with torch.inference_mode():
        (probabilities,) = built(segmenter(scale=0.5))(pixels(101, 333))
    assert probabilities.shape == (1, 3, 101, 333)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_classifier_answers_for_each_class_at_any_size(size):
    with torch.inference_mode():
        probabilities, any_defect = built(classifier(scale=0.5))(pixels(*size, batch=2))
    assert probabilities.shape == (2, 3)
    assert any_defect.shape == (2,)


def test_any_defect_is_the_likeliest_class_without_a_logit_of_its_own():
    with torch.inference_mode():
        probabilities, any_defect = built(classifier())(pixels(64, 64, batch=2))
    assert torch.equal(any_defect, probabilities.max(dim=1).values)


def test_any_defect_can_have_a_logit_of_its_own():
    graph = built(classifier("logit"))
    with torch.inference_mode():
        probabilities, any_defect = graph(pixels(64, 64))
        logits = graph.logits(pixels(64, 64))
    assert logits.shape == (1, 4)
    assert torch.equal(any_defect, logits[:, 3].sigmoid())
    assert torch.equal(probabilities, logits[:, :3].sigmoid())


def test_probabilities_of_a_distance_head_are_kernels_that_do_not_add_up():
    network = ClassifierConfig(
        classes=CLASSES, encoder="resnet18", exclusive=True, good_class="b", head="duq"
    )
    graph = built(GraphConfig(network=network, preprocessing=Preprocessing(size=(32, 32))))
    (head,) = (layer for layer in graph.modules() if isinstance(layer, DuqHead))
    features = []
    head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    with torch.inference_mode():
        probabilities, any_defect = graph(pixels(64, 64, batch=2))
        assert torch.allclose(probabilities, head.kernel(features[0]), atol=1e-6)
    # Random weights have seen nothing: far from every class, such images are likely defects.
    assert probabilities.max() < 0.3
    assert torch.equal(any_defect, 1 - probabilities[:, 1])


def test_grey_images_give_the_same_with_one_channel_or_three():
    grey = pixels(64, 96, channels=1)
    for channels in (1, 3):
        graph = built(segmenter(channels=channels))
        with torch.inference_mode():
            one, three = graph(grey)[0], graph(grey.expand(-1, -1, -1, 3))[0]
        assert torch.allclose(one, three, atol=1e-5)


def test_preprocessing_takes_the_mean_away_and_divides_by_the_deviation():
    preprocess = graphs.Preprocess(Preprocessing(channels=1, mean=0.2, std=0.5))
    image = torch.full((1, 32, 32, 1), 102, dtype=torch.uint8)  # 102 / 255 = 0.4
    assert torch.allclose(preprocess(image), torch.tensor(0.4))


def test_padding_is_the_mean_and_lies_right_and_below():
    padded = graphs.Preprocess(Preprocessing())(torch.zeros(1, 40, 50, 1, dtype=torch.uint8))
    assert padded.shape == (1, 1, 64, 64)
    assert (padded[..., :40, :50] != 0).all()
    assert (padded[..., 40:, :] == 0).all()
    assert (padded[..., 50:] == 0).all()


def of_resnet(kind: type[SegmenterConfig] | type[TwoHeadConfig], **settings) -> GraphConfig:
    network = kind(architecture="unet", encoder="resnet34", classes=CLASSES, **settings)
    return GraphConfig(network=network)


@pytest.mark.parametrize(
    "config",
    [
        segmenter(),
        segmenter("unet"),
        classifier(),
        # The cracks system dropped channels of this one when it judged, too.
        of_resnet(SegmenterConfig),
        of_resnet(TwoHeadConfig, dropout=0.9),
    ],
)
def test_the_same_image_gives_the_same_answer_twice(config):
    graph = built(config)
    with torch.inference_mode():
        first, second = graph(pixels(64, 64)), graph(pixels(64, 64))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "config", [segmenter(), classifier(), of_resnet(TwoHeadConfig)], ids=["outline", "name", "both"]
)
def test_a_new_network_holds_nothing_that_somebody_trained(config):
    # Published weights, fetched in passing, would be the same for every seed.
    filters = []
    for seed in range(2):
        torch.manual_seed(seed)
        layers = graphs.build(config).modules()
        filters.append([layer.weight for layer in layers if isinstance(layer, torch.nn.Conv2d)])
    assert not any(torch.equal(one, other) for one, other in zip(*filters, strict=True))


def test_an_image_in_a_batch_gives_what_it_gives_alone():
    graph = built(segmenter())
    both = torch.cat([pixels(64, 96), pixels(64, 96).flip(2)])
    with torch.inference_mode():
        together = graph(both)[0]
        alone = torch.cat([graph(image[None])[0] for image in both])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("config", [segmenter(), classifier()])
def test_running_statistics_follow_within_tens_of_steps(config):
    graph = built(config).train()
    bright = pixels(64, 64, batch=2) // 4 + 190
    first = next(layer for layer in graph.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    seen = []
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].mean((0, 2, 3))))
    with torch.no_grad():
        for _ in range(40):
            graph(bright)
    assert torch.allclose(first.running_mean, seen[-1], rtol=0.05, atol=0.02)


def tempered(config: GraphConfig, temperature: float) -> graphs.Graph:
    return built(config.model_copy(update={"temperature": temperature}))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_temperature_divides_the_logits_of_independent_classes(temperature):
    graph = tempered(classifier("logit"), temperature)
    with torch.inference_mode():
        probabilities, any_defect = graph(pixels(64, 64, batch=2))
        logits = graph.logits(pixels(64, 64, batch=2)).numpy()
    expected = expit(logits / temperature)
    assert np.allclose(probabilities, expected[:, :3], atol=1e-6)
    assert np.allclose(any_defect, expected[:, 3], atol=1e-6)


def test_a_temperature_divides_the_logits_of_exclusive_classes():
    network = ClassifierConfig(classes=CLASSES, exclusive=True, good_class="b", encoder="resnet18")
    graph = tempered(GraphConfig(network=network), 2.0)
    with torch.inference_mode():
        probabilities, any_defect = graph(pixels(64, 64, batch=2))
        logits = graph.logits(pixels(64, 64, batch=2)).numpy()
    expected = softmax(logits / 2, axis=1)
    assert np.allclose(probabilities, expected, atol=1e-6)
    assert np.allclose(any_defect, expected[:, [0, 2]].sum(axis=1), atol=1e-6)
    # It changes how sure the network sounds, and not what it says.
    assert not np.allclose(expected, softmax(logits, axis=1), atol=1e-4)
    assert (expected.argmax(axis=1) == logits.argmax(axis=1)).all()


@pytest.mark.parametrize("any_defect", ["maximum", "logit"])
@pytest.mark.parametrize("part", ["all", "gate"])
def test_a_temperature_is_for_whole_images_and_not_for_pixels(part, any_defect):
    network = TwoHeadConfig(classes=CLASSES, any_defect=any_defect)
    config = GraphConfig(network=network, part=part)
    cold, warm = built(config), tempered(config, 4.0)
    with torch.inference_mode():
        # At their start the weights of this encoder give logits near 0; these are not.
        for graph in (cold, warm):
            bias = graph.network.network.classification_head[-2].bias
            bias.copy_(torch.linspace(-3, 3, len(bias)))
        before = dict(zip(cold.outputs, cold(pixels(64, 64)), strict=True))
        after = dict(zip(warm.outputs, warm(pixels(64, 64)), strict=True))
    for name in ("defect_probability", "class_probabilities" if part == "all" else "probabilities"):
        assert np.allclose(after[name], expit(logit(before[name].numpy()) / 4), atol=1e-6)
        assert not torch.allclose(before[name], after[name], atol=0.01)
    pixelwise = "probabilities" if part == "all" else "feature_3"
    assert torch.equal(before[pixelwise], after[pixelwise])


# Channels of the stages of ResNet-18 and ResNet-34.
RESNET = FamiliarityConfig(kinds=2, channels=(64, 64, 128, 256, 512), directions=3)

FAMILIAR = {
    "name": GraphConfig(network=ClassifierConfig(encoder="resnet18", classes=CLASSES)),
    "outline": of_resnet(SegmenterConfig),
    "both": of_resnet(TwoHeadConfig),
    "gate": of_resnet(TwoHeadConfig).model_copy(update={"part": "gate"}),
}


@pytest.mark.parametrize("kind", FAMILIAR)
def test_a_graph_that_knows_what_is_familiar_says_the_same_beside(kind):
    config = FAMILIAR[kind].model_copy(update={"temperature": 3.0})
    familiar = built(config.model_copy(update={"familiarity": RESNET}))
    plain = built(config)
    assert familiar.outputs == (*plain.outputs, "familiarity")
    assert familiar.inputs == plain.inputs
    assert familiar.preprocess.config == plain.preprocess.config
    with torch.inference_mode():
        *answers, familiarity = familiar(pixels(64, 64, batch=2))
        expected = plain(pixels(64, 64, batch=2))
    assert all(torch.equal(one, other) for one, other in zip(answers, expected, strict=True))
    assert familiarity.shape == (2,)


def test_familiarity_is_that_of_what_the_stages_show():
    graph = built(FAMILIAR["name"].model_copy(update={"familiarity": RESNET}))
    images = pixels(64, 64, batch=2)
    with torch.inference_mode():
        with Watch(graph.network)() as seen:
            graph.watched(images)
        numbers = statistics(seen)
        # One image is the mean of both kinds, and the strangeness of the other is the median.
        graph.familiarity.mean.copy_(numbers[:1].expand(2, -1))
        graph.familiarity.median.copy_(graph.familiarity.strangeness(numbers)[1])
        found = graph(images)[-1]
    assert found[1] == pytest.approx(0.5)
    assert found[0] > 0.99


def test_a_plain_graph_is_built_of_a_config_with_familiarity():
    config = FAMILIAR["name"].model_copy(update={"familiarity": RESNET, "temperature": 2.0})
    assert isinstance(graphs.build(config), graphs.FamiliarGraph)
    plain = graphs.plain(config)
    assert isinstance(plain, graphs.ClassifierGraph)
    assert plain.temperature == 2.0
