import numpy as np
import pytest
import torch

from steel_defect_detection import images, results
from steel_defect_detection.benchmark import end_to_end
from steel_defect_detection.benchmark.reference import THREADS, ReferenceSystem, threads
from steel_defect_detection.errors import InferenceError
from steel_defect_detection.predictors.load import load_predictor


@pytest.fixture(scope="module")
def reference():
    return ReferenceSystem("efficientnet-b0")


@pytest.fixture
def files(tmp_path):
    random = np.random.default_rng(0)
    paths = [tmp_path / "files" / f"{number}.jpg" for number in range(16)]
    for path in paths:
        images.write(path, random.integers(0, 256, (64, 96, 3), dtype=np.uint8))
    return paths


def test_ours_leaves_the_results_that_predict_leaves(cascade, files, tmp_path):
    predictor = load_predictor(cascade, runtime="pytorch", device="cpu", gate_threshold=0)
    chunk = end_to_end.run_files(predictor, files[:3], tmp_path / "out")
    assert list(results.read_images(tmp_path / "out").file) == [str(path) for path in files[:3]]
    assert len(list((tmp_path / "out/masks").glob("*.png"))) == 3
    assert not (tmp_path / "out/overlays").exists()
    assert (chunk.files, chunk.fired) == (3, 3)
    assert {len(values) for values in chunk.milliseconds.values()} == {3}


def test_a_file_that_cannot_be_read_ends_the_benchmark(cascade, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(InferenceError, match=r"bad\.jpg is not an image"):
        end_to_end.run_files(load_predictor(cascade), [tmp_path / "bad.jpg"], tmp_path / "out")


def test_the_reference_writes_a_mask_for_every_image_and_outlines_some(reference, files, tmp_path):
    before = torch.get_num_threads()
    chunk = reference.run_files(files[:3], [False, True, False], tmp_path / "masks")
    assert torch.get_num_threads() == before
    assert sorted(path.stem for path in (tmp_path / "masks").iterdir()) == ["0", "1", "2"]
    assert not images.read(tmp_path / "masks/0.png").any()
    assert [len(chunk.milliseconds[name]) for name in ("decode", "gate", "segment")] == [3, 3, 1]
    assert chunk.fired == 1


def test_the_reference_lies_in_contiguous_memory(reference):
    for network in reference.networks.values():
        assert all(weight.is_contiguous() for weight in network.parameters())
        assert not network.training


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with threads(THREADS):
        assert torch.get_num_threads() == THREADS
    assert torch.get_num_threads() == before


def test_ours_sees_every_file_once_and_the_reference_some_of_each_chunk(
    cascade, reference, files, tmp_path
):
    predictor = load_predictor(cascade, runtime="pytorch", device="cpu")
    marks = [number % 2 == 1 for number in range(16)]
    ran = end_to_end.race(
        predictor,
        files,
        tmp_path / "race",
        reference=reference,
        reference_count=8,
        defective=marks,
    )
    assert [chunk.files for chunk in ran.ours] == [8, 8]
    assert [chunk.files for chunk in ran.theirs] == [4, 4]
    assert [chunk.fired for chunk in ran.theirs] == [2, 2]
    seen = [
        name
        for place in ("0", "1")
        for name in results.read_images(tmp_path / "race" / place / "ours").file
    ]
    assert seen == [str(path) for path in files]
