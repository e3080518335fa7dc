"""The commands and the Python of each page run, in order, from its top.

What they run in, how long commands are shortened and how a page is followed
stands in ``tests/reading``.
"""

import os
import signal
import subprocess
import sys

import pytest

from tests.reading import pages, shorten, world

MOST_SECONDS = 1200
FOLLOWED = [page for page in pages.RUN if {"sh", "python"} & {b.kind for b in pages.blocks(page)}]
HAS_BLOCKS = [
    page
    for page in pages.RUN
    if any(block.kind in {"sh", "python"} for block in pages.blocks(page))
]


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Folder of the world, made once."""
    return world.build(tmp_path_factory.mktemp("built"))


PAGE = """
A study is a file, here `rates.json`:

```json
{"runs": 10}
```

```sh
cd folder && export RATE=0.1
```

```text
no command
```

```python
import json, os
rate = float(os.environ["RATE"])
study = json.load(open("../rates.json"))
```

```python
print(f"{study['runs']} runs at {rate}")
```

```sh
sdd-info no-such-model | cat
echo on
```
"""


def follow(page, folder, home, built):
    """Status with which a page ended, and what was said."""
    following = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.reading.follow", page],
        cwd=folder,
        env=world.environment(built, home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = following.communicate(timeout=MOST_SECONDS)
    finally:
        if following.poll() is None:
            os.killpg(following.pid, signal.SIGKILL)
    return following.returncode, said


def test_a_page_is_followed_to_its_first_fault(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "bin").mkdir()
    shorten.write(tmp_path / "bin")
    status, said = follow(tmp_path / "page.md", tmp_path, tmp_path, tmp_path)
    assert status == 1
    assert "2 runs at 0.1\n" in said
    assert "no command" not in said
    assert "+ echo on" not in said
    last = said[said.rindex("--- ") :].splitlines()
    assert last[0] == "--- page.md, line 27"
    assert last[-1] == "the last command above ended with the status 1"


@pytest.mark.slow
@pytest.mark.parametrize("page", FOLLOWED, ids=pages.named)
def test_a_page_runs_from_its_top_to_its_end(page, built, tmp_path):
    status, said = follow(page, world.copy(built, tmp_path, page), tmp_path, built)
    assert status == 0, said
