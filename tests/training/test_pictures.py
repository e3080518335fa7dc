import numpy as np
import pytest

from steel_defect_detection import figures, images
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.datasets import class_folders
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.predictors.segmenter import SegmenterPredictor
from steel_defect_detection.sample import Sample
from steel_defect_detection.training import pictures
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train
from tests.predictors.conftest import FixedRuntime

SMALL = {"encoder": "resnet18", "epochs": 2, "workers": 0, "precision": "float32"}


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (
            {"architecture": "linknet", "crop_size": (64, 64)},
            {"curves", "confusion", "dice", "examples"},
        ),
        ({"architecture": "classifier"}, {"curves", "confusion", "examples"}),
        (
            {
                "architecture": "classifier",
                "validation_share": 0,
                "keep": "last",
                "scheduler": "constant",
            },
            {"curves"},
        ),
    ],
)
def test_a_run_leaves_its_pictures(tiny_severstal, tmp_path, settings, names):
    train(TrainConfig(**SMALL, **settings), tiny_severstal, tmp_path)
    drawn = {path.stem: images.read(path) for path in tmp_path.glob("*.png")}
    assert set(drawn) == names
    assert all(picture.std() > 0 for picture in drawn.values())
    assert any((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_the_truth_comes_before_the_prediction():
    image = np.full((40, 30, 3), 90, dtype=np.uint8)
    clean = Sample(name="a", image=image, classes=("pit",), masks=np.zeros((1, 40, 30), np.bool_))
    probabilities = np.zeros((1, 40, 30), dtype=np.float32)
    probabilities[0, 20:] = 0.9
    below = FixedRuntime(probabilities=probabilities)
    predictor = SegmenterPredictor(("pit",), Thresholds.default(1), segmenter=below)
    ((title, picture),) = pictures._examples(predictor, [clean])
    assert title == "a: image, truth, prediction"
    # Three pictures of 30 columns with white lines of 4 between them.
    shown = [picture[:, start : start + 30] for start in (0, 34, 68)]
    assert [np.array_equal(one, image) for one in shown] == [True, True, False]


def test_curves_are_called_what_they_are(tmp_path):
    table = "epoch,learning_rate,train_loss,validation_loss,validation_accuracy"
    (tmp_path / "epochs.csv").write_text(f"{table}\n1,0.1,0.9,0.8,0.5\n2,0.1,0.7,0.6,0.75\n")
    drawn = figures.curves(pictures.panels(tmp_path / "epochs.csv"))
    lines = {
        axes.get_title(loc="left"): {
            line.get_label(): list(line.get_ydata()) for line in axes.lines
        }
        for axes in drawn.axes
    }
    assert lines == {
        "loss": {"train_loss": [0.9, 0.7], "validation_loss": [0.8, 0.6]},
        "measures on the validation images": {"validation_accuracy": [0.5, 0.75]},
    }


def test_titles_say_what_was_predicted_and_what_it_is(monkeypatch, tmp_path):
    random = np.random.default_rng(0)
    for name in ("pits", "rust"):
        for number in range(2):
            path = tmp_path / f"data/{name}/{number}.png"
            images.write(path, random.integers(0, 255, (40, 40, 1), dtype=np.uint8))
    data = class_folders.read(tmp_path / "data")
    config = TrainConfig(**SMALL, architecture="classifier", pictures=False, validation_share=0.5)
    predictor = load_predictor(train(config, data, tmp_path / "run"))
    for sample, (title, _) in zip(data, pictures._examples(predictor, data), strict=True):
        scores = predictor.predict(sample.image).scores
        called, actual = data.classes[scores.argmax()], sample.name.partition("/")[0]
        assert title == f"predicted {called} {scores.max():.0%}, actual {actual}: {sample.name}"
