import csv
import json
from functools import partial

import numpy as np
import pytest

from steel_defect_detection import checkpoints, images
from steel_defect_detection.calibration import looks
from steel_defect_detection.cli.calibrate import main
from steel_defect_detection.cli.info import main as info
from steel_defect_detection.predictors.load import load_predictor
from tests.calibration import toys
from tests.cli.calling import call

run = partial(call, main)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Strips in a folder, with masks; each third of them shows nothing."""
    folder = tmp_path_factory.mktemp("strips")
    for sample in toys.strips():
        images.write(folder / "images" / sample.name, sample.image)
        numbers = (sample.masks * np.array([1, 2])[:, None, None]).sum(axis=0)
        images.write(folder / "masks" / sample.name, numbers.astype(np.uint8))
    (folder / "classes.txt").write_text("pit\nscratch\n")
    return folder


@pytest.fixture
def model(tmp_path):
    return saved(tmp_path / "model.safetensors", "independent")


def saved(path, kind):
    checkpoint = toys.model(kind)
    checkpoints.save(path, checkpoint.header, checkpoint.tensors)
    return path


@pytest.fixture
def split(tmp_path):
    """The first 16 strips are for training, the others for validation."""
    return split_of(tmp_path / "split.csv", 16)


def split_of(path, trained):
    rows = [
        f"images/{number}.png,{'train' if number < trained else 'validation'}"
        for number in range(24)
    ]
    path.write_text("\n".join(["image,split", *rows]) + "\n")
    return path


def refused(message, *words, exit_status=1):
    """Call the command and see that it says this on its last line, and nothing as a result."""
    result = run(*words, exit_status=exit_status)
    assert message in " ".join(result.stderr.splitlines()[-1].split())
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result


@pytest.fixture
def untouched(monkeypatch):
    """Whoever looks at an image has begun the work."""
    monkeypatch.setattr(looks.Observer, "look", lambda *_: pytest.fail("an image was looked at"))


def test_the_model_is_calibrated_where_it_lies(model, data):
    before = checkpoints.load(model)
    result = run(model, data, "--device", "cpu")
    assert "calibrated on 24 images" in result.stdout
    assert "temperature" in result.stdout
    assert "unfamiliar below a familiarity of 0.02" in result.stdout
    assert f"the calibrated model is in {model}" in result.stderr
    assert "without --split all images are taken" in result.stderr
    after = checkpoints.load(model)
    assert after.header.calibration.data == data.name
    assert after.sha256 != before.sha256
    assert load_predictor(after, runtime="pytorch").is_calibrated


def test_a_recall_is_reached_and_info_tells_it(model, data, tmp_path):
    target = tmp_path / "new" / "calibrated.safetensors"
    words = ("--target-recall", 0.9, "--save", target, "--device", "cpu", "--json")
    result = run(model, data, *words, "--output", tmp_path / "out")
    report = json.loads(result.stdout, parse_constant=pytest.fail)
    assert all(point["underkill"] <= 0.1 for point in report["operating_points"])
    assert checkpoints.load(model).header.calibration is None
    said = call(info, target).stdout
    for line in (
        f"calibrated on 24 images of {data.name}",
        "thresholds were chosen for a recall of 0.9",
        "images of familiarity below 0.02 are called unfamiliar",
        f"temperature: {report['calibration']['metrics']['temperature']:.4g}",
    ):
        assert line in said
    header = json.loads(call(info, target, "--json").stdout)
    assert header["calibration"] == report["calibration"]
    names = {"calibration.json", "thresholds.csv", "reliability.png", "thresholds.png"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert json.loads((tmp_path / "out/calibration.json").read_text()) == report
    with (tmp_path / "out/thresholds.csv").open(newline="") as file:
        assert {row["name"] for row in csv.DictReader(file)} == {"pit", "scratch"}


def test_a_model_that_is_calibrated_for_flips_says_so_and_uses_them(model, data):
    words = ("--flips", "vertical", "--no-familiarity", "--device", "cpu")
    assert "calibrated on 24 images, with flips vertical" in run(model, data, *words).stdout
    assert "least areas (5, 9), with flips vertical" in call(info, model).stdout
    assert load_predictor(model, runtime="pytorch").flips == "vertical"
    report = json.loads(run(model, data, *words[2:], "--json").stdout)
    assert report["flips"] == "vertical"


def test_a_run_folder_is_calibrated_on_its_split(model, data, split, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    model.rename(folder / "model.safetensors")
    result = run(folder, data, "--split", split, "--device", "cpu", "--json")
    report = json.loads(result.stdout)
    record = report["calibration"]
    assert (record["images"], record["split"]) == (8, "validation")
    assert record["metrics"]["familiar_images"] == 16
    assert checkpoints.load(folder).header.calibration.images == 8
    assert "without --split" not in result.stderr


def test_on_the_training_part_familiarity_is_learned_from_itself(model, data, split):
    words = ("--split", split, "--part", "train", "--json", "--device", "cpu")
    result = run(model, data, *words)
    record = json.loads(result.stdout)["calibration"]
    assert (record["images"], record["metrics"]["familiar_images"]) == (16, 16)
    assert "'train' is taken: the model must not have learned from it" in result.stderr


def test_costs_choose_too_and_familiarity_can_be_left_out(model, data):
    words = ("--false-reject-cost", 1, "--false-accept-cost", 5, "--no-familiarity")
    result = run(model, data, *words, "--device", "cpu")
    titles = ["decision", "threshold", "good", "overkill", "95 %", "defective", "underkill"]
    assert all(title in result.stdout for title in titles)
    assert "unfamiliar" not in result.stdout
    header = checkpoints.load(model).header
    assert header.thresholds.familiarity == 0
    assert header.calibration.aim.startswith("the least cost, 1 per false reject and 5 per")


def test_an_unreadable_image_is_named_and_the_model_saved_all_the_same(model, data, tmp_path):
    folder = tmp_path / "some"
    for path in sorted(data.rglob("*.*")):
        (folder / path.relative_to(data)).parent.mkdir(parents=True, exist_ok=True)
        (folder / path.relative_to(data)).write_bytes(path.read_bytes())
    cut = folder / "images" / "4.png"
    cut.write_bytes(cut.read_bytes()[:200])
    result = run(model, folder, "--device", "cpu", "--json", exit_status=3)
    assert "4.png" in result.stderr
    report = json.loads(result.stdout)
    assert report["calibration"]["images"] == 23
    assert [row["image"] for row in report["unreadable"]] == ["images/4.png"]
    assert checkpoints.load(model).header.calibration.images == 23


def test_classes_without_images_keep_their_threshold_and_are_named(model, data, tmp_path):
    (tmp_path / "split.csv").write_text(
        "image,split\n"
        + "".join(f"images/{number}.png,test\n" for number in range(24) if number % 3 < 2)
    )
    words = ("--split", tmp_path / "split.csv", "--part", "test", "--target-recall", 0.9)
    result = run(model, data, *words, "--device", "cpu")
    assert "the threshold of scratch was not chosen: no image shows it" in result.stderr
    assert "the threshold of pit was not chosen" not in result.stderr


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--familiar-share", 98),
            "sdd-calibrate: the share of familiar images to keep must be above 0.5 and below 1, "
            "such as 0.98, got 98",
        ),
        (
            ("--target-recall", 95),
            "sdd-calibrate: target recall must be above 0 and at most 1, such as 0.95, got 95",
        ),
        (("--false-reject-cost", 3), "each need their cost: give both"),
        (
            ("--target-recall", 0.9, "--false-reject-cost", 1, "--false-accept-cost", 1),
            "give a target recall or two costs, one of the two",
        ),
        (("--split", "nowhere.csv"), "'nowhere.csv' is no split.csv: there is no such file"),
        (("--layout", "nonsense"), "nonsense"),
        (("--device", "cuda:77"), "cuda"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_a_wrong_value_is_one_line(model, data, words, message):
    before = model.read_bytes()
    refused(message, model, data, *words)
    assert model.read_bytes() == before


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--fold", 1), "--fold needs --split"),
        (("--part", "test"), "--part needs --split"),
        (
            ("--no-familiarity", "--familiar-share", 0.9),
            "--familiar-share and --no-familiarity exclude each other",
        ),
        (("--target-recall", "much"), "'much' is not a valid float"),
    ],
)
def test_wrong_usage_has_status_2(model, data, words, message):
    refused(message, model, data, *words, exit_status=2)


@pytest.mark.usefixtures("untouched")
def test_model_and_data_that_changed_places_are_noticed(model, data):
    refused("is a model", data, model, exit_status=2)
    assert "MODEL comes first, then DATA" in run(data, model, exit_status=2).stderr
    refused("MODEL comes first, then DATA", data, "strip", exit_status=2)
    refused("it is a folder without model.safetensors", data, data)


@pytest.mark.usefixtures("untouched")
def test_a_built_in_model_needs_a_file_to_go_to(data):
    refused(
        "'strip' comes with the package and stays as it is: name a file with --save", "strip", data
    )


@pytest.mark.usefixtures("untouched")
def test_a_place_that_cannot_be_written_is_noticed_before_the_work(model, data, tmp_path):
    (tmp_path / "file").write_text("x")
    place = tmp_path / "file" / "new.safetensors"
    refused("new.safetensors cannot be written", model, data, "--save", place)
    refused("out cannot be written", model, data, "--output", tmp_path / "file/out")
    refused("is a directory", model, data, "--save", tmp_path, exit_status=2)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("name", ["", "segmenter.onnx"], ids=["folder", "file"])
def test_an_export_is_no_model_to_calibrate(data, tmp_path, name):
    folder = tmp_path / "export"
    folder.mkdir()
    # Of what kind it is stands in the file's name.
    (folder / "segmenter.onnx").write_bytes(b"a network")
    message = "is an export, which keeps the numbers it was made with: calibrate its checkpoint"
    refused(message, folder / name, data)


@pytest.mark.usefixtures("untouched")
def test_data_that_cannot_be_used_are_told(model, data, tmp_path):
    (tmp_path / "empty").mkdir()
    refused("empty", model, tmp_path / "empty")
    refused("nowhere", model, tmp_path / "nowhere")
    every = split_of(tmp_path / "all.csv", 24)
    refused("the split has no part 'validation'; it has train", model, data, "--split", every)
    for name in ("a", "b"):
        images.write(tmp_path / "classes" / name / "1.png", np.zeros((32, 64, 1), np.uint8))
    refused("the data have the classes a, b, but the model knows pit", model, tmp_path / "classes")


@pytest.mark.usefixtures("untouched")
def test_an_aim_without_clean_images_is_refused_before_the_work(data, tmp_path):
    model = saved(tmp_path / "gate.safetensors", "with good")
    for number, sample in enumerate(toys.truth_for("with good")):
        if not sample.labels[0]:
            name = "pit" if sample.labels[1] else "scratch"
            images.write(tmp_path / "data" / name / f"{number}.png", sample.image)
    message = "the data have the classes pit, scratch, but the model knows good, pit, scratch"
    refused(message, model, tmp_path / "data", "--target-recall", 0.9)
    images.write(tmp_path / "data" / "good" / "0.png", toys.strips(1)[0].image)
    rows = [
        f"{path.parent.name}/{path.name},{'train' if path.parent.name == 'good' else 'validation'}"
        for path in sorted((tmp_path / "data").rglob("*.png"))
    ]
    (tmp_path / "split.csv").write_text("\n".join(["image,split", *rows]) + "\n")
    message = "that takes images with and without a defect, but all 16 images show one"
    words = (model, tmp_path / "data", "--split", tmp_path / "split.csv")
    refused(message, *words, "--target-recall", 0.9)


def test_a_model_that_only_names_classes_has_no_table_of_thresholds(tmp_path):
    model = saved(tmp_path / "model.safetensors", "exclusive")
    for number, sample in enumerate(toys.without_clean(toys.strips())):
        name = "pit" if sample.labels[0] else "scratch"
        images.write(tmp_path / "data" / name / f"{number}.png", sample.image)
    result = run(model, tmp_path / "data", "--device", "cpu")
    assert "calibration error the class named after" in result.stdout
    assert "overkill" not in result.stdout


def test_a_model_of_one_class_is_calibrated(tmp_path, data):
    config = toys.KINDS["segmenter"][0].model_copy(update={"classes": ("pit",)})
    graph = toys.GraphConfig(network=config, preprocessing=toys.GREY)
    header = checkpoints.Header(
        architecture="segmenter",
        graphs={"segmenter": graph},
        classes=("pit",),
        thresholds=checkpoints.Thresholds.default(1),
    )
    checkpoints.save(tmp_path / "one.safetensors", header, toys.tensors(graph))
    for path in sorted(data.rglob("*.png")):
        picture = images.read(path)
        if path.parent.name == "masks":
            picture = np.minimum(picture, 1)
        images.write(tmp_path / "one" / path.relative_to(data), picture)
    (tmp_path / "one" / "classes.txt").write_text("pit\n")
    words = ("--target-recall", 0.5, "--device", "cpu", "--output", tmp_path / "out")
    result = run(tmp_path / "one.safetensors", tmp_path / "one", *words)
    assert "pit" in result.stdout
    assert "temperature" not in result.stdout
    # A segmenter says nothing of the whole image, so there is nothing to be reliable.
    assert not (tmp_path / "out/reliability.png").exists()
