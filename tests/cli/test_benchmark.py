import json
from functools import partial

import pytest

from steel_defect_detection.cli.benchmark import main
from tests.cli.calling import call

run = partial(call, main)


@pytest.fixture
def measured(monkeypatch):
    """What the benchmark was asked for; it measures nothing."""
    asked = []
    empty = {
        "machine": {
            "processor": "toy",
            "cores": 1,
            "threads": 1,
            "vector_instructions": "none",
            "memory_gib": 1,
            "graphics": [],
            "load_before": 0.0,
            "system": "toy",
            "python": "3",
            "packages": {},
            "gflops": {"float32": 1.0},
            "copy_gb_per_second": 1.0,
        },
        "operating_point": {"model": "strip", "flips": "both", "runtimes": {"gate": "toy"}},
        "race": {"clean": {"ours": None}},
        "reference": [],
        "networks": [],
        "end_to_end": [],
        "left_out": {},
        "layers": {},
        "judged": [],
        "start": {},
    }
    chunk = {"files": 2, "fired_share": 0.0, "images_per_second": 8.0}
    empty["race"]["clean"]["ours"] = chunk | {
        "milliseconds": {"image": {"count": 2, "median": 1.0, "p95": 2.0, "mean": 1.5}}
    }

    def measure(settings, *, say):
        asked.append(settings)
        say("measuring")
        return empty

    monkeypatch.setattr("steel_defect_detection.benchmark.run.run", measure)
    return asked


def test_options_become_settings_and_three_files_are_written(measured, tmp_path):
    result = run(
        "--output",
        tmp_path / "out",
        "--mixes",
        "clean, half",
        "--judge",
        "tiles.safetensors=magnetic",
        "--judge",
        "severstal",
        "--runtime",
        "openvino",
        "--flips",
        "both",
        "--no-reference",
        "--size",
        "64x96",
    )
    (settings,) = measured
    assert settings.mixes == ("clean", "half")
    assert settings.flips == "both"
    assert "Ours is strip (gate: toy, flips: both)." in result.stdout
    assert [(model, str(folder)) for model, folder in settings.judge] == [
        ("tiles.safetensors", "magnetic"),
        (None, "severstal"),
    ]
    assert (settings.runtimes, settings.size, settings.reference) == (
        ("openvino",),
        (64, 96),
        False,
    )
    assert "| clean | ours   | 2 " in result.stdout
    assert "none named, see --judge" in result.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "benchmark.json",
        "benchmark.md",
        "benchmark.png",
    }


def test_json_is_all_that_is_printed(measured, tmp_path):
    result = run("--json", "--output", tmp_path / "out")
    assert json.loads(result.stdout)["operating_point"]["model"] == "strip"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--mixes", "all"], "sdd-benchmark: mixes must be among clean, half, got 'all'"),
        (["--count", "0"], "sdd-benchmark: count must be at least 2, got 0"),
        (["--runtime", "caffe"], "sdd-benchmark: runtime must be one of pytorch, "),
        (["--model", "nowhere"], "sdd-benchmark: no model 'nowhere'"),
        (["--images", "nowhere"], "sdd-benchmark: no such file or folder: 'nowhere'"),
        (["--judge", "nowhere"], "sdd-benchmark: there is no folder 'nowhere'"),
    ],
)
def test_bad_input_is_one_line(words, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*words, exit_status=1)
    assert result.stderr.startswith(text)
    assert result.stderr.count("\n") == 1
