import pytest

from steel_defect_detection import figures, images
from steel_defect_detection.training import charts
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train

SMALL = {"encoder": "mobilenet_v2", "epochs": 2, "workers": 0, "precision": "float32"}


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
def test_a_run_leaves_its_charts(tiny_severstal, tmp_path, settings, names):
    train(TrainConfig(**SMALL, **settings), tiny_severstal, tmp_path)
    drawn = {path.stem: images.read(path) for path in tmp_path.glob("*.png")}
    assert set(drawn) == names
    assert all(picture.std() > 0 for picture in drawn.values())
    assert any((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_curves_are_called_what_they_are(tmp_path):
    table = "epoch,learning_rate,train_loss,validation_loss,validation_accuracy"
    (tmp_path / "epochs.csv").write_text(f"{table}\n1,0.1,0.9,0.8,0.5\n2,0.1,0.7,0.6,0.75\n")
    drawn = figures.curves(charts.panels(tmp_path / "epochs.csv"))
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
