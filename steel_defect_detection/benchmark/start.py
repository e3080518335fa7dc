"""Start: how long ``sdd-predict`` takes for one image, from the shell and back."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from steel_defect_detection.benchmark import times
from steel_defect_detection.errors import InferenceError

_PROGRAM = "from steel_defect_detection.cli.predict import main; main(prog_name='sdd-predict')"


def measure(image: Path, options: Sequence[str], *, repeats: int = 5) -> dict[str, Any]:
    """Start the command again and again, after a first start that is not counted.

    Args:
        image: What to judge.
        options: Further words of the command line.
        repeats: Starts that are timed.

    Returns:
        Seconds of the first start, and count, median, 95th percentile and mean
        of the others.

    Raises:
        InferenceError: If the command fails.
    """
    seconds = []
    with tempfile.TemporaryDirectory() as place:
        words = [str(image), "--output", place, "--no-overlays", *options]
        for _ in range(1 + repeats):
            started = perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", _PROGRAM, *words],
                capture_output=True,
                text=True,
                check=False,
            )
            seconds.append(perf_counter() - started)
            if done.returncode:
                msg = f"sdd-predict {' '.join(words)} ended with {done.stderr.strip()[-300:]}"
                raise InferenceError(msg)
    return {"first_seconds": seconds[0], "seconds": times.summary(seconds[1:])}
