import signal
import subprocess
import sys
from functools import partial
from threading import Thread

import pytest
import requests

from steel_defect_detection import extras, images
from steel_defect_detection.cli import serve
from steel_defect_detection.cli.serve import MOST_PIXELS, main
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.web import server
from tests.cli.calling import call
from tests.export import toys
from tests.web.serving import png

run = partial(call, main)
TOKEN = "correct-horse-battery"
COMMAND = "from steel_defect_detection.cli.serve import main; main(prog_name='sdd-serve')"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return toys.save(
        tmp_path_factory.mktemp("model") / "toy.safetensors", "segmenter", toys.SEGMENTER
    )


@pytest.fixture
def start(model):
    """Start the command in a process of its own, and say where it listens."""
    processes = []

    def starting(*words):
        fixed = ["--model", model, "--runtime", "pytorch", "--port", "0"]
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, [*fixed, *words])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process, process.stdout.readline().strip()

    yield starting
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def visit(model, monkeypatch):
    """Run the command in this process, visit its address while it serves, and tell what it said."""

    def visiting(visitor, *words):
        def beside(_context, built, listening):
            thread = Thread(target=built.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                visitor(server.address(listening))
            finally:
                built.should_exit = True
                thread.join(30)

        monkeypatch.setattr(serve, "_run", beside)
        return run("--model", model, "--runtime", "pytorch", "--port", 0, *words)

    return visiting


@pytest.mark.thorough
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped(start, how):
    process, address = start("--threshold", "pit=0.4", "--max-images", "5")
    assert requests.get(f"{address}/health", timeout=20).json()["status"] == "ok"
    model = requests.get(f"{address}/model", timeout=20).json()
    assert model["name"] == "toy"
    assert model["limits"]["max_images"] == 5
    assert model["thresholds"]["pixels"][0] == 0.4
    answer = requests.post(
        f"{address}/predict", data=png(), headers={"Content-Type": "image/png"}, timeout=60
    )
    assert answer.json()["images"][0]["verdict"] in {"clean", "defect"}
    process.send_signal(how)
    assert process.communicate(timeout=30) == ("", "sdd-serve: stopped\n")
    assert process.returncode == 0


@pytest.mark.parametrize("source", ["environment", "file"])
def test_the_token_comes_from_the_environment_or_a_file(visit, tmp_path, monkeypatch, source):
    def visitor(address):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert requests.get(f"{address}/model", headers=headers, timeout=20).ok
        assert requests.get(f"{address}/model", timeout=20).status_code == 401

    if source == "environment":
        monkeypatch.setenv("SDD_TOKEN", TOKEN)
        visit(visitor)
    else:
        (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
        visit(visitor, "--token-file", tmp_path / "token")


def test_flips_are_those_that_were_asked_for(visit, model):
    def visitor(address):
        answer = requests.post(
            f"{address}/predict",
            data=png(pits=5),
            headers={"Content-Type": "image/png"},
            timeout=60,
        )
        said.append(list(answer.json()["images"][0]["scores"].values()))

    said = []
    visit(visitor)
    visit(visitor, "--flips", "both")
    for scores, flips in zip(said, ("none", "both"), strict=True):
        predictor = load_predictor(model, runtime="pytorch", flips=flips)
        pixels = images.decode(png(pits=5), "a.png")
        assert scores == pytest.approx(predictor.predict(pixels).scores, abs=1e-5)
    assert said[0] != said[1]


def test_an_open_address_is_said_to_be_one(visit):
    def visitor(address):
        assert requests.get(f"{address}/health", timeout=20).ok

    said = visit(visitor, "--host", "0.0.0.0", "--no-token")
    assert said.stdout.startswith("http://0.0.0.0:")
    assert "sdd-serve: what is sent is not encrypted: put a proxy with TLS before it" in said.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--host", "0.0.0.0"],
            "anybody in the network could use 0.0.0.0. Set SDD_TOKEN or --token-file, or say "
            "--no-token if that is meant",
        ),
        (["--model", "nowhere"], "no model 'nowhere'"),
        (["--threshold", "rust=0.5"], "the model has no class 'rust'"),
        (["--host", "203.0.113.1", "--no-token"], "cannot listen on 203.0.113.1, port 0"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_1(model, words, said):
    result = run("--model", model, "--port", 0, *words, exit_status=1)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_found_out_before_the_model_is_read():
    with server.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        result = run("--port", port, "--model", "nowhere", exit_status=1)
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in result.stderr


def test_a_short_token_is_refused(tmp_path):
    (tmp_path / "token").write_text("short", encoding="utf-8")
    result = run("--token-file", tmp_path / "token", exit_status=1)
    assert result.stderr == "sdd-serve: a token needs at least 16 letters, got 5\n"


def test_an_empty_token_file_does_not_open_the_door(tmp_path):
    (tmp_path / "token").write_text("\n", encoding="utf-8")
    result = run("--token-file", tmp_path / "token", exit_status=1)
    assert result.stderr == "sdd-serve: a token needs at least 16 letters, got 0\n"


def test_an_empty_variable_does_not_open_the_door(monkeypatch):
    monkeypatch.setenv("SDD_TOKEN", "")
    result = run(exit_status=1)
    assert (
        result.stderr == "sdd-serve: SDD_TOKEN is set, and empty: give it a secret, or unset it\n"
    )


def test_a_token_and_no_token_exclude_each_other(monkeypatch):
    monkeypatch.setenv("SDD_TOKEN", TOKEN)
    assert "exclude each other" in run("--no-token", exit_status=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "99999"], "Invalid value for '--port'"),
        (["--max-bytes", "0"], "Invalid value for '--max-bytes'"),
        (["--max-pixels", "200000000"], "Invalid value for '--max-pixels': 200000000 is not in"),
        (["--timeout", "0"], "'--timeout': 0.0 is not in the range 0.01<=x<=86400"),
        (["--timeout", "nan"], "'--timeout': nan is no finite number in the range 0.01<=x<=86400"),
        (["--timeout", "inf"], "'--timeout': inf is not in the range 0.01<=x<=86400"),
        (["--threshold", "2"], "'--threshold': '2' is not a number from 0 to 1"),
        (["--threshold", "pit=nan"], "'--threshold': 'nan' is not a number from 0 to 1"),
        (["--gate-threshold", "-0.1"], "'--gate-threshold': -0.1 is not in the range 0<=x<=1"),
        (["--least-familiarity", "7"], "'--least-familiarity': 7.0 is not in the range 0<=x<=1"),
        (["--min-area", "1.5"], "'--min-area': '1.5' is not a whole number from 0 on"),
        (["--queue", "2"], "--max-images 32 is more than --queue 2"),
        (["--allow-host", "https://steel.example.com"], "without http:// and port"),
        (["--allow-host", "steel.example.com:8443"], "without http:// and port"),
    ],
)
def test_wrong_usage_names_option_and_range_with_status_2(words, said):
    assert said in run(*words, exit_status=2).stderr


def test_as_many_pixels_may_be_allowed_as_are_decoded_at_all():
    assert MOST_PIXELS == images.MAX_PIXELS


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "python_multipart", "prometheus_client"])
def test_without_the_extra_it_says_what_to_install(package):
    snippet = f"import sys; sys.modules[{package!r}] = None; {COMMAND}"
    done = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"sdd-serve: {package} is not installed. Install it with: "
        'pip install "steel-defect-detection[serve]"\n'
    )


def test_the_packages_of_the_extra_are_those_that_are_imported():
    for package in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
        assert extras.load(package, extra="serve")
