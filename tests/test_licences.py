"""The page of licences names what pyproject.toml declares, and nothing else."""

import re
import tomllib
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests import scripts

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| ([a-z][\w\[\]-]*) \| (\S+) \| (.+?) \| \S+ \| (.*) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def writer():
    return scripts.load("write_licences")


@pytest.fixture(scope="module")
def page():
    return (ROOT / "docs" / "reference" / "licences.md").read_text(encoding="utf-8")


def test_the_page_names_exactly_what_is_declared(page):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = [Requirement(line) for group in groups for line in group]
    named = [Requirement(f"{name}{bound}") for name, bound, *_ in ROW.findall(page)]
    assert named == declared, "run: python scripts/write_licences.py"


def test_each_extra_has_a_heading(page):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert re.findall(r"^## .*`\[(\w+)\]`$", page, re.MULTILINE) == list(
        project["optional-dependencies"]
    )


def test_a_licence_that_binds_who_builds_on_it_is_remarked_upon(page):
    for name, _, licence, remark in ROW.findall(page):
        assert licence != "not said", name
        if re.search(r"GPL|General Public|[Pp]roprietary", licence):
            assert remark, name


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"License-Expression": "MIT-CMU", "License": "long text"}, "MIT-CMU", id="expression"
        ),
        pytest.param(
            {
                "License": "Copyright 2001",
                "Classifier": "License :: OSI Approved :: BSD License",
            },
            "BSD License",
            id="classifier",
        ),
        pytest.param(
            {"License": "\nApache License\n  Version 2.0", "Classifier": "Typing :: Typed"},
            "Apache License",
            id="first line of a text",
        ),
        pytest.param({"Name": "bare"}, "not said", id="nothing"),
    ],
)
def test_the_licence_is_what_the_metadata_say(writer, fields, expected):
    package = Message()
    for name, value in fields.items():
        package[name] = value
    assert writer.licence(package) == expected
