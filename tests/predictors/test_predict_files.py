import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection import images, predict_files, results
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import ConfigError, ImageError, ResultsError
from steel_defect_detection.predictors.origin import Asked, Model, Options, Origin
from steel_defect_detection.predictors.segmenter import SegmenterPredictor
from tests.predictors.conftest import FixedRuntime


@pytest.fixture
def predictor():
    """Outlines the left half of every image."""
    probabilities = np.zeros((2, 32, 40), dtype=np.float32)
    probabilities[1, :, :20] = 0.9
    runtime = FixedRuntime(probabilities=probabilities)
    return SegmenterPredictor(("pit", "scratch"), Thresholds.default(2), segmenter=runtime)


@pytest.fixture
def paths(tmp_path):
    """Three strips, the second of which is no image."""
    found = [tmp_path / "strips" / f"{name}.png" for name in "abc"]
    for path in found:
        images.write(path, np.full((32, 40, 3), 90, dtype=np.uint8))
    found[1].write_bytes(b"no image")
    return found


def test_files_become_masks_overlays_and_tables(predictor, paths, tmp_path, capsys):
    output = tmp_path / "results"
    assert predict_files(predictor, paths, output) == {
        "images": 3,
        "defect": 2,
        "clean": 0,
        "unfamiliar": 0,
        "error": 1,
    }
    table = results.read_images(output)
    assert table.file.tolist() == [str(path) for path in paths]
    assert table.area_scratch.tolist()[::2] == [640, 640]
    assert (images.read(output / "masks/a.png")[:, :20] == 2).all()
    assert (output / "overlays/c.png").is_file()
    # A library prints nothing.
    assert capsys.readouterr() == ("", "")


def test_what_went_wrong_is_said_to_the_logger(predictor, paths, tmp_path, caplog):
    caplog.set_level(logging.INFO, "steel_defect_detection")
    predict_files(predictor, [str(path) for path in paths], tmp_path / "results")
    (record,) = caplog.records
    assert "b.png is not an image" in record.getMessage()


def test_without_overlays_none_are_drawn(predictor, paths, tmp_path):
    predict_files(predictor, paths, tmp_path / "results", overlays=False)
    assert not (tmp_path / "results/overlays").exists()


def test_a_run_that_was_stopped_goes_on(predictor, paths, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "steel_defect_detection")
    output = tmp_path / "results"
    add = results.ResultsWriter.add

    def interrupt(writer, prediction):
        add(writer, prediction)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(results.ResultsWriter, "add", interrupt)
        with pytest.raises(KeyboardInterrupt):
            predict_files(predictor, paths, output)
    assert f"1 of 3 images are done, and their results in {output} complete" in caplog.text
    before = (output / "masks/a.png").stat().st_mtime_ns
    counts = predict_files(predictor, paths, output, resume=True)
    assert counts == {"images": 3, "defect": 2, "clean": 0, "unfamiliar": 0, "error": 1}
    assert (output / "masks/a.png").stat().st_mtime_ns == before


def test_other_overlays_are_not_resumed(predictor, paths, tmp_path):
    predict_files(predictor, paths, tmp_path / "results", overlays=False)
    with pytest.raises(ResultsError, match="other outlines, overlays or probabilities"):
        predict_files(predictor, paths, tmp_path / "results", resume=True)


def test_the_record_tells_the_caller_s_words_beside_ours(predictor, paths, tmp_path):
    predict_files(predictor, paths, tmp_path / "results", record={"line": 3})
    found = json.loads((tmp_path / "results/run.json").read_text())
    assert found["line"] == 3
    assert found["counts"] == {"images": 3, "asked": 3, "defect": 2, "error": 1}
    assert found["runtimes"] == {"segmenter": "fixed"}
    assert found["thresholds"] == predictor.thresholds.model_dump(mode="json")


def test_the_record_tells_what_a_loaded_predictor_was_made_of(paths, tmp_path):
    from steel_defect_detection import checkpoints, load_predictor

    predictor = load_predictor(runtime="pytorch", fill_holes=True, device="cpu")
    predict_files(predictor, paths[:1], tmp_path / "results")
    found = json.loads((tmp_path / "results/run.json").read_text())
    assert found["model"] == {
        "name": "strip",
        "gate": None,
        "sha256": checkpoints.load("strip").sha256,
        "architecture": "cascade",
    }
    assert found["asked"] == {"runtime": "pytorch", "precision": "auto", "device": "cpu"}
    assert found["options"] == {
        "overlays": True,
        "fill_holes": True,
        "probabilities": False,
        "on_unfamiliar": "unfamiliar",
        "flips": "none",
    }


def test_one_path_is_no_list_of_paths(predictor, tmp_path):
    with pytest.raises(ImageError, match="expected many paths, got one: 'strips'"):
        predict_files(predictor, "strips", tmp_path)


class Grey(SegmenterPredictor):
    """Finds a strip the more familiar the brighter it is."""

    def judge(self, image, source):
        return replace(super().judge(image, source), familiarity=image.max() / 255)


@pytest.fixture
def doubting(predictor):
    """A calibrated predictor that knows strips from a brightness of 51 on."""
    limits = predictor.thresholds.model_copy(update={"familiarity": 0.2})
    found = Grey(predictor.classes, limits, segmenter=predictor.networks["segmenter"])
    origin = Origin(
        model=Model(name="grey", gate=None, sha256="0", architecture="segmenter"),
        asked=Asked(runtime="auto", precision="auto", device="auto"),
        options=Options(fill_holes=False, probabilities=False),
    )

    def make(choice: str) -> Grey:
        found.on_unfamiliar = choice
        found.origin = replace(origin, options=replace(origin.options, on_unfamiliar=choice))
        return found

    return make


@pytest.fixture
def grey(tmp_path):
    """A strip that is known, and two that are not."""
    found = [tmp_path / "grey" / f"{name}.png" for name in ("known", "dark", "darker")]
    for path, value in zip(found, (102, 50, 0), strict=True):
        images.write(path, np.full((32, 40, 3), value, dtype=np.uint8))
    return found


@pytest.mark.parametrize(
    ("choice", "areas", "rows"),
    [
        ("unfamiliar", [640, 640, 640], 3),
        ("defect", [640, 640, 640], 3),
        ("clean", [640, 0, 0], 1),
        ("error", [640, -1, -1], 1),
    ],
)
def test_strangers_are_counted_and_listed_as_they_are_called(
    doubting, grey, tmp_path, choice, areas, rows
):
    output = tmp_path / "results"
    counts = predict_files(doubting(choice), grey, output)
    expected = {"images": 3, "defect": 1, "clean": 0, "unfamiliar": 0, "error": 0}
    expected[choice] += 2
    assert counts == expected
    table = results.read_images(output)
    assert table.verdict.tolist() == ["defect", choice, choice]
    assert table.familiarity.tolist() == pytest.approx([0.4, 50 / 255, 0], rel=1e-5)
    assert table.area_scratch.fillna(-1).tolist() == areas
    assert len(results.read_predictions(output)) == rows
    masks = sorted(path.stem for path in (output / "masks").iterdir())
    assert masks == (["known"] if choice == "error" else ["dark", "darker", "known"])
    if choice != "error":
        assert images.read(output / "masks/dark.png").any() == (choice != "clean")
    record = json.loads((output / "run.json").read_text())
    assert record["options"]["on_unfamiliar"] == choice
    assert record["thresholds"]["familiarity"] == 0.2
    assert record["counts"][choice] == (3 if choice == "defect" else 2)


def test_strangers_that_are_errors_are_said_to_the_logger_one_by_one(
    doubting, grey, tmp_path, caplog
):
    caplog.set_level(logging.INFO, "steel_defect_detection")
    predict_files(doubting("error"), grey, tmp_path / "results")
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: the image is unlike those that the model knows (familiarity {says}, least is 0.2)"
        for path, says in zip(grey[1:], ("0.196", "0"), strict=True)
    ]


def test_strangers_that_are_called_something_else_are_not_resumed(doubting, grey, tmp_path):
    predict_files(doubting("unfamiliar"), grey, tmp_path / "results")
    with pytest.raises(ResultsError, match="or another --on-unfamiliar"):
        predict_files(doubting("clean"), grey, tmp_path / "results", resume=True)
    counts = predict_files(doubting("unfamiliar"), grey, tmp_path / "results", resume=True)
    assert (counts["defect"], counts["unfamiliar"]) == (1, 2)


def test_two_runs_do_not_write_into_one_folder_at_the_same_time(predictor, paths, tmp_path):
    output = tmp_path / "results"
    second = []

    class Meanwhile(SegmenterPredictor):
        """Begins another run when it sees its first image."""

        def judge(self, image, source):
            if not second:
                with pytest.raises(ResultsError, match=r"another run is writing into .*results"):
                    predict_files(predictor, paths[2:], output)
                second.append(source)
            return super().judge(image, source)

    first = Meanwhile(
        predictor.classes, predictor.thresholds, segmenter=next(iter(predictor.networks.values()))
    )
    first.origin = predictor.origin
    assert predict_files(first, paths, output)["images"] == 3
    assert second
    assert len(results.read_images(output)) == 3
    assert predict_files(predictor, paths[2:], output)["images"] == 1


class TestRemarkOnSizes:
    def said(self, predictor, paths, output, caplog):
        caplog.set_level(logging.INFO, "steel_defect_detection")
        predict_files(predictor, paths, output)
        return [text for text in caplog.messages if "was made for images of about" in text]

    def test_images_far_from_those_of_the_training_are_remarked_upon(
        self, predictor, paths, tmp_path, caplog
    ):
        predictor.image_size = (32, 400)
        (said,) = self.said(predictor, paths, tmp_path / "results", caplog)
        assert "about 400 x 32 pixels, and 2 of 2 looked at are of quite another size" in said
        assert f"such as {paths[0]} of 40 x 32" in said

    @pytest.mark.parametrize("size", [None, (32, 40), (64, 80), (16, 20)])
    def test_others_are_not(self, predictor, paths, tmp_path, caplog, size):
        predictor.image_size = size
        assert self.said(predictor, paths, tmp_path / "results", caplog) == []

    def test_a_few_among_many_are_not(self, predictor, paths, tmp_path, caplog):
        predictor.image_size = (32, 40)
        images.write(tmp_path / "small.png", np.full((32, 12, 3), 90, dtype=np.uint8))
        cut = (tmp_path / "small.png").read_bytes()[:-20]
        (tmp_path / "small.png").write_bytes(cut)
        paths = [paths[0], paths[2], tmp_path / "small.png"]
        assert self.said(predictor, paths, tmp_path / "results", caplog) == []


def test_of_many_errors_the_first_are_said_and_the_rest_are_counted(predictor, tmp_path, caplog):
    caplog.set_level(logging.INFO, "steel_defect_detection")
    paths = [tmp_path / f"{number:02d}.png" for number in range(25)]
    for path in paths:
        path.write_bytes(b"no image")
    predict_files(predictor, paths, tmp_path / "results")
    assert len(caplog.messages) == 21
    assert caplog.messages[-1] == "and 5 more images that could not be judged: images.csv says why"
    assert results.read_images(tmp_path / "results").error.notna().sum() == 25


@pytest.mark.parametrize("wrong", ["strip", None])
def test_what_is_no_predictor_is_refused(wrong, tmp_path):
    with pytest.raises(ConfigError, match=r"expected a predictor, got .*: load_pre"):
        predict_files(wrong, [], tmp_path)


def test_no_paths_at_all_are_refused(predictor, tmp_path):
    with pytest.raises(ImageError, match="expected many paths, got None"):
        predict_files(predictor, None, tmp_path)


def test_a_disk_that_is_full_says_how_far_the_run_came(
    predictor, paths, tmp_path, monkeypatch, caplog
):
    caplog.set_level(logging.INFO, "steel_defect_detection")
    add = results.ResultsWriter.add

    def fill_up(writer, prediction):
        add(writer, prediction)
        raise ResultsError("No space left")

    monkeypatch.setattr(results.ResultsWriter, "add", fill_up)
    with pytest.raises(ResultsError, match="No space left"):
        predict_files(predictor, paths, tmp_path / "results")
    assert "1 of 3 images are done, and their results in" in caplog.text
    assert "complete: resume goes on" in caplog.text
