import re
from pathlib import Path

import kagglehub
import kagglehub.config
import pytest
import requests
from kagglehub.exceptions import BackendError, UnauthenticatedError

from steel_defect_detection.download import kaggle
from steel_defect_detection.errors import DownloadError

TERMS = "https://www.kaggle.com/c/steel/rules"


def fetch(folder: Path, handle: str = "steel") -> None:
    kaggle.download(handle, folder, terms=TERMS)


@pytest.fixture
def account(monkeypatch):
    """Credentials of somebody."""
    monkeypatch.setattr(kagglehub.config, "get_kaggle_credentials", object)


@pytest.fixture
def client(monkeypatch, account):
    """Let Kaggle's client do what a test tells it."""

    def behave(action) -> None:
        def download(handle: str, *, output_dir: str) -> None:
            Path(output_dir).mkdir(parents=True)
            action(Path(output_dir))

        monkeypatch.setattr(kagglehub, "competition_download", download)

    return behave


def test_without_an_account_the_message_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setattr(kagglehub.config, "get_kaggle_credentials", lambda: None)
    message = "Kaggle needs an account. Make an API token at https://www.kaggle.com/settings"
    with pytest.raises(DownloadError, match=re.escape(message)) as caught:
        fetch(tmp_path / "severstal")
    assert TERMS in str(caught.value)
    assert not (tmp_path / "severstal").exists()


def test_a_public_data_set_is_asked_for_without_an_account(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(kagglehub.config, "get_kaggle_credentials", lambda: None)
    monkeypatch.setattr(kagglehub, "dataset_download", lambda *given, **named: asked.append(given))
    fetch(tmp_path / "welds", "owner/welds")
    assert asked == [("owner/welds",)]


def test_a_token_that_cannot_be_read_is_one_clear_line(tmp_path, monkeypatch):
    (tmp_path / "kaggle.json").write_text("{")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DownloadError, match="the Kaggle API token cannot be used: Invalid Kaggle"):
        fetch(tmp_path / "severstal")


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "Kaggle needs an account"), (403, f"accept its rules at {TERMS}"), (404, "gone")],
)
def test_a_refusal_says_what_to_do(tmp_path, client, status, message):
    def refuse(folder: Path) -> None:
        response = requests.Response()
        response.status_code = status
        raise requests.HTTPError("gone", response=response)

    client(refuse)
    with pytest.raises(DownloadError, match=re.escape(message)):
        fetch(tmp_path / "severstal")


def test_a_token_that_is_not_accepted_is_named(tmp_path, client):
    def refuse(folder: Path) -> None:
        raise UnauthenticatedError

    client(refuse)
    with pytest.raises(DownloadError, match="Kaggle needs an account"):
        fetch(tmp_path / "severstal")


@pytest.mark.parametrize(
    "trouble",
    [requests.ConnectionError("line cut"), BackendError("line cut"), ValueError("line cut")],
)
def test_any_trouble_of_the_client_is_one_clear_line(tmp_path, client, trouble):
    def break_off(folder: Path) -> None:
        raise trouble

    client(break_off)
    with pytest.raises(DownloadError, match="cannot fetch steel from Kaggle: line cut"):
        fetch(tmp_path / "severstal")


def test_the_client_knows_the_arguments_that_it_is_given():
    import inspect

    for function in (kagglehub.competition_download, kagglehub.dataset_download):
        assert "output_dir" in inspect.signature(function).parameters
