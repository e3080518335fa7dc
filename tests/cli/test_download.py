import hashlib
import io
import json
import zipfile
from dataclasses import replace

import kagglehub.config
import pytest
from click.testing import CliRunner

from steel_defect_detection import checkpoints
from steel_defect_detection.cli import download as command
from steel_defect_detection.datasets.catalogue import SOURCES

MODEL = b"weights"


def run(*arguments, exit_status: int = 0, env=None):
    environment = {"SDD_WEIGHTS_URL": None} | (env or {})
    result = CliRunner().invoke(
        command.main, [str(argument) for argument in arguments], env=environment
    )
    assert result.exit_code == exit_status, result.stderr
    return result


@pytest.fixture
def offered(server, monkeypatch):
    """A small CrackForest on a server of this machine."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("CrackForest-dataset-master/image/001.jpg", b"road")
        archive.writestr("CrackForest-dataset-master/groundTruth/001.mat", b"crack")
    server.contents["/master.zip"] = data.getvalue()
    address = f"{server.address}/master.zip"
    source = replace(SOURCES["crackforest"], address=address)
    monkeypatch.setitem(command.SOURCES, "crackforest", source)


@pytest.fixture
def base(server) -> str:
    """A server with one model."""
    sha256 = hashlib.sha256(MODEL).hexdigest()
    entry = {"file": "line-7.safetensors", "sha256": sha256, "size": len(MODEL)}
    server.contents["/index.json"] = json.dumps({"line-7": entry}).encode()
    server.contents["/line-7.safetensors"] = MODEL
    return server.address


def test_the_list_is_a_table_of_sizes_accounts_and_licences():
    lines = run("--list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "SIZE", "ACCOUNT", "LICENCE"]
    assert [line.split()[0] for line in lines[1:]] == list(SOURCES)
    assert "1.7 GB" in lines[1]
    assert "owned by PAO Severstal" in lines[1]
    assert "unknown" in lines[2]


def test_the_list_as_json_has_every_field():
    listed = json.loads(run("--list", "--json").stdout)
    assert [source["name"] for source in listed] == list(SOURCES)
    assert listed[1]["size"] is None
    assert listed[6]["licence"].startswith("CC BY-NC-SA 4.0")


@pytest.mark.parametrize("names", [[], ["sewerstal"], ["crackforest", "weights"]])
def test_unknown_names_are_wrong_usage(names):
    assert "there are: severstal, crackforest" in run(*names, exit_status=2).stderr


def test_without_an_account_one_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(kagglehub.config, "get_kaggle_credentials", lambda: None)
    result = run("severstal", "--output", tmp_path, exit_status=1)
    assert result.stderr.startswith("sdd-download: Kaggle needs an account.")
    assert "competition" not in result.stdout
    assert result.stderr.count("\n") == 1


def test_data_that_is_there_is_not_fetched_again(tmp_path):
    (tmp_path / "severstal/train_images").mkdir(parents=True)
    (tmp_path / "severstal/train.csv").write_text("rows")
    result = run("severstal", "--output", tmp_path)
    assert "is there already; nothing was downloaded" in result.stderr
    assert result.stdout.strip() == str(tmp_path / "severstal")


def test_a_data_set_arrives_in_the_folder_of_its_name(offered, tmp_path):
    result = run("crackforest", "crackforest", "--output", tmp_path / "data")
    folder = tmp_path / "data" / "crackforest"
    assert result.stdout == f"{folder}\n"
    assert (folder / "image/001.jpg").read_bytes() == b"road"
    assert "nobody has published a SHA-256" in result.stderr


def test_results_are_json_on_request(offered, tmp_path):
    folder = str(tmp_path / "crackforest")
    expected = {"name": "crackforest", "path": folder, "downloaded": True}
    assert json.loads(run("crackforest", "--output", tmp_path, "--json").stdout) == [expected]
    again = json.loads(run("crackforest", "--output", tmp_path, "--json").stdout)
    assert again == [expected | {"downloaded": False}]


def test_a_refused_transfer_is_one_line(offered, server, tmp_path):
    server.contents.clear()
    result = run("crackforest", "--output", tmp_path, exit_status=1)
    assert "master.zip: the server answered 404 Not Found" in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_interruption_says_how_to_go_on(tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "download", interrupt)
    result = run("crackforest", "--output", tmp_path, exit_status=130)
    assert "the same command goes on with the rest" in result.stderr


def test_a_model_arrives_below_weights(base, tmp_path):
    path = tmp_path / "weights" / "line-7.safetensors"
    result = run("weights", "line-7", "--from", base, "--output", tmp_path)
    assert result.stdout == f"{path}\n"
    assert path.read_bytes() == MODEL
    again = run("weights", "line-7", "--output", tmp_path, env={"SDD_WEIGHTS_URL": base})
    assert "is there already" in again.stderr


def test_the_models_of_a_server_can_be_listed(base):
    listed = run("weights", "--list", "--from", base).stdout.splitlines()
    assert listed[1].split() == ["line-7", "7", "bytes", "line-7.safetensors"]
    assert "line-7" in json.loads(run("weights", "--list", "--json", "--from", base).stdout)


def test_built_in_models_need_no_download():
    name = checkpoints.built_in()[0]
    result = run("weights", name)
    assert f"{name} comes with the package and needs no download" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["weights"], "name a model after 'weights'"),
        (["weights", "line-7"], "--from or in the environment variable SDD_WEIGHTS_URL"),
        (["weights", "--list"], "--from or in the environment variable SDD_WEIGHTS_URL"),
        (["crackforest", "--from", "http://x"], "--from says where models lie"),
        (["--list", "--from", "http://x"], "--from says where models lie"),
    ],
)
def test_words_that_do_not_fit_together_are_wrong_usage(arguments, message):
    assert message in run(*arguments, exit_status=2).stderr


def test_the_address_in_the_environment_does_not_disturb_data_sets(offered, tmp_path):
    run("crackforest", "--output", tmp_path, env={"SDD_WEIGHTS_URL": "http://x"})
