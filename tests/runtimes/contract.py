"""What every runtime promises; each runtime's tests inherit it and say how one is made."""

from collections.abc import Callable
from functools import cache
from typing import ClassVar

import numpy as np
import pytest
import torch

from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import (
    ClassifierConfig,
    GraphConfig,
    Preprocessing,
    SegmenterConfig,
    TwoHeadConfig,
)
from steel_defect_detection.runtimes.flips import flipping
from steel_defect_detection.runtimes.runtime import Runtime
from tests.models.densities import familiar, noise

CLASSES = ("pit", "scratch", "patch")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 40, 70, 3), dtype=np.uint8)

GRAPHS = {
    "grey classifier at half size": GraphConfig(
        network=ClassifierConfig(classes=CLASSES, encoder="resnet18"),
        preprocessing=Preprocessing(channels=1, scale=0.5),
    ),
    "exclusive classes at a fixed size": GraphConfig(
        network=ClassifierConfig(
            classes=CLASSES, encoder="resnet18", exclusive=True, good_class="pit"
        ),
        preprocessing=Preprocessing(channels=3, size=(64, 96)),
    ),
    "mobilenet": GraphConfig(
        network=ClassifierConfig(classes=CLASSES, encoder="mobilenet_v2"),
        preprocessing=Preprocessing(channels=3),
    ),
    "efficientnet": GraphConfig(
        network=ClassifierConfig(classes=CLASSES, any_defect="logit"),
        preprocessing=Preprocessing(channels=3),
    ),
    # With a length scale at which kernels of random weights are neither 0 nor 1.
    "distances to centroids": GraphConfig(
        network=ClassifierConfig(
            classes=CLASSES,
            encoder="resnet18",
            exclusive=True,
            head="duq",
            length_scale=0.5,
            embedding_size=16,
        ),
        preprocessing=Preprocessing(channels=1, size=(32, 32)),
    ),
    "segmenter": GraphConfig(
        network=SegmenterConfig(classes=CLASSES, encoder="resnet18"),
        preprocessing=Preprocessing(channels=1),
    ),
    "two heads at half size": GraphConfig(
        network=TwoHeadConfig(classes=CLASSES, encoder="resnet18", architecture="unet"),
        preprocessing=Preprocessing(channels=1, scale=0.5),
    ),
}


# Converting many layers takes as long as all else; an EfficientNet has the same kinds but for one.
_WHEN = {
    "mobilenet": pytest.mark.slow,
    "efficientnet": pytest.mark.thorough,
    "distances to centroids": pytest.mark.thorough,
    "exclusive classes at a fixed size": pytest.mark.thorough,
}
NAMES = [pytest.param(name, marks=_WHEN.get(name, ())) for name in GRAPHS]


@cache
def calibrated() -> tuple[GraphConfig, dict[str, np.ndarray]]:
    """A classifier with a temperature that finds images such as ``IMAGES`` familiar."""
    config = GRAPHS["grey classifier at half size"]
    shown = noise(40, IMAGES.shape[1:3])
    return familiar(config, tensors_of(config), shown, temperature=2.5)


@cache
def tensors_of(config: GraphConfig) -> dict[str, np.ndarray]:
    """Weights that do not lie at their start, with statistics of some images."""
    torch.manual_seed(0)
    graph = graphs.build(config).train()
    with torch.no_grad():
        graph.logits(torch.from_numpy(IMAGES))
    return weights.arrays(graph)


class RuntimeContract:
    """Tests that every runtime passes."""

    make: ClassVar[Callable[..., Runtime]]
    """Makes a runtime of a graph and its weights."""

    @pytest.mark.parametrize("name", NAMES)
    def test_it_says_what_the_graph_says(self, name):
        config = GRAPHS[name]
        tensors = tensors_of(config)
        graph = graphs.build(config)
        weights.restore(graph, tensors)
        with torch.inference_mode():
            expected = graph.eval()(torch.from_numpy(IMAGES))
        found = type(self).make(config, tensors).run(IMAGES)
        assert list(found) == list(graph.outputs)
        for output, array in zip(graph.outputs, expected, strict=True):
            assert found[output].dtype == np.float32
            assert np.allclose(found[output], array.numpy(), atol=1e-4)

    def test_a_calibrated_graph_keeps_its_temperature_and_knows_strangers(self):
        config, tensors = calibrated()
        flat = np.full_like(IMAGES[:1], 200)
        shown = np.concatenate([IMAGES, flat])
        with torch.inference_mode():
            expected = weights.restored(config, tensors)(torch.from_numpy(shown))
        found = type(self).make(config, tensors).run(shown)
        assert list(found) == ["probabilities", "defect_probability", "familiarity"]
        for name, array in zip(found, expected, strict=True):
            assert found[name].dtype == np.float32
            assert np.allclose(found[name], array.numpy(), atol=1e-4)
        *known, strange = found["familiarity"]
        assert min(known) > 0.05
        assert strange < 0.001
        # A temperature of 2.5 is what makes the odds of a plain classifier 2.5 times as flat.
        plain = config.model_copy(update={"temperature": 1.0, "familiarity": None})
        with torch.inference_mode():
            logits = weights.restored_plain(plain, tensors).logits(torch.from_numpy(shown))
        tempered = found["probabilities"]
        odds = np.log(tempered / (1 - tempered))
        assert np.allclose(2.5 * odds, logits.numpy(), atol=1e-3)

    def test_images_of_any_number_and_size_are_judged(self):
        runtime = type(self).make(GRAPHS["segmenter"], tensors_of(GRAPHS["segmenter"]))
        whole = runtime.run(IMAGES)["probabilities"]
        for number in range(len(IMAGES)):
            alone = runtime.run(IMAGES[number : number + 1])["probabilities"]
            assert np.allclose(alone[0], whole[number], atol=1e-4)
        small = runtime.run(IMAGES[:2, :33, :33, :1])["probabilities"]
        assert small.shape == (2, len(CLASSES), 33, 33)

    @pytest.mark.thorough
    def test_the_halves_of_a_shared_backbone_say_what_the_whole_says(self):
        config = GRAPHS["two heads at half size"]
        tensors = tensors_of(config)
        whole = type(self).make(config, tensors).run(IMAGES)
        parts = {}
        for part in ("gate", "decoder"):
            half = config.model_copy(update={"part": part})
            kept = {name: tensors[name] for name in weights.arrays(graphs.build(half))}
            parts[part] = type(self).make(half, kept)
        gate = parts["gate"].run(IMAGES)
        assert np.allclose(gate["probabilities"], whole["class_probabilities"], atol=1e-4)
        features = {name: array for name, array in gate.items() if name.startswith("feature")}
        outlines = parts["decoder"].run(IMAGES, **features)["probabilities"]
        assert np.allclose(outlines, whole["probabilities"], atol=1e-4)

    def test_mirrored_copies_are_averaged_after_they_were_turned_back(self):
        config = GRAPHS["segmenter"]
        runtime = type(self).make(config, tensors_of(config))

        def said(rows: slice, columns: slice) -> np.ndarray:
            shown = np.ascontiguousarray(IMAGES[:, rows, columns])
            return runtime.run(shown)["probabilities"][..., rows, columns]

        as_it_is, back = slice(None), slice(None, None, -1)
        sides = [(rows, columns) for rows in (as_it_is, back) for columns in (as_it_is, back)]
        expected = np.mean([said(*side) for side in sides], axis=0)
        found = flipping(runtime, "both").run(IMAGES)["probabilities"]
        # The sizes of these images, 40 x 70, are padded: the network sees another frame each time.
        assert not np.allclose(found, said(as_it_is, as_it_is), atol=1e-3)
        assert np.allclose(found, expected, atol=1e-5)

    def test_flipped_halves_of_a_shared_backbone_say_what_the_flipped_whole_says(self):
        config = GRAPHS["two heads at half size"]
        tensors = tensors_of(config)
        whole = flipping(type(self).make(config, tensors), "both").run(IMAGES)
        parts = {}
        for part in ("gate", "decoder"):
            half = config.model_copy(update={"part": part})
            kept = {name: tensors[name] for name in weights.arrays(graphs.build(half))}
            parts[part] = flipping(type(self).make(half, kept), "both")
        gate = parts["gate"].run(IMAGES)
        assert np.allclose(gate["defect_probability"], whole["defect_probability"], atol=1e-4)
        features = {name: array for name, array in gate.items() if name.startswith("feature")}
        outlines = parts["decoder"].run(IMAGES, **features)["probabilities"]
        assert np.allclose(outlines, whole["probabilities"], atol=1e-4)

    def test_images_that_may_only_be_read_are_judged(self):
        config = GRAPHS["grey classifier at half size"]
        images = IMAGES[:1].copy()
        images.flags.writeable = False
        assert type(self).make(config, tensors_of(config)).run(images)["probabilities"].size

    def test_it_says_what_it_is(self):
        config = GRAPHS["grey classifier at half size"]
        engine, device, precision = type(self).make(config, tensors_of(config)).name.split()
        assert engine in {"pytorch", "openvino", "onnx"}
        assert device.startswith(("cpu", "cuda"))
        assert precision in {"float32", "bfloat16", "float16"}

    def test_it_says_how_it_computes_and_what_the_network_sees(self):
        config = GRAPHS["grey classifier at half size"]
        runtime = type(self).make(config, tensors_of(config))
        runtime.run(IMAGES)
        assert runtime.name.endswith(f" {runtime.precision}")
        assert runtime.preprocessing == config.preprocessing
        assert runtime.parallel >= 1
