"""Memory does not grow with the number of images."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, shutil, sys
from importlib import resources
from pathlib import Path
from steel_defect_detection import load_predictor
from steel_defect_detection.results import ResultsWriter

count, folder = int(sys.argv[1]), Path(sys.argv[2])
samples = resources.files("steel_defect_detection") / "samples" / "train_images"
strips = sorted(Path(str(samples)).iterdir())
paths = []
for number in range(count):
    paths.append(folder / f"{number}.png")
    paths[-1].symlink_to(strips[number % len(strips)])
predictor = load_predictor()
with ResultsWriter(folder / "results", paths, predictor.classes, overlays=False) as writer:
    for prediction in predictor.stream(paths):
        writer.add(prediction)
assert writer.counts.total() == count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_ten_thousand_images_take_the_memory_of_five_hundred(tmp_path):
    pytest.importorskip("resource")
    # The first run converts the networks, which takes memory of its own.
    peaks = {}
    for number, count in enumerate((12, 500, 10_000)):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(count), str(folder)],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[count] = int(done.stdout)
    assert peaks[10_000] <= 1.1 * peaks[500], peaks
