"""How far images are from others: laws, an independent definition, and what is said without FID."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from steel_defect_detection.errors import ConfigError, NoImagesError
from steel_defect_detection.models import weights
from steel_defect_detection.synthesis import distance
from tests.calibration import toys


def features(seed: int, count: int = 40, width: int = 6, *, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, width)) + shift


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_torchmetrics_computes(seed):
    real, made = features(seed), features(seed + 10, shift=0.3)
    expected = poly_mmd(torch.from_numpy(real), torch.from_numpy(made))
    assert distance.kernel_distance(real, made)[0] == pytest.approx(float(expected))


def test_sets_of_different_sizes_are_compared_as_worked_out_by_hand():
    """One feature, of 0 or 1: the kernel is 8 of two ones, else 1. Real 0 0 1 1, made 1 five times.

    Of 12 ordered pairs of real ones 2 give 8; all of the made ones do; between them half do.
    """
    real, made = np.array([[0.0], [0], [1], [1]]), np.ones((5, 1))
    found, _ = distance.kernel_distance(real, made)
    assert found == pytest.approx(26 / 12 + 8 - 2 * 4.5)


def test_sets_drawn_alike_are_at_no_distance_on_average():
    found = [
        distance.kernel_distance(features(seed), features(seed + 1000), halves=1)[0]
        for seed in range(200)
    ]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 4 * error
    # Without bias it is now above, now below 0.
    assert min(found) < 0 < max(found)


def test_it_grows_with_a_shift():
    found = [
        distance.kernel_distance(features(0, 200), features(1, 200, shift=shift))[0]
        for shift in (0, 0.5, 1, 2)
    ]
    assert found == sorted(found)
    assert found[-1] > 100 * abs(found[0])


def test_order_and_sides_do_not_matter():
    real, made = features(0), features(1, shift=1)
    found = distance.kernel_distance(real, made)[0]
    assert distance.kernel_distance(made, real)[0] == pytest.approx(found)
    assert distance.kernel_distance(real[::-1], made)[0] == pytest.approx(found)


def test_the_deviation_is_that_of_other_images_of_the_same_kind():
    """Drawn anew many times, distances vary as much as halves of one draw say."""
    pairs = [(features(seed), features(seed + 500, shift=0.7)) for seed in range(60)]
    found = [distance.kernel_distance(real, made) for real, made in pairs]
    true = np.std([value for value, _ in found])
    said = np.mean([deviation for _, deviation in found])
    assert 0.7 < said / true < 1.4


def test_the_seed_decides_on_the_halves():
    real, made = features(0), features(1)
    once, again = (distance.kernel_distance(real, made, seed=3) for _ in range(2))
    assert once == again
    assert distance.kernel_distance(real, made, seed=4)[1] != once[1]


def test_too_few_images_or_other_features_are_refused():
    with pytest.raises(NoImagesError, match="expected at least 4 made images to compare, got 3"):
        distance.kernel_distance(features(0), features(1, 3))
    with pytest.raises(NoImagesError, match="expected at least 4 real images to compare, got 0"):
        distance.compare([], images(5), toys.model("independent"))
    with pytest.raises(ConfigError, match="expected as many features of both sets, got 6 and 7"):
        distance.kernel_distance(features(0), features(1, width=7))


def images(count: int, *, brightest: int = 200, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return list(random.integers(0, brightest, (count, 32, 32, 1), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["independent", "exclusive"])
def test_features_are_what_the_last_layer_makes_logits_of(kind):
    """The head, applied to them by hand, gives the logits of the whole network."""
    checkpoint = toys.model(kind)
    found = distance.Judge(checkpoint, device="cpu").features(images(3))
    graph = weights.restored(checkpoint.header.graphs["classifier"], checkpoint.tensors)
    head = graph.network.network.fc
    by_hand = found @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    with torch.inference_mode():
        logits = graph.logits(torch.from_numpy(np.stack(images(3)))).numpy()
    assert by_hand == pytest.approx(logits, abs=1e-4)


@pytest.mark.parametrize("kind", [*toys.KINDS, "cascade", "shared_backbone"])
def test_every_model_has_features_image_by_image(kind):
    judge = distance.Judge(toys.model(kind), device="cpu")
    seen = images(20)
    found = judge.features(seen)
    assert found.shape[0] == 20
    assert found.shape[1] > 100
    assert judge.features(seen[17:18])[0] == pytest.approx(found[17], abs=1e-4)


def test_a_cascade_is_seen_by_its_gate():
    gate, cascade = (distance.Judge(toys.model(kind)) for kind in ("independent", "cascade"))
    assert np.array_equal(gate.features(images(4)), cascade.features(images(4)))


def test_a_shared_backbone_sees_what_its_two_heads_saw():
    both, shared = (distance.Judge(toys.model(kind)) for kind in ("two_head", "shared_backbone"))
    assert both.features(images(4)) == pytest.approx(shared.features(images(4)), abs=1e-5)


def test_darker_images_are_farther_than_more_of_the_same():
    checkpoint = toys.model("independent")
    real = images(16)
    like = distance.compare(real, images(16, seed=1), checkpoint, device="cpu")
    unlike = distance.compare(real, images(16, brightest=40, seed=1), checkpoint, device="cpu")
    assert unlike.kernel_distance > abs(like.kernel_distance) + 2 * unlike.kernel_deviation


def test_without_its_network_there_is_no_fid_and_a_remark_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(distance, "find_spec", lambda _: None)
    like = distance.compare(images(4), images(4), toys.model("independent"), device="cpu")
    assert like.frechet_distance is None
    assert like.remark == (
        "FID needs the package torch-fidelity, which is not installed, so the kernel distance is "
        "given alone"
    )
    monkeypatch.setattr(distance, "find_spec", lambda _: SimpleNamespace())
    like = distance.compare(images(4), images(4), toys.model("independent"), device="cpu")
    place = tmp_path / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    assert f"FID needs {place}, which is not there" in like.remark
    place.parent.mkdir()
    torch.save({"layer": SimpleNamespace()}, place)
    like = distance.compare(images(4), images(4), toys.model("independent"), device="cpu")
    assert f"FID needs {place}, which is no file of weights alone" in like.remark
    assert like.frechet_distance is None
