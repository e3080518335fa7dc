import numpy as np
import pytest
import torch

from steel_defect_detection import images
from steel_defect_detection.benchmark.reference import ReferenceSystem, threads
from steel_defect_detection.errors import ImageError


@pytest.fixture(scope="module")
def system():
    return ReferenceSystem("efficientnet-b0")


def test_each_file_gets_a_mask_and_only_defective_ones_are_outlined(system, tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    random = np.random.default_rng(0)
    for path in paths:
        images.write(path, random.integers(0, 256, (64, 96, 3), dtype=np.uint8))
    chunk = system.run_files(paths, [False, True, False], tmp_path / "masks")
    assert (chunk.files, chunk.fired) == (3, 1)
    assert len(chunk.milliseconds["gate"]) == 3
    assert len(chunk.milliseconds["segment"]) == 1
    assert chunk.seconds * 1000 >= sum(chunk.milliseconds["image"])
    masks = [images.read(tmp_path / "masks" / path.name) for path in paths]
    assert all(mask.shape == (64, 96, 3) for mask in masks)
    assert not masks[0].any()
    assert not masks[2].any()


def test_networks_get_what_torchvision_makes_of_an_image(system, tmp_path, monkeypatch):
    from torchvision.transforms import v2

    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    images.write(tmp_path / "a.png", image)
    seen = []
    handle = system.networks["gate"].register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    system.run_files([tmp_path / "a.png"], [False], tmp_path / "masks")
    handle.remove()
    usual = v2.Compose(
        [
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    assert torch.allclose(seen[0][0], usual(image), atol=1e-5)


def test_a_file_that_is_no_image_is_named(system, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"a\.png cannot be decoded"):
        system.run_files([tmp_path / "a.png"], [False], tmp_path / "masks")


def test_work_grows_with_the_image(system):
    small, large = (system.flop("segmenter", shape) for shape in ((64, 64), (64, 128)))
    assert large == pytest.approx(2 * small, rel=0.01)
    # https://arxiv.org/abs/1905.11946, table 2: 0.39 billion multiply-adds at 224 x 224 pixels.
    assert system.flop("gate", (224, 224)) == pytest.approx(2 * 0.39e9, rel=0.05)
    # Without the 1000 classes of ImageNet, with four.
    assert system.parameters("gate") == pytest.approx(5.3e6 - 1.28e6, rel=0.01)


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
