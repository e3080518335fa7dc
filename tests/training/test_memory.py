"""Memory that a training keeps."""

import os
import platform
import subprocess
import sys

import pytest

from steel_defect_detection.training import memory

# Asks for 128 MiB five times, and counts the pages that the kernel had to clear for the last four.
PROGRAM = """
import resource, sys
import numpy as np
from steel_defect_detection.training import memory
kept = memory.keep_freed_memory() if sys.argv[1] == "keep" else False
faults = []
for _ in range(5):
    np.empty(128 * 2**20, np.uint8)[::4096] = 1
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(int(kept), faults[-1] - faults[0])
"""
PAGES = 4 * 128 * 2**20 // 4096


def pages(how: str) -> tuple[bool, int]:
    command = [sys.executable, "-c", PROGRAM, how]
    unsettled = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MALLOC_") and name != "GLIBC_TUNABLES"
    }
    # With huge pages there is one fault where there would be 512.
    environment = {**unsettled, "NUMPY_MADVISE_HUGEPAGE": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    kept, count = done.stdout.split()
    return kept == "1", int(count)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_memory_that_was_freed_is_not_cleared_by_the_kernel_again():
    kept, again = pages("keep")
    assert kept
    assert again < PAGES / 100 < pages("leave")[1]


def test_what_somebody_has_settled_stays(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    assert not memory.keep_freed_memory()
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.mmap_max=0")
    assert not memory.keep_freed_memory()


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not memory.keep_freed_memory()
