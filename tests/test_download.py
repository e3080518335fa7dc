import re
from pathlib import Path

import kagglehub
import kagglehub.config
import pytest
import requests
from kagglehub.exceptions import UnauthenticatedError

from steel_defect_detection.download import kaggle_competition
from steel_defect_detection.errors import DownloadError

TERMS = "https://www.kaggle.com/c/steel/rules"


def fetch(output: Path) -> bool:
    return kaggle_competition("steel", output, marker="train.csv", terms=TERMS)


@pytest.fixture
def account(monkeypatch):
    """Credentials of somebody."""
    monkeypatch.setattr(kagglehub.config, "get_kaggle_credentials", object)


@pytest.fixture
def kaggle(monkeypatch, account):
    """Let Kaggle's client do what a test tells it."""

    def behave(action) -> None:
        def download(competition: str, *, output_dir: str) -> None:
            assert competition == "steel"
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


def test_what_came_complete_lies_in_the_output(tmp_path, kaggle):
    kaggle(lambda folder: (folder / "train.csv").write_text("rows"))
    assert fetch(tmp_path / "severstal")
    assert (tmp_path / "severstal/train.csv").read_text() == "rows"
    assert [path.name for path in tmp_path.iterdir()] == ["severstal"]


def test_a_second_run_fetches_nothing(tmp_path, kaggle):
    kaggle(lambda folder: pytest.fail("must not download"))
    (tmp_path / "train.csv").write_text("rows")
    assert not fetch(tmp_path)


def test_a_transfer_that_breaks_leaves_nothing_that_looks_complete(tmp_path, kaggle):
    def break_off(folder: Path) -> None:
        (folder / "train.csv").write_text("half")
        raise requests.ConnectionError("line cut")

    kaggle(break_off)
    with pytest.raises(DownloadError, match="cannot fetch steel from Kaggle: line cut"):
        fetch(tmp_path / "severstal")
    assert not (tmp_path / "severstal").exists()
    kaggle(lambda folder: (folder / "train.csv").write_text("whole"))
    assert fetch(tmp_path / "severstal")
    assert (tmp_path / "severstal/train.csv").read_text() == "whole"


def test_rules_that_are_not_accepted_are_named(tmp_path, kaggle):
    def refuse(folder: Path) -> None:
        response = requests.Response()
        response.status_code = 403
        raise requests.HTTPError("forbidden", response=response)

    kaggle(refuse)
    with pytest.raises(DownloadError, match=re.escape(f"accept its rules at {TERMS}")):
        fetch(tmp_path / "severstal")


def test_a_token_that_is_not_accepted_is_named(tmp_path, kaggle):
    def refuse(folder: Path) -> None:
        raise UnauthenticatedError

    kaggle(refuse)
    with pytest.raises(DownloadError, match="Kaggle needs an account"):
        fetch(tmp_path / "severstal")


def test_an_archive_without_the_data_is_refused(tmp_path, kaggle):
    kaggle(lambda folder: None)
    with pytest.raises(DownloadError, match=r"Kaggle sent no train\.csv for steel"):
        fetch(tmp_path / "severstal")


def test_a_folder_of_something_else_is_left_alone(tmp_path, kaggle):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DownloadError, match=r"is not empty, but holds no train\.csv"):
        fetch(tmp_path)
