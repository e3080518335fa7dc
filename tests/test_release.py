"""What is checked before a release: the tag, and what the archives hold."""

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests import scripts

ROOT = Path(__file__).parents[1]
HASH = hashlib.sha256(b"text").hexdigest()


@pytest.fixture(scope="module")
def release():
    return scripts.load("check_release")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_a_tag_names_the_version(release, project, capsys):
    version = project["version"]
    assert release.main(["tag", f"v{version}"]) == 0
    for tag in (version, f"v{version}.1", f"v{version}-rc1", f"V{version}", "v"):
        assert release.main(["tag", tag]) == 1
        text = f"check_release: the tag is {tag!r}, but the version in pyproject.toml {version!r}\n"
        assert capsys.readouterr().err == text


@pytest.mark.parametrize("words", [[], ["tag"], ["archives"], ["everything", "dist"]])
def test_other_words_are_answered_by_what_it_does(release, capsys, words):
    assert release.main(words) == 2
    assert "archives dist" in capsys.readouterr().err


def test_each_optional_package_is_missed_by_a_command(release, project):
    extras = set(project["optional-dependencies"]) - {"dev", "docs"}
    assert set(release.NEED.values()) == extras
    assert set(release.EXTRAS.split(",")) == extras
    assert {command.split()[0] for command in release.NEED} <= set(project["scripts"])


def test_contents_are_named_from_the_top_folder_of_a_source_archive(release, tmp_path):
    with zipfile.ZipFile(tmp_path / "a-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("a/b.py", "text")
    with tarfile.open(tmp_path / "a-1.tar.gz", "w:gz") as sdist:
        member = tarfile.TarInfo("a-1/a/b.py")
        member.size = 4
        sdist.addfile(member, io.BytesIO(b"text"))
    assert release.contents(tmp_path / "a-1-py3-none-any.whl") == {"a/b.py": HASH}
    assert release.contents(tmp_path / "a-1.tar.gz") == {"a/b.py": HASH}


def test_a_folder_without_both_archives_is_refused(release, tmp_path, capsys):
    assert release.main(["archives", str(tmp_path)]) == 1
    text = f"check_release: expected one wheel and one source archive in {tmp_path}, got []\n"
    assert capsys.readouterr().err == text


@pytest.mark.slow
def test_the_archives_hold_what_they_should(release, tmp_path, capsys):
    subprocess.run([sys.executable, "-m", "build", "--outdir", tmp_path, ROOT], check=True)
    assert release.main(["archives", str(tmp_path)]) == 0
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("steel_defect_detection/left_over.py", "")
    assert release.main(["archives", str(tmp_path)]) == 1
    assert re.search(r"differs in steel_defect_detection/left_over\.py$", capsys.readouterr().err)
