"""What the files around the package promise, and whether they agree."""

import ast
import json
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import steel_defect_detection

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FOLDERS = [ROOT / "steel_defect_detection" / name for name in ("presets", "studies")]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(params=WORKFLOWS, ids=lambda file: file.stem)
def workflow(request):
    return yaml.safe_load(request.param.read_text(encoding="utf-8"))


@pytest.fixture
def publish():
    file = ROOT / ".github" / "workflows" / "publish.yml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def steps(workflow, action=""):
    """All steps that use an action."""
    everything = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [step for step in everything if step.get("uses", "").startswith(action)]


def test_the_newest_changelog_entry_is_this_version(project):
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(
        r"^## \[(.+?)\] - (?:unreleased|\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE
    )
    assert versions[0] == project["version"]


def test_the_citation_is_of_this_version_and_licence(project):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in project["authors"]
    ]


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


def test_every_action_is_pinned_by_a_commit_that_says_its_version():
    uses = [
        line.strip().removeprefix("- ")
        for file in WORKFLOWS
        for line in file.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert uses
    for line in uses:
        assert re.fullmatch(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line), line
    actions = {line.partition("@")[0] for line in uses}
    assert len(set(uses)) == len(actions), "an action has one version everywhere"


def test_no_workflow_caches_anything(workflow):
    assert not steps(workflow, "actions/cache")
    for step in steps(workflow):
        assert not [word for word in step.get("with", {}) if "cache" in word]


def test_no_workflow_keeps_the_right_to_push(workflow):
    for step in steps(workflow, "actions/checkout"):
        assert step["with"]["persist-credentials"] is False


def test_only_jobs_that_publish_may_say_who_they_are(workflow):
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        if "environment" in job:
            assert job["permissions"] == {"id-token": "write"}
        else:
            assert job["permissions"] in ({}, {"contents": "read"})


def test_what_strangers_write_gets_into_no_script(workflow):
    assert "pull_request_target" not in workflow[True]
    for step in steps(workflow):
        assert "${{" not in step.get("run", "")


def test_jobs_that_publish_run_nothing_but_two_actions(publish):
    jobs = {name: job for name, job in publish["jobs"].items() if "environment" in job}
    assert {name: job["environment"] for name, job in jobs.items()} == {
        "testpypi": "testpypi",
        "pypi": "pypi",
    }
    for job in jobs.values():
        assert [step.get("uses", "a script").partition("@")[0] for step in job["steps"]] == [
            "actions/download-artifact",
            "pypa/gh-action-pypi-publish",
        ]
        assert "password" not in job["steps"][1].get("with", {})


def test_only_a_tag_publishes_and_only_what_was_tested(publish):
    # YAML takes the word "on" for true.
    assert publish[True] == {"push": {"tags": ["v*"]}}
    jobs = publish["jobs"]
    assert jobs["pypi"]["needs"] == "testpypi"
    assert "test" in jobs["testpypi"]["needs"]
    assert jobs["test"]["needs"] == "build"


def test_the_tag_is_checked_before_anything_is_built(publish):
    scripts = [step["run"] for step in publish["jobs"]["build"]["steps"] if "run" in step]
    check = scripts.index('python scripts/check_release.py tag "$GITHUB_REF_NAME"')
    assert check < scripts.index("make build")


def test_pushes_and_pull_requests_are_checked_by_the_script_of_this_repository():
    check = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text("utf-8"))
    assert check[True] == {"push": {"branches": ["**"]}, "pull_request": None}
    assert check["jobs"]["check"]["steps"][-1] == {"run": "bash .ci/run"}
