import csv
import json
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from steel_defect_detection import checkpoints, images, results, rle
from steel_defect_detection.checkpoints import Header, Thresholds
from steel_defect_detection.cli.predict import main
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from tests.conftest import CLASSES
from tests.export import toys


@pytest.fixture(scope="module")
def model(tmp_path_factory, segmenter_config):
    """A segmenter with random weights that outlines something almost everywhere."""
    path = tmp_path_factory.mktemp("model") / "segmenter.safetensors"
    header = Header(
        architecture="segmenter",
        graphs={"segmenter": segmenter_config},
        classes=CLASSES,
        thresholds=Thresholds.default(4),
    )
    checkpoints.save(path, header, weights.arrays(graphs.build(segmenter_config)))
    return path


@pytest.fixture
def run(tmp_path, monkeypatch, model):
    """Call the command in an empty folder with that model."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, exit_status: int = 0):
        # PyTorch: converting would take longer than all else.
        fixed = ["--model", str(model), "--runtime", "pytorch"]
        result = CliRunner().invoke(main, [*fixed, *map(str, arguments)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_status, result.stderr
        return result

    return call


@pytest.fixture
def strips(tmp_path):
    """A folder of three strips of different size."""
    random = np.random.default_rng(0)
    for number, shape in enumerate([(64, 96), (40, 70), (33, 100)]):
        image = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
        images.write(tmp_path / "strips" / f"strip-{number}.png", image)
    return tmp_path / "strips"


def huge_png(side: int) -> bytes:
    """Header and first rows of a picture of ``side`` x ``side`` grey pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    size = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(10 * (side + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_every_image_gets_a_mask_of_its_size_and_runs_that_decode_to_it(run, strips, tmp_path):
    result = run(strips, "--threshold", "0.4")
    assert result.stdout == "3 images: 3 with defects. Results are in outputs\n"
    found = results.read_predictions("outputs")
    for path in sorted(strips.iterdir()):
        mask = images.read(tmp_path / "outputs/masks" / path.name)[..., 0]
        assert mask.shape == images.read(path).shape[:2]
        decoded = np.zeros_like(mask)
        for _, row in found[found.ImageId == path.name].iterrows():
            decoded[rle.decode(row.EncodedPixels, mask.shape)] = row.ClassId
        assert (decoded == mask).all()
        assert (tmp_path / "outputs/overlays" / path.name).exists()


@pytest.mark.thorough
def test_without_a_word_the_built_in_model_judges_the_samples(tmp_path):
    result = CliRunner().invoke(main, ["--output", str(tmp_path)])
    assert result.exit_code == 0
    assert "no images named, so the built-in sample strips are judged" in result.stderr
    verdicts = results.read_images(tmp_path).verdict
    assert len(verdicts) == 6
    assert set(verdicts) <= {"clean", "defect"}


def bad_inputs() -> list:
    png = huge_png(40_000)
    return [
        pytest.param("damaged.png", png[:20], "damaged.png", id="damaged"),
        pytest.param("text.jpg", b"I am a text file.\n", "text.jpg", id="text"),
        pytest.param("empty.png", b"", "empty.png", id="empty"),
        pytest.param(
            "huge.png", png, "more than the most of 100,000,000 pixels", id="40,000 x 40,000"
        ),
    ]


@pytest.mark.parametrize(("name", "content", "said"), bad_inputs())
def test_a_bad_file_is_one_line_and_the_rest_goes_on(run, strips, name, content, said):
    (strips / name).write_bytes(content)
    result = run(strips, exit_status=3)
    assert [line for line in result.stderr.splitlines() if said in line] == [result.stderr.strip()]
    assert result.stderr.startswith("sdd-predict: ")
    rows = results.read_images("outputs").set_index("file")
    assert rows.loc[f"{strips / name}", "verdict"] == "error"
    assert (rows.verdict != "error").sum() == 3


def test_a_picture_of_one_pixel_is_one_line(run, tmp_path):
    images.write(tmp_path / "dot.png", np.zeros((1, 1), dtype=np.uint8))
    result = run(tmp_path / "dot.png", exit_status=3)
    assert result.stderr.count("\n") == 1
    assert "dot.png" in result.stderr
    assert result.stdout == "1 image: 1 could not be judged. Results are in outputs\n"


def test_an_empty_folder_is_one_line_and_status_1(run, tmp_path):
    (tmp_path / "nothing").mkdir()
    result = run(tmp_path / "nothing", exit_status=1)
    assert result.stderr.startswith("sdd-predict: ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.png"], "missing.png"),
        (["--threshold", "rust=0.5", "strips"], "the model has no class 'rust'"),
        (["--device", "toaster", "strips"], "device must be"),
        (["--gate", "strips", "strips"], "no model 'strips'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_1(run, strips, arguments, said):
    result = run(*arguments, exit_status=1)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--threshold", "much"],
        ["--threshold", "7"],
        ["--gate-threshold", "nan"],
        ["--min-area", "1.5"],
        ["--treshold", "1"],
        ["--threshold", "1", "--threshold", "x=1"],
        ["--threshold", "x=1", "--threshold", "x=2"],
    ],
)
def test_wrong_usage_has_status_2(run, strips, arguments):
    run(strips, *arguments, exit_status=2)


def test_verbose_shows_where_an_error_came_from(run):
    assert "Traceback" in run("missing.png", "-v", exit_status=1).stderr


def test_inputs_of_one_stem_do_not_overwrite_each_other(run, strips, tmp_path):
    image = images.read(strips / "strip-0.png")
    images.write(tmp_path / "more/strip-0.png", image[:32])
    images.write(tmp_path / "more/strip-0.jpg", image[:48])
    run(strips / "strip-0.png", tmp_path / "more")
    rows = results.read_images("outputs")
    heights = [images.read(tmp_path / "outputs" / mask).shape[0] for mask in rows["mask"]]
    assert heights == [64, 48, 32]


def test_results_are_not_taken_for_images(run, strips):
    run(strips, "--output", strips / "outputs")
    result = run(strips, "--output", strips / "outputs")
    assert result.stdout.startswith("3 images")


def test_nothing_is_deleted_and_overlays_can_be_left_out(run, strips, tmp_path):
    run(strips / "strip-0.png")
    run(strips / "strip-1.png", "--no-overlays")
    masks = {path.name for path in (tmp_path / "outputs/masks").iterdir()}
    overlays = {path.name for path in (tmp_path / "outputs/overlays").iterdir()}
    assert masks == {"strip-0.png", "strip-1.png"}
    assert overlays == {"strip-0.png"}


def test_json_and_run_json_tell_the_counts_and_the_model(run, strips, tmp_path, model):
    result = run(strips, "--json", "--probabilities")
    assert json.loads(result.stdout)["images"] == 3
    content = json.loads((tmp_path / "outputs/run.json").read_text())
    assert content["model"]["sha256"] == checkpoints.load(model).sha256
    assert content["counts"]["images"] == 3
    assert content["thresholds"]["pixels"] == [0.5] * 4
    assert len(list((tmp_path / "outputs/probabilities").iterdir())) == 3


def test_ctrl_c_keeps_what_is_complete_and_has_status_130(run, strips, monkeypatch):
    add = results.ResultsWriter.add

    def interrupt(writer, prediction):
        add(writer, prediction)
        raise KeyboardInterrupt

    monkeypatch.setattr(results.ResultsWriter, "add", interrupt)
    result = run(strips, exit_status=130)
    assert "interrupted" in result.stderr
    with open("outputs/images.csv", newline="") as file:  # noqa: PTH123
        assert len(list(csv.reader(file))) == 2


def test_file_names_of_any_language_work(run, tmp_path):
    images.write(tmp_path / "прокат/рулон 7 ü.png", np.zeros((32, 32), dtype=np.uint8))
    run(tmp_path / "прокат")
    assert (tmp_path / "outputs/masks/рулон 7 ü.png").exists()


@pytest.mark.real_data
def test_real_strips_get_masks_whose_runs_decode_to_the_same_pixels(real_data, tmp_path):
    folder = real_data / "severstal" / "train_images"
    outcome = CliRunner().invoke(main, [str(folder), "--output", str(tmp_path)])
    assert outcome.exit_code == 0
    found = results.read_predictions(tmp_path)
    masks = sorted((tmp_path / "masks").iterdir())
    assert len(masks) == 26
    for row in results.read_images(tmp_path).itertuples():
        mask = images.read(tmp_path / row.mask)[..., 0]
        assert mask.shape == (256, 1600)
        decoded = np.zeros_like(mask)
        name = row.file.rsplit("/", 1)[-1]
        for runs in found[found.ImageId == name].itertuples():
            decoded[rle.decode(runs.EncodedPixels, mask.shape)] = runs.ClassId
        assert (decoded == mask).all()


@pytest.mark.thorough
@pytest.mark.parametrize(
    "stop", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)], ids=str
)
def test_a_run_that_is_stopped_says_how_to_go_on_and_does(run, model, tmp_path, strips, stop):
    for number in range(150):
        shutil.copy(strips / "strip-0.png", strips / f"more-{number}.png")
    program = "from steel_defect_detection.cli.predict import main; main()"
    command = [sys.executable, "-c", program, str(strips), "--model", str(model)]
    command += ["--runtime", "pytorch", "--no-overlays"]
    running = subprocess.Popen(
        [*command, "--output", str(tmp_path / "half")],
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background may have told all its children not to listen.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    masks = tmp_path / "half" / "masks"
    while running.poll() is None and (not masks.is_dir() or len(list(masks.iterdir())) < 20):
        time.sleep(0.02)
    # Twice, as programs that stop others often do.
    running.send_signal(stop)
    running.send_signal(stop)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130, said
    assert "of 153 images are done" in said
    assert "--resume goes on" in said
    finished = len(results.read_images(tmp_path / "half"))
    assert 0 < finished < 153
    run(strips, "--no-overlays", "--output", tmp_path / "half", "--resume")
    run(strips, "--no-overlays", "--output", tmp_path / "whole")
    half, whole = ((tmp_path / name / "predictions.csv").read_bytes() for name in ("half", "whole"))
    assert half == whole
    assert len(results.read_images(tmp_path / "half")) == 153


def test_results_of_other_thresholds_are_not_resumed(run, strips):
    run(strips, "--no-overlays")
    result = run(strips, "--no-overlays", "--resume", "--threshold", "0.7", exit_status=1)
    assert "it holds results of other thresholds" in result.stderr


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A calibrated classifier."""
    path = tmp_path_factory.mktemp("model") / "classifier.safetensors"
    return toys.save_calibrated(path, "classifier", toys.GATE)


@pytest.fixture
def strange(tmp_path):
    """Four strips that the calibrated classifier knows, and two images that it does not."""
    folder = toys.strips(tmp_path / "strange")
    # Some noise, as any photograph has.
    noise = np.random.default_rng(0).integers(0, 12, toys.STRANGER.shape, dtype=np.uint8)
    for name in ("x", "y"):
        images.write(folder / f"{name}.png", toys.STRANGER - noise)
    return folder


def test_images_that_the_model_does_not_know_are_counted_apart(run, calibrated, strange):
    result = run(strange, "--model", calibrated)
    assert ", 2 unfamiliar. Results are in outputs\n" in result.stdout
    assert result.stderr == ""
    rows = results.read_images("outputs")
    assert rows.verdict.tolist()[-2:] == ["unfamiliar"] * 2
    assert "unfamiliar" not in rows.verdict.tolist()[:4]
    assert (rows.familiarity < toys.LIMITS.familiarity).tolist() == [False] * 4 + [True] * 2
    assert ((rows.certainty > 0) & (rows.certainty < 1)).all()


@pytest.mark.parametrize("choice", ["defect", "clean"])
def test_images_that_the_model_does_not_know_can_be_called_something_else(
    run, calibrated, strange, choice
):
    run(strange, "--model", calibrated, "--on-unfamiliar", choice)
    assert results.read_images("outputs").verdict.tolist()[-2:] == [choice] * 2
    assert json.loads(Path("outputs/run.json").read_text())["options"]["on_unfamiliar"] == choice


def test_images_that_the_model_does_not_know_can_be_errors(run, calibrated, strange):
    result = run(strange, "--model", calibrated, "--on-unfamiliar", "error", exit_status=3)
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    for line, name in zip(lines, "xy", strict=True):
        assert line.startswith(f"sdd-predict: {strange / name}.png: the image is unlike those that")
    assert "2 could not be judged" in result.stdout


def test_how_familiar_an_image_must_be_can_be_chosen(run, calibrated, strange):
    for least, count in ((0, 0), (1, 6)):
        result = run(strange, "--model", calibrated, "--json", "--least-familiarity", least)
        assert json.loads(result.stdout)["unfamiliar"] == count
    assert json.loads(Path("outputs/run.json").read_text())["thresholds"]["familiarity"] == 1


def test_another_word_for_strangers_is_not_resumed(run, calibrated, strange):
    run(strange, "--model", calibrated)
    result = run(
        *(strange, "--model", calibrated, "--resume", "--on-unfamiliar", "clean"), exit_status=1
    )
    assert "or another --on-unfamiliar" in result.stderr


def test_flips_are_recorded_and_others_are_not_resumed(run, calibrated, strange):
    words = [strange, "--model", calibrated, "--runtime", "pytorch", "--device", "cpu"]
    result = run(*words, "--flips", "both")
    assert result.stderr == (
        "sdd-predict: the model was calibrated for flips 'none' and is used with 'both'. "
        "sdd-calibrate --flips both does that anew\n"
    )
    assert json.loads(Path("outputs/run.json").read_text())["options"]["flips"] == "both"
    turned = results.read_images("outputs").certainty
    assert "or --flips" in run(*words, "--resume", exit_status=1).stderr
    assert run(*words).stderr == ""
    assert json.loads(Path("outputs/run.json").read_text())["options"]["flips"] == "none"
    assert not np.allclose(results.read_images("outputs").certainty, turned, atol=1e-6)


def test_without_a_gate_nothing_names_what_may_be_outlined(run, strips):
    result = run(strips, "--only-named", exit_status=1)
    assert result.stderr == (
        "sdd-predict: the model is a segmenter without a gate, so no gate names what it may "
        "outline. Give it one with --gate, or leave --only-named out\n"
    )


def test_what_the_gate_does_not_name_is_not_outlined(run, strips, tmp_path, gate_config):
    header = Header(
        architecture="classifier",
        graphs={"classifier": gate_config},
        classes=CLASSES,
        # With random weights no class is likely, and every image fires.
        thresholds=Thresholds.default(4).model_copy(update={"gate": 0.0, "classes": (1.0,) * 4}),
    )
    gate = tmp_path / "gate.safetensors"
    checkpoints.save(gate, header, weights.arrays(graphs.build(gate_config)))
    run(strips, "--gate", gate)
    assert set(results.read_images("outputs").verdict) == {"defect"}
    run(strips, "--gate", gate, "--only-named", "--output", "named")
    assert set(results.read_images("named").verdict) == {"clean"}
    assert json.loads(Path("named/run.json").read_text())["thresholds"]["only_named"]


def test_a_model_that_was_not_calibrated_has_no_least_familiarity(run, strips):
    result = run(strips, "--least-familiarity", "0.5", exit_status=1)
    assert result.stderr == (
        "sdd-predict: the model does not know what is familiar, so it has no least familiarity. "
        "Calibrate it with sdd-calibrate, and without --no-familiarity\n"
    )
    assert run(strips, "--least-familiarity", "0").stdout.startswith("3 images")


def test_strangers_are_called_one_of_four_words(run, strips):
    assert (
        "'strange' is not one of" in run(strips, "--on-unfamiliar", "strange", exit_status=2).stderr
    )


def test_what_is_no_image_replaces_no_results(run, strips, tmp_path):
    run(strips)
    before = (tmp_path / "outputs/images.csv").read_bytes()
    (tmp_path / "table.csv").write_text("ImageId\n")
    result = run("table.csv", exit_status=1)
    assert "table.csv is not an image" in result.stderr
    assert "the results in outputs stay as they are" in result.stderr
    assert (tmp_path / "outputs/images.csv").read_bytes() == before
    run("table.csv", "--output", "new", exit_status=3)
