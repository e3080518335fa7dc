"""The folder in which a reader of the documentation stands: strips, own data, trained models."""

import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

from steel_defect_detection import images
from steel_defect_detection.synthesis.procedural import draw_strip
from tests.reading import shorten
from tests.reading.pages import ROOT, blocks

SAMPLES = ROOT / "steel_defect_detection" / "samples" / "train_images"
STRIPS = ("strip-1.png", "strip-2.png", "strip-3.png")
# Classes, and what they look like among those of the strips that are drawn.
CLASSES = {"scratches": 2, "pits": 1}
OWN_IMAGES = 60
# As quick to train as can be, and then a few defects are found.
TRAINED = {
    "runs/mine": "strip-linknet --class-weights none --epochs 4 --learning-rate 0.005",
    "runs/gate": "strip-gate --epochs 1",
}
SMALL = "--init strip --encoder efficientnet-b0 --batch-size 4 --crop-size none"


def build(home: Path) -> Path:
    """Make the folder ``world`` in a folder, and beside it ``bin`` with the commands."""
    (home / "bin").mkdir()
    shorten.write(home / "bin")
    (home / "bin" / ".curlrc").write_text("fail\n", encoding="utf-8")
    world = home / "world"
    for name in STRIPS:
        images.write(world / "strips" / name, images.read(SAMPLES / name))
    images.write(world / "strip.jpg", images.read(world / "strips" / "strip-1.png"))
    _draw_own(world / "mine")
    _sort_by_class(world / "mine", world / "by-class")
    _pack_cracks(world / "data" / "crackforest.zip")
    for run, words in TRAINED.items():
        _run(home, "sdd-train", *f"{words} {SMALL} --data mine --output {run}".split())
    _run(home, "sdd-predict", "strips")
    _run(home, "sdd-crop", "mine", "--output", "newer-crops")
    return home


def _draw_own(folder: Path) -> None:
    """Draw a third of clean strips, a third with scratches and a third with pits."""
    kinds = [[], *([kind] for kind in CLASSES.values())]
    for number in range(OWN_IMAGES):
        defects = kinds[number % len(kinds)]
        strip = draw_strip(seed=number, defects=defects, shape=(128, 256))
        name = f"{number:04d}.png"
        images.write(folder / ("images" if defects else "clean") / name, strip.image[..., :1])
        if defects:
            masks = strip.masks[[kind - 1 for kind in CLASSES.values()]]
            label_map = np.select(list(masks), range(1, len(masks) + 1)).astype(np.uint8)
            images.write(folder / "masks" / name, label_map)
    names = "".join(f"{name}\n" for name in CLASSES)
    (folder / "classes.txt").write_text(names, encoding="utf-8")


def _sort_by_class(own: Path, folder: Path) -> None:
    """Copy own images into one folder per class."""
    shutil.copytree(own / "clean", folder / "good")
    for number, path in enumerate(sorted((own / "images").iterdir())):
        place = folder / list(CLASSES)[number % 2] / path.name
        place.parent.mkdir(exist_ok=True)
        shutil.copy(path, place)


def _pack_cracks(archive: Path) -> None:
    """Pack what GitHub packs of a data set, but for its images."""
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("image/001.jpg", "groundTruth/001.mat"):
            packed.writestr(f"CrackForest-dataset-master/{name}", b"content")


def _run(home: Path, name: str, *words: str) -> None:
    call = [*shorten.unshortened(name), *words]
    subprocess.run(call, cwd=home / "world", env=environment(home, home), check=True)


def environment(built: Path, home: Path) -> dict[str, str]:
    """Variables for programs that are to meet the shortened commands, and no network.

    Args:
        built: Where ``build`` made the world.
        home: Folder for what concerns one page alone.
    """
    path = [str(built / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nobody = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    return {
        **os.environ,
        **nobody,
        "no_proxy": "127.0.0.1,localhost",
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "CURL_HOME": str(built / "bin"),
        "PAGE_HOME": str(home),
        "PAGE_PORT": str(port),
    }


def copy(built: Path, home: Path, page: Path) -> Path:
    """Copy the world for a page, without what the page makes itself.

    Args:
        built: Where ``build`` made the world.
        home: Folder to copy it into.
        page: The page.

    Returns:
        The copy.
    """
    world = shutil.copytree(built / "world", home / "world")
    for block in blocks(page):
        for made in re.findall(r"--output (\S+)", block.text) if block.kind == "sh" else ():
            shutil.rmtree(world / made, ignore_errors=True)
    return world
