import os
import subprocess
import sys

import pytest

from steel_defect_detection.runtimes.processor import cores


def test_there_is_a_core():
    assert 1 <= cores() <= os.cpu_count()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system ties nothing to cores")
def test_cores_that_this_process_may_not_use_do_not_count():
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from steel_defect_detection.runtimes.processor import cores; print(cores())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"
