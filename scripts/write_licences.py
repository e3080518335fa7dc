"""Write docs/reference/licences.md: what the package needs, and under which licence that is.

Licences are read from the metadata of what is installed, so everything has to be there:

pip install -e ".[dev,docs,onnx,int8,explain,serve,ray]"
python scripts/write_licences.py
"""

import tomllib
from email.message import Message
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "licences.md"
HEAD = """# Licences

The code is under the MIT licence; the built-in models follow the terms of the images that they
were trained on, which their model cards name. Below is what the package needs, as `pyproject.toml`
declares it, with the licence that the metadata of each package name. What these need in turn is in
`poetry.lock`. This page is written by `python scripts/write_licences.py`.
"""
EXTRAS = {
    "explain": "`sdd-explain`",
    "onnx": "ONNX files and ONNX Runtime",
    "int8": "`sdd-export --precision int8`",
    "serve": "`sdd-serve`",
    "ray": "`sdd-predict` on a cluster, and object storage",
    "dev": "work on the package",
    "docs": "this site",
}
GCC = "the wheel brings GCC's runtime (GPL-3.0 with the exception that lets any program use it)"
REMARKS = {
    "torch": f"from PyPI on Linux it brings NVIDIA's libraries under NVIDIA's own licence; {GCC}",
    "numpy": GCC,
    "scipy": GCC,
    "scikit-learn": GCC,
    "opencv-python-headless": "the wheel brings FFmpeg (LGPL-2.1) as libraries of their own",
    "albumentations": "the last release under this licence; its successor AlbumentationsX is AGPL",
    "cleanlab": "releases before 2.8 were AGPL",
    "sphinx": "needs docutils, of which some files are GPL",
}


def declared() -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for: always (under ""), and with each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: [Requirement(line) for line in lines] for extra, lines in groups.items()}


def licence(package: Message) -> str:
    """The licence as a package's metadata say it: an expression, a classifier, or a first line."""
    if "License-Expression" in package:
        return str(package["License-Expression"])
    kinds = [line for line in package.get_all("Classifier", []) if line.startswith("License :: ")]
    if kinds:
        return ", ".join(line.split(" :: ")[-1] for line in kinds)
    lines = str(package.get("License", "")).strip().splitlines()
    return lines[0] if lines else "not said"


def page() -> str:
    """The page, made of the declarations and of what is installed."""
    pieces = [HEAD]
    for extra, requirements in declared().items():
        title = f"For {EXTRAS[extra]}: `[{extra}]`" if extra else "Always"
        pieces.append(f"## {title}\n\n| package | needed | licence | of version | remark |")
        pieces.append("| --- | --- | --- | --- | --- |")
        pieces += [_row(requirement) for requirement in requirements]
        pieces.append("")
    return "\n".join(pieces)


def _row(requirement: Requirement) -> str:
    installed = metadata.metadata(requirement.name)
    cells = (
        requirement.name + "".join(f"[{extra}]" for extra in sorted(requirement.extras)),
        str(requirement.specifier),
        licence(installed),
        # A build for processors says so behind a plus.
        installed["Version"].partition("+")[0],
        REMARKS.get(requirement.name, ""),
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
