import re

import kagglehub.config
import pytest
from click.testing import CliRunner

from steel_defect_detection.cli.download import main


def run(*arguments, exit_status: int = 0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == exit_status, result.stderr
    return result


def test_the_list_names_sizes_and_licences():
    listed = run("--list").stdout
    assert listed.startswith("severstal\n")
    assert re.search(r"\d GB; owned by PAO Severstal", listed)


@pytest.mark.parametrize("names", [[], ["sewerstal"]])
def test_unknown_names_are_wrong_usage(names):
    assert "there are: severstal" in run(*names, exit_status=2).stderr


def test_without_an_account_one_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(kagglehub.config, "get_kaggle_credentials", lambda: None)
    result = run("severstal", "--output", tmp_path, exit_status=1)
    assert result.stderr.startswith("sdd-download: Kaggle needs an account.")
    assert result.stderr.count("\n") == 1


def test_data_that_is_there_is_not_fetched_again(tmp_path):
    (tmp_path / "severstal").mkdir()
    (tmp_path / "severstal/train.csv").write_text("rows")
    result = run("severstal", "--output", tmp_path)
    assert "is there already; nothing was downloaded" in result.stderr
    assert result.stdout.strip() == str(tmp_path / "severstal")
