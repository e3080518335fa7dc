import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from steel_defect_detection import extras
from steel_defect_detection.errors import MissingExtraError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder on the import path where a test can put modules."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("made_up_")]:
        del sys.modules[name]


def test_an_installed_package_is_imported(package):
    (package / "made_up_whole.py").write_text("answer = 42")
    assert extras.load("made_up_whole", extra="onnx").answer == 42


def test_a_module_inside_a_package_is_the_module_itself():
    assert extras.load("xml.dom.minidom", extra="onnx").__name__ == "xml.dom.minidom"


@pytest.mark.parametrize("module", ["made_up_absent", "made_up_absent.inner.part"])
def test_a_missing_package_says_which_extra_installs_it(module):
    text = (
        "made_up_absent is not installed. "
        'Install it with: pip install "steel-defect-detection[onnx]"'
    )
    with pytest.raises(MissingExtraError, match=f"^{re.escape(text)}$"):
        extras.load(module, extra="onnx")


def test_a_missing_extra_is_an_import_error():
    with pytest.raises(ImportError):
        extras.load("made_up_absent", extra="onnx")


def test_a_part_that_an_installed_package_lacks_counts_as_not_installed(package):
    (package / "made_up_hollow").mkdir()
    (package / "made_up_hollow" / "__init__.py").touch()
    with pytest.raises(MissingExtraError, match="made_up_hollow is not installed"):
        extras.load("made_up_hollow.runtime", extra="onnx")


def test_a_package_that_lacks_another_package_says_so_itself(package):
    (package / "made_up_needy.py").write_text("import made_up_needed")
    with pytest.raises(ModuleNotFoundError, match="made_up_needed") as caught:
        extras.load("made_up_needy", extra="onnx")
    assert not isinstance(caught.value, MissingExtraError)


def test_a_longer_name_that_begins_alike_is_another_package(package):
    (package / "made_up_on.py").write_text("import made_up_o")
    with pytest.raises(ModuleNotFoundError) as caught:
        extras.load("made_up_on", extra="onnx")
    assert not isinstance(caught.value, MissingExtraError)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        pytest.param("raise ImportError('no libcuda.so')", ImportError, id="missing library"),
        pytest.param("raise ModuleNotFoundError('odd')", ModuleNotFoundError, id="nameless"),
        pytest.param("1 / 0", ZeroDivisionError, id="bug"),
    ],
)
def test_a_broken_package_keeps_its_own_error(package, source, error):
    (package / "made_up_broken.py").write_text(source)
    with pytest.raises(error) as caught:
        extras.load("made_up_broken", extra="onnx")
    assert not isinstance(caught.value, MissingExtraError)


def test_every_extra_that_is_named_can_be_installed():
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    calls = [
        node
        for file in (root / "steel_defect_detection").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "extras.load"
    ]
    named = {keyword.value.value for call in calls for keyword in call.keywords}
    assert named == set(project["optional-dependencies"]) - {"dev", "docs"}
