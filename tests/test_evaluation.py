import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.evaluation import evaluate
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.sample import Sample

CLASSES = ("scratch",)


class Brightness(Predictor):
    """Calls every bright pixel a scratch and scores an image by its mean."""

    @property
    def runtimes(self):
        return {}

    def judge(self, image, source):
        label_map = (image[..., 0] > 127).astype(np.uint8)
        verdict = "defect" if label_map.any() else "clean"
        return Prediction(
            source=source,
            classes=self.classes,
            verdict=verdict,
            scores=np.array([image.mean() / 255], dtype=np.float32),
            label_map=label_map,
        )


def samples() -> list[Sample]:
    random = np.random.default_rng(0)
    made = []
    for number in range(10):
        image = random.integers(0, 120, (16, 16, 3), dtype=np.uint8)
        masks = np.zeros((1, 16, 16), dtype=np.bool_)
        if number % 2:
            masks[0, 4:8, 4:12] = True
            image[4:8, 4:8] = 200  # half of the scratch is bright
        made.append(Sample(name=f"{number}.png", image=image, classes=CLASSES, masks=masks))
    return made


def test_the_measures_stand_beside_their_baselines():
    found = evaluate(Brightness(CLASSES, Thresholds.default(1)), samples())
    summary = found.summary()
    # Half of each scratch is found: 2 * 16 / (16 + 32) = 2/3; clean images score 1.
    assert summary["dice_on_defects"] == pytest.approx(2 / 3)
    assert summary["dice_kaggle"] == pytest.approx((5 * 1 + 5 * 2 / 3) / 10)
    assert summary["dice_all_empty"] == 0.5
    assert summary["accuracy"] == 1
    assert summary["accuracy_majority"] == 0.5
    truth = [number % 2 for number in range(10)]
    assert summary["auroc"] == pytest.approx(roc_auc_score(truth, found.scores))
    assert summary["auroc_interval"][0] <= summary["auroc"] <= summary["auroc_interval"][1]


class Pessimist(Predictor):
    """Calls every image a pit."""

    @property
    def runtimes(self):
        return {}

    def judge(self, image, source):
        scores = np.array([0.2, 0.8], dtype=np.float32)
        return Prediction(source=source, classes=self.classes, verdict="defect", scores=scores)


def test_a_confusion_counts_by_the_truth_first_and_the_answer_second():
    classes = ("good", "pit")
    shown = [(True, False)] * 3 + [(False, True)]
    image = np.zeros((8, 8, 3), dtype=np.uint8)
    made = [
        Sample(name=f"{number}", image=image, classes=classes, labels=np.array(labels))
        for number, labels in enumerate(shown)
    ]
    predictor = Pessimist(classes, Thresholds.default(2), good_class="good")
    counts, names = evaluate(predictor, made).confusion()
    assert names == classes
    assert counts.tolist() == [[0, 3], [0, 1]]


def test_a_model_of_other_classes_cannot_be_judged():
    with pytest.raises(AnnotationError, match="has the classes scratch, but the model knows pit"):
        evaluate(Brightness(("pit",), Thresholds.default(1)), samples())


def test_images_without_labels_cannot_be_judged():
    bare = Sample(name="a.png", image=np.zeros((8, 8, 3), dtype=np.uint8), classes=CLASSES)
    with pytest.raises(AnnotationError, match="without labels"):
        evaluate(Brightness(CLASSES, Thresholds.default(1)), [bare])
