"""What the files around the package promise, and whether they agree."""

import ast
import json
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import steel_defect_detection

ROOT = Path(__file__).parents[1]
FOLDERS = [ROOT / "steel_defect_detection" / name for name in ("presets", "studies")]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_newest_changelog_entry_is_this_version(project):
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(
        r"^## \[(.+?)\] - (?:unreleased|\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE
    )
    assert versions[0] == project["version"]


def test_the_package_says_the_version_that_is_installed():
    assert steel_defect_detection.__version__ == metadata.version("steel-defect-detection")


def test_every_command_has_a_module_with_its_name(project):
    for command, target in project["scripts"].items():
        word = command.removeprefix("sdd-")
        assert target == f"steel_defect_detection.cli.{word}:main"
        assert (ROOT / "steel_defect_detection" / "cli" / f"{word}.py").is_file()


def test_every_call_of_resize_names_its_interpolation():
    # The third place of cv2.resize takes a picture to write into; a flag there means nothing.
    calls = [
        node
        for file in (ROOT / "steel_defect_detection").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "cv2.resize"
    ]
    assert calls
    for call in calls:
        assert len(call.args) == 2
        assert "interpolation" in {keyword.arg for keyword in call.keywords}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_preset_is_an_object_in_a_file_whose_name_can_be_typed(folder):
    for file in folder.iterdir():
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\.json", file.name)
        assert isinstance(json.loads(file.read_text(encoding="utf-8")), dict)
