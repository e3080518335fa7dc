"""``sdd-predict --engine ray``."""

import json

import pytest
from click.testing import CliRunner

from steel_defect_detection import results
from steel_defect_detection.cli.predict import main
from tests.export import toys


def run(*words, exit_status=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_status, result.stderr
    return result


@pytest.mark.slow
def test_a_folder_is_judged_by_a_worker_of_this_machine(tmp_path, monkeypatch):
    """Nothing of Ray runs before or after."""
    ray = pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    model = toys.save(tmp_path / "model.safetensors", "segmenter", toys.SEGMENTER)
    toys.strips(tmp_path / "coil")
    (tmp_path / "coil/text.png").write_text("text")
    (tmp_path / "list.csv").write_text("image\ncoil/strip-1.png\ncoil/text.png\n")
    words = ["--model", model, "--engine", "ray", "--workers", 1, "--runtime", "pytorch"]
    found = run("list.csv", *words, "--json", exit_status=3)
    said = json.loads(found.stdout)
    assert (said["images"], said["error"], said["output"]) == (2, 1, "outputs")
    assert "sdd-predict: coil/text.png is not an image" in found.stderr
    assert results.read_images("outputs")["file"].tolist() == ["coil/strip-1.png", "coil/text.png"]
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["s3://bucket/coil"], "s3://bucket/coil is an address, and no file or folder of this"),
        (["coil", "--output", "s3://bucket/out"], "s3://bucket/out is an address"),
        (["coil", "--workers", "3"], "workers and their cluster are those of --engine ray"),
        (["coil", "--ray-address", "auto"], "workers and their cluster are those of --engine ray"),
        (["coil", "--engine", "ray", "--workers", "0"], "'--workers': 0 is not in the range"),
        (["coil", "--engine", "ray", "--cpus-per-worker", "nan"], "nan is no finite number"),
    ],
)
def test_what_does_not_fit_is_wrong_usage(words, message):
    assert message in run(*words, exit_status=2).stderr


def test_an_empty_place_is_one_line(tmp_path):
    pytest.importorskip("fsspec")
    result = run("memory://nothing", "--engine", "ray", "--output", tmp_path, exit_status=1)
    assert result.stderr.startswith("sdd-predict: memory://nothing ")
    assert len(result.stderr.splitlines()) == 1


def test_a_cluster_that_does_not_answer_is_one_line(tmp_path):
    pytest.importorskip("ray")
    model = toys.save(tmp_path / "model.safetensors", "segmenter", toys.SEGMENTER)
    toys.strips(tmp_path / "coil", count=1)
    words = ["--engine", "ray", "--ray-address", "127.0.0.1:9", "--model", model]
    result = run(tmp_path / "coil", *words, "--output", tmp_path / "out", exit_status=1)
    assert "sdd-predict: no Ray cluster answers at 127.0.0.1:9" in result.stderr
