import re

import numpy as np
import pytest
import torch

from steel_defect_detection.errors import CheckpointError, DownloadError
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import FamiliarityConfig, GraphConfig
from steel_defect_detection.models.familiarity import PREFIX


def state(graph: graphs.Graph) -> dict[str, torch.Tensor]:
    return graph.network.network.state_dict()


def test_weights_survive_the_way_out_and_back(segmenter_config):
    torch.manual_seed(0)
    source, target = graphs.build(segmenter_config), graphs.build(segmenter_config)
    weights.restore(target, weights.arrays(source))
    assert all(torch.equal(state(source)[name], state(target)[name]) for name in state(source))


def test_weights_of_another_network_are_refused(segmenter_config, gate_config):
    gate, segmenter = graphs.build(gate_config), graphs.build(segmenter_config)
    with pytest.raises(CheckpointError, match="the weights do not fit the architecture"):
        weights.restore(gate, weights.arrays(segmenter))


def test_arrays_are_copies(gate_config):
    graph = graphs.build(gate_config)
    copied = weights.arrays(graph)
    before = copied["_fc.bias"].copy()
    with torch.no_grad():
        graph.network.network._fc.bias += 1
    assert np.array_equal(copied["_fc.bias"], before)


def test_a_gate_starts_from_the_encoder_of_a_segmenter(gate_config, segmenter_config):
    gate, segmenter = graphs.build(gate_config), graphs.build(segmenter_config)
    head = state(gate)["_fc.weight"].clone()
    encoder = [name for name in state(segmenter) if name.startswith("encoder.")]
    assert len(weights.transfer(gate, weights.arrays(segmenter))) == len(encoder)
    for name in encoder:
        taken = state(gate)[name.removeprefix("encoder.")]
        assert torch.equal(taken, state(segmenter)[name])
    assert torch.equal(state(gate)["_fc.weight"], head)


def test_a_segmenter_starts_from_a_gate(gate_config, segmenter_config):
    gate, segmenter = graphs.build(gate_config), graphs.build(segmenter_config)
    assert len(weights.transfer(segmenter, weights.arrays(gate))) > 300
    stem = "_conv_stem.weight"
    assert torch.equal(state(segmenter)[f"encoder.{stem}"], state(gate)[stem])


def test_layers_of_another_shape_stay_as_they_are(gate_config):
    graph = graphs.build(gate_config)
    before = state(graph)["_fc.bias"].clone()
    taken = weights.transfer(graph, {"_fc.bias": np.zeros(9, dtype=np.float32)})
    assert not taken
    assert torch.equal(state(graph)["_fc.bias"], before)


def test_imagenet_filters_of_three_colours_become_one_of_grey(gate_config, monkeypatch):
    source = weights.EfficientNet.from_name("efficientnet-b0")
    monkeypatch.setattr(weights.EfficientNet, "from_pretrained", lambda name: source)
    graph = graphs.build(gate_config)
    weights.imagenet(graph, gate_config)
    image = torch.rand(1, 1, 64, 64)
    for network in (graph, source):
        network.eval()
    with torch.inference_mode():
        grey = graph.network.network.extract_features(image)
        colour = source.extract_features(image.expand(-1, 3, -1, -1))
    assert torch.allclose(grey, colour, atol=1e-4)


def test_without_a_network_the_message_says_what_to_do(gate_config, monkeypatch):
    def fail(name: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(weights.EfficientNet, "from_pretrained", fail)
    message = "cannot fetch the ImageNet weights of efficientnet-b0: no route to host. Use --init"
    with pytest.raises(DownloadError, match=re.escape(message)):
        weights.imagenet(graphs.build(gate_config), gate_config)


def test_the_head_is_left_out_unless_it_is_asked_for(gate_config, monkeypatch):
    source = weights.EfficientNet.from_name("efficientnet-b0", num_classes=4)
    monkeypatch.setattr(weights.EfficientNet, "from_pretrained", lambda name: source)
    graph = graphs.build(gate_config)
    assert "_fc.weight" not in weights.imagenet(graph, gate_config)
    assert not torch.equal(state(graph)["_fc.weight"], source._fc.weight)
    assert "_fc.weight" in weights.imagenet(graph, gate_config, with_head=True)
    assert torch.equal(state(graph)["_fc.weight"], source._fc.weight)


def test_grey_filters_see_in_three_equal_channels_what_they_saw_in_one(gate_config):
    grey = graphs.build(gate_config)
    preprocessing = gate_config.preprocessing.model_copy(update={"channels": 3})
    colour = graphs.build(gate_config.model_copy(update={"preprocessing": preprocessing}))
    assert weights.transfer(colour, weights.arrays(grey)) >= set(weights.encoder_names(colour))
    image = torch.randint(0, 255, (1, 64, 64, 1), dtype=torch.uint8)
    grey.eval()
    colour.eval()
    with torch.inference_mode():
        assert torch.allclose(grey.logits(image), colour.logits(image), atol=1e-4)


def test_the_encoder_is_everything_but_the_head(gate_config, segmenter_config):
    gate, segmenter = graphs.build(gate_config), graphs.build(segmenter_config)
    trained = {name for name, _ in gate.network.network.named_parameters()}
    assert trained - set(weights.encoder_names(gate)) == {"_fc.weight", "_fc.bias"}
    assert all(name.startswith("encoder.") for name in weights.encoder_names(segmenter))


@pytest.fixture
def familiar_config(gate_config) -> GraphConfig:
    """The gate with a density over the stages of its EfficientNet."""
    density = FamiliarityConfig(kinds=2, channels=(16, 24, 40, 112, 320, 1280), directions=3)
    return gate_config.model_copy(update={"familiarity": density})


@pytest.fixture
def familiar_tensors(familiar_config) -> dict[str, np.ndarray]:
    """Weights of that gate, with random numbers for its density."""
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    return {
        name: random.uniform(0.5, 2, tensor.shape).astype(np.float32)
        if name.startswith(PREFIX)
        else tensor
        for name, tensor in weights.arrays(graphs.build(familiar_config)).items()
    }


IMAGE = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (1, 64, 64, 1), dtype=np.uint8))


def test_a_density_goes_out_and_back_with_the_weights(familiar_config, familiar_tensors):
    graph = weights.restored(familiar_config, familiar_tensors)
    assert not graph.training
    found = weights.arrays(graph)
    assert found.keys() == familiar_tensors.keys()
    assert all(np.array_equal(found[name], familiar_tensors[name]) for name in found)
    assert found.keys() - weights.arrays(graphs.plain(familiar_config)).keys() == {
        *(f"familiarity.{name}" for name in ("mean", "spread", "directions", "variances")),
        *(f"familiarity.{name}" for name in ("residue", "center", "scale", "median", "steepness")),
    }


def test_a_plain_graph_leaves_the_density_of_the_weights_alone(familiar_config, familiar_tensors):
    plain = weights.restored_plain(familiar_config, familiar_tensors)
    assert isinstance(plain, graphs.ClassifierGraph)
    assert not plain.training
    with torch.inference_mode():
        *expected, _ = weights.restored(familiar_config, familiar_tensors)(IMAGE)
        found = plain(IMAGE)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"familiarity.mean": None}, "Missing key"),
        ({"familiarity.mean": np.zeros((2, 7), dtype=np.float32)}, "size mismatch for mean"),
        ({"familiarity.color": np.zeros(1, dtype=np.float32)}, "Unexpected key"),
    ],
)
def test_a_density_that_does_not_fit_is_refused(familiar_config, familiar_tensors, change, said):
    changed = familiar_tensors | change
    tensors = {name: tensor for name, tensor in changed.items() if tensor is not None}
    with pytest.raises(CheckpointError, match=f"the weights do not fit the architecture: {said}"):
        weights.restored(familiar_config, tensors)


def test_training_that_starts_from_a_calibrated_model_takes_its_weights(
    gate_config, familiar_tensors
):
    taken = weights.transfer(graphs.build(gate_config), familiar_tensors)
    assert taken == {name for name in familiar_tensors if not name.startswith(PREFIX)}


def test_the_encoder_of_a_familiar_graph_is_that_of_its_network(gate_config, familiar_config):
    plain, familiar = graphs.build(gate_config), graphs.build(familiar_config)
    assert weights.encoder_names(familiar) == weights.encoder_names(plain)
