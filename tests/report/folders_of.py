"""Small folders to report on: results, an evaluation, training runs."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from steel_defect_detection import checkpoints, images
from steel_defect_detection.checkpoints import Card, DataSource, Header, Thresholds
from steel_defect_detection.models.config import ClassifierConfig, GraphConfig, Preprocessing
from steel_defect_detection.prediction import Prediction, Times
from steel_defect_detection.results import ResultsWriter

CLASSES = ("scratch", "patch")
SHAPE = (20, 40)
RUN = {
    "version": "0.1.0",
    "thresholds": {"gate": 0.5, "pixels": [0.5, 0.4], "min_areas": [10, 20], "familiarity": 0.1},
    "model": {"name": "mine", "gate": None, "sha256": "0" * 64, "architecture": "cascade"},
    "runtimes": {"gate": "pytorch cpu float32"},
    "seconds": 2.0,
}


def prediction(name: str, verdict: str = "clean", **changes) -> Prediction:
    """A prediction; a defect has two patches of 8 and 4 pixels, 1.5 % of the image."""
    label_map = np.zeros(SHAPE, dtype=np.uint8)
    if verdict == "defect":
        label_map[2:4, 2:6] = 2
        label_map[10:12, 30:32] = 2
    scores = np.array([0.125, 0.75 if verdict == "defect" else 0.25], dtype=np.float32)
    values = {
        "source": name,
        "classes": CLASSES,
        "verdict": verdict,
        "scores": None if verdict == "error" else scores,
        "label_map": None if verdict == "error" else label_map,
        "gate_probability": {"defect": 0.9, "error": None}.get(verdict, 0.2),
        "image": np.full((*SHAPE, 3), 120, dtype=np.uint8),
        "times": Times(decode_ms=2.0, gate_ms=4.0),
        "error": f"{name} is broken" if verdict == "error" else None,
    }
    return Prediction(**(values | changes))


def results(
    folder: Path, *predictions: Prediction, asked: int = 0, overlays: bool = True, run=None
) -> Path:
    """A results folder, as ``sdd-predict`` leaves it."""
    paths = [Path(each.source) for each in predictions]
    more = [Path(f"later-{number}.png") for number in range(max(asked - len(paths), 0))]
    classes = predictions[0].classes if predictions else CLASSES
    record = RUN if run is None else run
    with ResultsWriter(folder, paths + more, classes, overlays=overlays, run=record) as writer:
        for each in predictions:
            writer.add(each)
    return folder


def change_run(folder: Path, **changes) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def model(path: Path, **card) -> Path:
    """A checkpoint with one number in it."""
    config = GraphConfig(
        network=ClassifierConfig(classes=CLASSES, encoder="resnet18"),
        preprocessing=Preprocessing(),
    )
    header = Header(
        architecture="classifier",
        graphs={"classifier": config},
        classes=CLASSES,
        thresholds=Thresholds.default(2),
        card=Card(
            name="mine",
            description="Finds scratches",
            data=(DataSource(name="our strips", images=1234, licence="ours"),),
            metrics={"validation_f1": 0.75},
            **card,
        ),
    )
    checkpoints.save(path, header, {"weight": np.zeros(3, dtype=np.float32)})
    return path


def run(folder: Path, *, f1: float = 0.75, seed: int = 0, finished: bool = True) -> Path:
    """A training run."""
    folder.mkdir(parents=True)
    model(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"encoder": "resnet18", "seed": seed}))
    (folder / "inputs.sha256").write_text("0" * 64)
    (folder / "epochs.csv").write_text("epoch,train_loss\n1,0.5\n2,0.25\n")
    (folder / "split.csv").write_text("image,split\na,train\nb,train\nc,validation\n")
    images.write(folder / "curves.png", np.full((40, 64, 3), 250, dtype=np.uint8))
    images.write(folder / "examples.png", np.full((30, 64, 3), 100, dtype=np.uint8))
    if finished:
        measures = {"validation_f1": f1, "epoch": 2}
        (folder / "metrics.json").write_text(json.dumps(measures))
    return folder


def evaluation(folder: Path) -> Path:
    """What an evaluation leaves."""
    folder.mkdir(parents=True)
    content = {
        "measures": {
            "any_defect": {"images": 3, "accuracy": 0.6667},
            "outlines": {"dice_kaggle": 0.5, "per_class": {"scratch": {"dice_kaggle": 0.25}}},
        },
        "definitions": {"any_defect": {"accuracy": "Share of images rightly called."}},
        "images": [
            {"image": "bad.png", "right": False, "predicted": "clean", "dice": 0.5},
            {"image": "good.png", "right": True, "predicted": "clean", "dice": 1.0},
        ],
        "unreadable": [{"image": "torn.png", "error": "torn.png is damaged"}],
    }
    (folder / "evaluation.json").write_text(json.dumps(content))
    images.write(folder / "confusion.png", np.full((40, 64, 3), 200, dtype=np.uint8))
    return folder


def calibration(folder: Path) -> Path:
    """What a calibration leaves."""
    folder.mkdir(parents=True)
    point = {"name": "any defect", "threshold": 0.25, "underkill": None}
    point |= {"overkill": 0.5, "overkill_interval": [0.25, 0.75]}
    about = {"images": 26, "split": "", "aim": "a recall of 0.98", "metrics": {"temperature": 1.5}}
    content = {"calibration": about, "thresholds": {"gate": 0.25}, "operating_points": [point]}
    (folder / "calibration.json").write_text(json.dumps(content))
    table = "name,threshold,chosen\nany defect,0.25,yes\nany defect,0.5,\n"
    (folder / "thresholds.csv").write_text(table)
    images.write(folder / "thresholds.png", np.full((40, 64, 3), 200, dtype=np.uint8))
    return folder


def foreign_tensors(path: Path) -> None:
    """A file of numbers that no model of this package is."""
    save_file({"weight": np.zeros(2, dtype=np.float32)}, path)
