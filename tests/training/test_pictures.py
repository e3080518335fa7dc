import pytest

from steel_defect_detection import images
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train

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
