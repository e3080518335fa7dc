import numpy as np
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


def test_titles_say_what_was_predicted_and_what_it_is(monkeypatch, tmp_path):
    from steel_defect_detection.datasets import class_folders
    from steel_defect_detection.predictors.load import load_predictor
    from steel_defect_detection.training import pictures

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
