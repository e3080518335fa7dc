"""The pages of the Python API name what is there, and all that the packages offer."""

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import steel_defect_detection

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
PAGES = [REFERENCE / "api.md", *sorted((REFERENCE / "api").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
SHOWN = re.findall(r"^\.\. auto(?:function|class|exception|data):: (\S+)$", TEXT, re.MULTILINE)

NAME = steel_defect_detection.__name__
PACKAGES = [
    NAME,
    *(f"{NAME}.{found.name}" for found in pkgutil.iter_modules(steel_defect_detection.__path__)),
]


def value_of(name: str) -> object:
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


@pytest.mark.parametrize("name", SHOWN)
def test_every_name_that_is_shown_is_there_and_explained(name):
    assert not name.rpartition(".")[2].startswith("_")
    value = value_of(name)
    assert name.rpartition(".")[2].isupper() or inspect.getdoc(value)


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_that_a_package_offers_is_shown(package):
    offered = [f"{package}.{name}" for name in getattr(import_module(package), "__all__", ())]
    values = {name: value_of(name) for name in offered}
    missing = [
        name
        for name, value in values.items()
        if (inspect.isclass(value) or inspect.isfunction(value)) and name not in SHOWN
    ]
    assert missing == []


def test_no_name_is_shown_twice():
    assert sorted(SHOWN) == sorted(set(SHOWN))
