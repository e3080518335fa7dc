"""Check what a release would publish, in fresh environments.

    python scripts/check_release.py tag v1.0.0       the tag is the version of pyproject.toml
    python scripts/check_release.py archives dist    the archives hold what they should
    python scripts/check_release.py plain dist       the wheel works without any extra
    python scripts/check_release.py lowest dist      it works with the lowest versions it allows

``dist`` is the folder that ``make build`` writes. The last two take gigabytes and need uv; the
environments that they make are removed. Says what is wrong and ends with status 1.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What a source archive has beside the package, so that its tests pass.
FOLDERS = (".github", "docs", "scripts", "tests")
FILES = ("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile", "SECURITY.md")
EXTRAS = "explain,int8,onnx,ray,serve"
# What each command says without the extra that it needs.
NEED = {
    "sdd-serve": "serve",
    "sdd-explain strip": "explain",
    "sdd-export --format onnx --output export": "onnx",
    "sdd-export --format openvino --precision int8 --output export": "int8",
    "sdd-predict --runtime onnx": "onnx",
    "sdd-benchmark --runtime onnx --no-reference --no-configurations": "onnx",
    "sdd-predict --engine ray": "ray",
    "sdd-predict --engine ray s3://bucket/strips": "ray",
    "sdd-predict --engine ray gs://bucket/strips": "ray",
}
# Imports every module; one that cannot be imported has to name the extra that it needs.
IMPORTS = """
import importlib, pkgutil, steel_defect_detection as package
from steel_defect_detection.errors import MissingExtraError
for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".", lambda name: None):
    try:
        importlib.import_module(module.name)
    except MissingExtraError:
        pass
"""
# Folders of tests that need every engine and the server, and no browser or object storage.
QUICK = ("checkpoints", "explain", "export", "losses", "metrics", "models", "runtimes", "web")


class FaultError(Exception):
    """Something that must not be published."""


def check_tag(tag: str) -> None:
    """Check that a tag names the version of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if tag != f"v{project['version']}":
        msg = f"the tag is {tag!r}, but the version in pyproject.toml {project['version']!r}"
        raise FaultError(msg)


def check_archives(folder: Path) -> None:
    """Check that both archives hold the same package, and the source archive all that is tested."""
    wheel, sdist = _archives(folder)
    packed, source = contents(wheel), contents(sdist)
    package = files_below(ROOT / "steel_defect_detection")
    _same(package, _part(packed, "steel_defect_detection/"), f"the package in {wheel.name}")
    _same(package, _part(source, "steel_defect_detection/"), f"the package in {sdist.name}")
    for name in FOLDERS:
        _same(files_below(ROOT / name), _part(source, f"{name}/"), f"{name}/ in {sdist.name}")
    missing = [name for name in FILES if name not in source]
    if missing:
        msg = f"{sdist.name} lacks {', '.join(missing)}"
        raise FaultError(msg)
    with tempfile.TemporaryDirectory() as work:
        _unpack(sdist, Path(work))
        _run([sys.executable, "-m", "build", "--wheel", "--outdir", f"{work}/dist", work])
        rebuilt = contents(next(Path(work, "dist").glob("*.whl")))
    _same(packed, rebuilt, f"the wheel that {sdist.name} builds")


def check_plain(folder: Path) -> None:
    """Check the wheel in an environment with nothing but what it declares."""
    wheel, _ = _archives(folder)
    with tempfile.TemporaryDirectory() as work:
        programs = _environment(work, str(wheel))
        _run([f"{programs}/python", "-c", IMPORTS], work)
        _run([f"{programs}/sdd-predict"], work)
        for command, extra in NEED.items():
            done = subprocess.run(
                f"{programs}/{command}".split(),
                cwd=work,
                capture_output=True,
                text=True,
                check=False,
            )
            advice = f'pip install "steel-defect-detection[{extra}]"'
            if done.returncode != 1 or not done.stderr.strip().endswith(advice):
                msg = f"{command} does not end with {advice!r} and status 1: {done.stderr}"
                raise FaultError(msg)


def check_lowest(folder: Path) -> None:
    """Check the wheel with the lowest versions of what it declares, on this Python."""
    wheel, sdist = _archives(folder)
    with tempfile.TemporaryDirectory() as work:
        programs = _environment(work, f"{wheel}[{EXTRAS}]", "--resolution", "lowest-direct")
        _run(["uv", "pip", "install", "--python", f"{programs}/python", "hypothesis", "pytest"])
        _run([f"{programs}/sdd-predict"], work)
        tests = Path(work) / "source"
        _unpack(sdist, tests)
        folders = [f"tests/{name}" for name in QUICK]
        # Old releases meet newer ones of what they need, which warn them.
        options = ["-q", "-Wignore::DeprecationWarning", "--ignore=tests/web/test_browser.py"]
        _run([f"{programs}/python", "-m", "pytest", *options, *folders], tests)


def contents(archive: Path) -> dict[str, str]:
    """Hash of each file in a wheel or source archive, by its name below the top folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name: _hash(wheel.read(name)) for name in wheel.namelist()}
    with tarfile.open(archive) as sdist:
        return {
            member.name.partition("/")[2]: _hash(sdist.extractfile(member).read())
            for member in sdist
            if member.isfile()
        }


def files_below(folder: Path) -> dict[str, str]:
    """Hash of each file below a folder, by its name below the folder above it."""
    return {
        path.relative_to(folder.parent).as_posix(): _hash(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _part(files: dict[str, str], beginning: str) -> dict[str, str]:
    return {name: value for name, value in files.items() if name.startswith(beginning)}


def _same(expected: dict[str, str], found: dict[str, str], what: str) -> None:
    differing = sorted({name for name, _ in expected.items() ^ found.items()})
    if differing:
        msg = f"{what} differs in {', '.join(differing[:3])}"
        raise FaultError(msg)


def _archives(folder: Path) -> tuple[Path, Path]:
    wheels, sdists = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    if len(wheels) != 1 or len(sdists) != 1:
        msg = f"expected one wheel and one source archive in {folder}, got {wheels + sdists}"
        raise FaultError(msg)
    return wheels[0].resolve(), sdists[0].resolve()


def _unpack(sdist: Path, target: Path) -> None:
    with tarfile.open(sdist) as archive:
        for member in archive:
            member.name = member.name.partition("/")[2]
            archive.extract(member, target, filter="data")


def _environment(work: str, *requirements: str) -> Path:
    """Make a fresh environment; gives the folder of its programs."""
    place = Path(work) / "environment"
    _run(["uv", "venv", "--quiet", "--python", sys.executable, str(place)])
    programs = place / ("Scripts" if os.name == "nt" else "bin")
    _run(["uv", "pip", "install", "--python", f"{programs}/python", *requirements])
    return programs


def _run(command: Sequence[str], folder: Path | str | None = None) -> None:
    if subprocess.run(command, cwd=folder, check=False).returncode != 0:
        msg = f"this failed: {' '.join(command)}"
        raise FaultError(msg)


def main(words: Sequence[str]) -> int:
    """Run one check; gives the status to end with."""
    checks = {"archives": check_archives, "plain": check_plain, "lowest": check_lowest}
    try:
        match words:
            case ["tag", tag]:
                check_tag(tag)
            case [check, folder] if check in checks:
                checks[check](Path(folder))
            case _:
                sys.stderr.write(str(__doc__))
                return 2
    except FaultError as fault:
        sys.stderr.write(f"check_release: {fault}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
