import csv
import json
from functools import partial

import numpy as np
import pytest
import torch

from steel_defect_detection import checkpoints, images
from steel_defect_detection.cli.evaluate import main
from steel_defect_detection.cli.predict import main as predict
from steel_defect_detection.datasets import severstal
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import ClassifierConfig, GraphConfig, Preprocessing
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.predictors.load import load_predictor
from tests.cli.calling import call
from tests.evaluation.toys import Told
from tests.export import toys

run = partial(call, main)


@pytest.fixture
def perfect(tiny_severstal, tmp_path):
    """Results that say exactly what is true."""
    for sample in severstal.read(tiny_severstal):
        label_map = (sample.masks[2] * 3).astype(np.uint8)
        images.write(tmp_path / "theirs/masks" / sample.name, label_map)
    return tmp_path / "theirs"


@pytest.fixture
def classified(tmp_path):
    """Twelve images in folders named after their classes."""
    random = np.random.default_rng(0)
    for name in ("pits", "rust"):
        for number in range(6):
            image = random.integers(0, 255, (40, 40, 1), dtype=np.uint8)
            images.write(tmp_path / "classified" / name / f"{number}.png", image)
    return tmp_path / "classified"


@pytest.fixture
def classifier(tmp_path):
    """A classifier of those classes, which has learned nothing."""
    torch.manual_seed(0)
    network = ClassifierConfig(classes=("pits", "rust"), encoder="resnet18", exclusive=True)
    config = GraphConfig(network=network, preprocessing=Preprocessing())
    header = checkpoints.Header(
        architecture="classifier",
        graphs={"classifier": config},
        classes=network.classes,
        thresholds=checkpoints.Thresholds.default(2),
        card=checkpoints.Card(),
    )
    checkpoints.save(tmp_path / "toy.safetensors", header, weights.arrays(graphs.build(config)))
    return tmp_path / "toy.safetensors"


def test_a_model_is_measured_beside_its_baselines(tiny_severstal, tmp_path):
    result = run("strip", tiny_severstal, "--output", tmp_path / "out")
    for words in (
        "defect or clean: 8 images, 4 with defects",
        "(0.5 for the majority's answer)",
        "(0.875 if nothing is outlined)",
        "outlines of any defect, right within 2 pixels",
        "worst: sheet-",
    ):
        assert words in result.stdout
    assert "nan" not in result.stdout
    assert (
        "it repeats their labels, and its measures flatter it; judge unseen ones" in result.stderr
    )
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "evaluation.json",
        "images.csv",
        "confusion.png",
    }
    with (tmp_path / "out/images.csv").open(newline="") as file:
        dice = [float(row["dice"]) for row in csv.DictReader(file)]
    assert dice == sorted(dice)
    assert len(dice) == 8


def test_anybodys_masks_are_scored_without_a_model(tiny_severstal, perfect):
    arguments = (perfect, tiny_severstal, "--results", "--tolerance", 5, "--json")
    measures = json.loads(run(*arguments).stdout)["measures"]
    assert measures["outlines"]["dice_kaggle"] == measures["outlines"]["dice_on_defects"] == 1
    assert measures["outlines"]["per_class"]["defect_3"]["iou_pooled"] == 1
    assert measures["outlines_with_tolerance"]["tolerance_pixels"] == 5
    assert measures["any_defect"]["accuracy"] == measures["any_defect"]["auroc"] == 1
    # Classes that no image shows have no IoU; JSON has no word for that.
    assert "iou_pooled" not in measures["outlines"]["per_class"]["defect_1"]


def test_results_of_this_package_are_found_by_their_table(tiny_severstal, tmp_path):
    output = tmp_path / "outputs"
    words = ("--output", output, "--no-overlays", "--runtime", "pytorch")
    call(predict, tiny_severstal / "train_images", *words)
    stored = json.loads(run(output, tiny_severstal, "--results", "--json").stdout)["measures"]
    asked = json.loads(run("strip", tiny_severstal, "--json").stdout)["measures"]
    assert stored["outlines"] == asked["outlines"]
    assert stored["any_defect"]["accuracy"] == asked["any_defect"]["accuracy"]


def test_a_mask_that_is_missing_is_named(tiny_severstal, perfect):
    (perfect / "masks/sheet-3.png").unlink()
    result = run(perfect, tiny_severstal, "--results", exit_status=1)
    assert "the results hold no mask for sheet-3.png" in result.stderr


def test_thresholds_are_tried_class_by_class(tiny_severstal):
    lines = run("strip", tiny_severstal, "--sweep").stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "defect_1",
        "defect_2",
        "defect_3",
        "defect_4",
    ]
    assert "0.5000 if nothing is outlined" in lines[2]


def test_a_model_is_measured_with_flips(classifier, classified):
    def likeliest(*words):
        report = json.loads(run(classifier, classified, "--json", *words).stdout)
        return {row["image"]: row["confidence"] for row in report["images"]}

    once, turned = likeliest(), likeliest("--flips", "both")
    assert likeliest("--flips", "none") == once
    assert turned.keys() == once.keys()
    predictor = load_predictor(classifier, runtime="pytorch", flips="both")
    for path in sorted(classified.rglob("*.png")):
        expected = predictor.predict(path).scores.max()
        name = path.relative_to(classified).as_posix()
        assert turned[name] == pytest.approx(expected, abs=1e-6)
        assert turned[name] != once[name]


def test_thresholds_that_were_tried_with_flips_are_stored_with_them(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "mine"
    for number in range(3):
        image = rng.integers(0, 255, (64, 96, 1), dtype=np.uint8)
        images.write(folder / "images" / f"{number}.png", image)
        mask = np.zeros((64, 96), dtype=np.uint8)
        mask[8:24, 16:48] = 1
        mask[32:56, 16:48] = 2
        images.write(folder / "masks" / f"{number}.png", mask)
    (folder / "classes.txt").write_text("pit\nscratch\n")
    model = toys.save(tmp_path / "toy.safetensors", "segmenter", toys.SEGMENTER)
    result = run(model, folder, "--sweep", "--store", "--flips", "horizontal")
    assert checkpoints.load(model).header.flips == "horizontal"
    assert f"are stored in {model}" in result.stderr


def test_nothing_is_stored_where_nothing_is_gained(tmp_path):
    folder = tmp_path / "mine"
    images.write(folder / "images" / "0.png", np.zeros((64, 96, 1), dtype=np.uint8))
    images.write(folder / "masks" / "0.png", np.zeros((64, 96), dtype=np.uint8))
    (folder / "classes.txt").write_text("pit\nscratch\n")
    model = toys.save(tmp_path / "toy.safetensors", "segmenter", toys.SEGMENTER)
    before = model.read_bytes()
    result = run(model, folder, "--sweep", "--store", "--flips", "horizontal")
    assert model.read_bytes() == before
    assert "are stored" not in result.stderr
    assert "pit, scratch: nothing tried is better than outlining nothing" in result.stderr


@pytest.fixture
def contradictory(classified):
    """Images of which one stands in both folders."""
    copy = (classified / "pits/2.png").read_bytes()
    (classified / "rust/copy.png").write_bytes(copy)
    return classified


def test_suspicious_labels_are_listed_and_drawn(classifier, contradictory, tmp_path):
    result = run(classifier, contradictory, "--suspects", "--output", tmp_path / "look")
    title, *rows, last = result.stdout.splitlines()
    assert title.split() == ["image", "reason", "labelled", "suggested", "score"]
    (alike,) = [row for row in rows if "look-alike" in row]
    assert alike.split("  ")[0] == "rust/copy.png"
    assert "pits, as pits/2.png" in alike
    assert alike.endswith("0.500")
    assert last.endswith(" of 13 images with suspicious labels")
    assert "where the model has learned from these images, it repeats" in result.stderr
    assert "suspects.csv, suspects.png are in" in result.stderr
    with (tmp_path / "look/suspects.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    assert images.read(tmp_path / "look/suspects.png").std() > 0


def test_suspicious_labels_of_a_part_as_json(classifier, contradictory, tmp_path):
    paths = sorted(contradictory.rglob("*.png"))
    names = [path.relative_to(contradictory).as_posix() for path in paths]
    part = {"pits/2.png", "rust/copy.png", "rust/0.png"}
    rows = [f"{name},{'validation' if name in part else 'train'},,0" for name in names]
    (tmp_path / "split.csv").write_text("\n".join(["image,split,fold,group", *rows]) + "\n")
    (contradictory / "rust/0.png").write_bytes(b"no image")
    arguments = ("--suspects", "--json", "--split", tmp_path / "split.csv")
    result = run(classifier, contradictory, *arguments, exit_status=3)
    report = json.loads(result.stdout)
    assert report["images"] == 2
    assert [row["image"] for row in report["unreadable"]] == ["rust/0.png"]
    assert report["suspects"][-1]["beside"] == "pits/2.png"
    assert "look-alike with other labels" in report["definitions"]
    assert "repeats their labels" not in result.stderr


def test_outlines_that_are_not_found_are_listed(tiny_severstal, monkeypatch):
    from steel_defect_detection.predictors import load

    blind = Told(severstal.read(tiny_severstal).classes, exclusive=False)
    asked = {}

    def load_predictor(model, **settings):
        asked.update(settings)
        return blind

    def sees_nothing(image, source):
        shape = image.shape[:2]
        return Prediction(
            source=source,
            classes=blind.classes,
            verdict="clean",
            scores=np.zeros(4, dtype=np.float32),
            label_map=np.zeros(shape, dtype=np.uint8),
            probabilities=np.full((4, *shape), 0.01, dtype=np.float32),
        )

    monkeypatch.setattr(blind, "judge", sees_nothing)
    monkeypatch.setattr(load, "load_predictor", load_predictor)
    report = json.loads(run("strip", tiny_severstal, "--suspects", "--json").stdout)
    assert asked["keep_probabilities"] is True
    found = {row["image"]: row for row in report["suspects"] if "beside" not in row}
    # Every other sheet has a square of 32 x 32 pixels.
    assert sorted(found) == [f"sheet-{number}.png" for number in (1, 3, 5, 7)]
    for row in found.values():
        assert (row["reason"], row["labelled"]) == ("outline not found", "defect_3")
        assert row["area_pixels"] == 32 * 32


def test_one_image_is_judged_by_name_or_by_chance(tiny_severstal, tmp_path):
    arguments = ("strip", tiny_severstal, "--mode", "single")
    named = run(*arguments, "--image", "sheet-3", "--output", tmp_path).stdout.splitlines()
    assert named[0] == "sheet-3.png"
    assert named[1] == "  actual     defect_3"
    assert named[2].startswith("  predicted  ")
    assert all(f"defect_{number} " in named[3] for number in range(1, 5))
    assert images.read(tmp_path / "single.png").std() > 0
    first, second = (json.loads(run(*arguments, "--seed", 2, "--json").stdout) for _ in range(2))
    assert first == second
    assert len(first) == 1


def test_a_batch_is_drawn_on_one_sheet(classifier, classified, tmp_path):
    arguments = (classifier, classified, "--mode", "batch")
    result = run(*arguments, "--output", tmp_path, "--json")
    rows = json.loads(result.stdout)
    assert len(rows) == len({row["image"] for row in rows}) == 9
    for row in rows:
        assert row["actual"] == [row["image"].partition("/")[0]]
        likeliest = max(row["confidences"], key=row["confidences"].get)
        assert row["predicted"] == [likeliest]
    assert "batch.png is in" in result.stderr
    assert images.read(tmp_path / "batch.png").shape[1] == 1000
    assert len(json.loads(run(*arguments, "--count", 2, "--json").stdout)) == 2


def test_times_are_taken_image_by_image(tiny_severstal, tmp_path):
    arguments = ("strip", tiny_severstal, "--mode", "timing", "--count", 4)
    result = run(*arguments, "--output", tmp_path)
    assert "4 images one by one, after 3 to warm up" in result.stdout
    for words in ("decode", "network, whole image", "total", "images per second", "loading: model"):
        assert words in result.stdout
    times = json.loads((tmp_path / "timing.json").read_text())
    assert times["times"]["images"] == 4
    assert set(times["times"]) <= set(times["definitions"])


def test_a_classifier_of_exclusive_classes_is_measured_by_class(classifier, classified):
    result = run(classifier, classified)
    assert "defect or clean" not in result.stdout
    for words in ("accuracy ", "precision, macro", "F1, micro", "AUROC, macro", "rust "):
        assert words in result.stdout
    assert "outlines" not in result.stdout
    worst = [line for line in result.stdout.splitlines() if line.startswith("worst: ")]
    assert all("predicted " in line and "%, actual " in line for line in worst)


def test_images_of_one_class_have_no_auroc(classifier, classified):
    (classified / "split.csv").write_text(
        "image,split\n" + "".join(f"pits/{number}.png,test\n" for number in range(5))
    )
    arguments = ("--split", classified / "split.csv", "--part", "test", "--json")
    result = run(classifier, classified, *arguments)
    assert "NaN" not in result.stdout
    assert "auroc_macro" not in json.loads(result.stdout)["measures"]["classes"]
    # No image was put into the part that is judged by default.
    empty = run(classifier, classified, *arguments[:2], exit_status=1)
    assert "the split has no part 'validation'; it has test" in empty.stderr


@pytest.mark.parametrize("mode", ["all", "batch", "timing"])
def test_an_image_that_cannot_be_read_is_named_and_the_status_is_3(classifier, classified, mode):
    (classified / "rust/0.png").write_bytes(b"no image")
    arguments = ("--mode", mode) + (("--count", 12) if mode != "all" else ())
    result = run(classifier, classified, *arguments, exit_status=3)
    assert "rust/0.png is not an image" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_single_image_that_cannot_be_read_is_an_error(classifier, classified):
    (classified / "rust/0.png").write_bytes(b"no image")
    arguments = ("--mode", "single", "--image", "rust/0.png")
    assert "is not an image" in run(classifier, classified, *arguments, exit_status=1).stderr


def test_a_model_of_other_classes_is_one_line(classifier, tiny_severstal):
    result = run(classifier, tiny_severstal, exit_status=1)
    assert "but the model knows pits, rust" in result.stderr
    assert result.stderr.count("\n") == 1


def test_data_without_labels_are_one_line(classified, tiny_severstal, monkeypatch):
    from dataclasses import replace

    from steel_defect_detection.datasets import layouts

    def without_labels(folder, layout):
        known = severstal.read(folder)
        bare = tuple(replace(entry, labels=None, masks=None) for entry in known.entries)
        return replace(known, entries=bare)

    monkeypatch.setattr(layouts, "read", without_labels)
    result = run("strip", tiny_severstal, exit_status=1)
    assert "sheet-0.png is without labels and masks" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--store"], 2, "--store needs --sweep"),
        (["--results", "--gate", "strip"], 2, "--results takes neither --sweep nor --gate"),
        (["--results", "--flips", "both"], 2, "--results runs no model, so --flips do nothing"),
        (
            ["--sweep", "--store", "--only-named"],
            2,
            "--store keeps no --only-named: store that with sdd-calibrate first",
        ),
        (
            ["--results", "--not-only-named"],
            2,
            "--results runs no model, so --only-named does nothing",
        ),
        (["--flips", "sideways"], 2, "'sideways' is not one of 'none', 'horizontal', 'vertical'"),
        (
            ["--results", "--mode", "batch"],
            2,
            "--results, --sweep and --suspects go with --mode all",
        ),
        (["--suspects", "--sweep"], 2, "--suspects takes neither --results nor --sweep"),
        (["--suspects", "--results"], 2, "--suspects takes neither --results nor --sweep"),
        (["--suspects", "--mode", "timing"], 2, "--suspects go with --mode all"),
        (["--image", "a.png"], 2, "--image needs --mode single"),
        (["--count", "3"], 2, "--count needs --mode batch or timing"),
        (["--fold", "0"], 2, "--fold needs --split"),
        (["--mode", "batch", "--count", "0"], 2, "0 is not in the range"),
        (["--tolerance", "-1"], 2, "-1.0 is not in the range"),
        (["--mode", "single", "--image", "a.png"], 1, "the data have no image 'a.png'"),
        (["--sweep", "--store"], 1, "comes with the package"),
        (["--split", "nowhere.csv"], 1, "'nowhere.csv' is no split.csv"),
    ],
)
def test_what_cannot_be_is_one_line(tiny_severstal, arguments, status, said):
    assert said in run("strip", tiny_severstal, *arguments, exit_status=status).stderr
