"""Rules of the house that no linter checks: how long things are, and that each has its test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "steel_defect_detection"
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py"]

MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60

TESTED_ELSEWHERE = {
    "errors.py": "only names; each is tested where it is raised",
    "images/quiet.py": "tests/images/test_decoding.py, which listens to OpenCV and Pillow",
    "predictors/origin.py": "only values; tests/predictors/test_predict_files.py",
    "runtimes/convert_onnx.py": "tests/runtimes/converted.py, for every engine",
    "runtimes/convert_openvino.py": "tests/runtimes/converted.py, for every engine",
    "runtimes/openvino_core.py": "tests/runtimes/test_openvino.py, in processes of their own",
    "runtimes/runtime.py": "a protocol; tests/runtimes/contract.py",
}


def functions(module: Path) -> Iterator[tuple[str, int]]:
    """Name and length of the body, without its docstring, of each function."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            yield node.name, body[-1].end_lineno - body[0].lineno + 1 if body else 0


def named(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_files_and_functions_can_be_read_at_once(module):
    assert len(module.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    long = [name for name, lines in functions(module) if lines > MOST_LINES_OF_A_FUNCTION]
    assert long == []


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_each_module_has_a_test_file_of_its_name(module):
    place = ROOT / "tests" / module.relative_to(PACKAGE)
    has_one = place.with_name(f"test_{module.name}").is_file()
    assert has_one != (named(module) in TESTED_ELSEWHERE)
