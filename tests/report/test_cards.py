from dataclasses import replace

from steel_defect_detection import checkpoints
from steel_defect_detection.report import cards, judged
from steel_defect_detection.report.blocks import Facts, Note, Table
from tests.report import folders_of
from tests.report.folders_of import RUN, prediction


def facts(part):
    return {
        name: text
        for block in part.blocks
        if isinstance(block, Facts)
        for name, text in block.items.items()
    }


def test_a_card_says_what_a_model_is(tmp_path):
    path = folders_of.model(tmp_path / "mine.safetensors", limits="few\nstrips")
    part = cards.of_checkpoint(checkpoints.load(path))
    said = facts(part)
    assert said["what it is"] == "Finds scratches"
    assert said["limits"] == "few strips"
    assert said["classes"] == "scratch, patch"
    assert said["networks"] == "classifier: resnet18"
    assert said["numbers in it"] == "3"
    assert said["SHA-256"] == checkpoints.load(path).sha256
    learned, measured = (block for block in part.blocks if isinstance(block, Table))
    assert learned.rows == [["our strips", "1,234", "ours"]]
    assert measured.rows == [["validation f1", "0.75"]]


def test_a_card_says_with_which_flips_thresholds_hold(tmp_path):
    plain = checkpoints.load(folders_of.model(tmp_path / "mine.safetensors"))
    assert "flips" not in facts(cards.of_checkpoint(plain))
    turned = replace(plain, header=plain.header.model_copy(update={"flips": "both"}))
    assert facts(cards.of_checkpoint(turned))["flips"] == "both"


def results_of(tmp_path, path, sha256):
    run = RUN | {"model": {"name": str(path), "sha256": sha256, "architecture": "classifier"}}
    return judged.read(folders_of.results(tmp_path / "outputs", prediction("a.png"), run=run))


def test_results_show_the_card_of_their_model(tmp_path):
    path = folders_of.model(tmp_path / "mine.safetensors")
    part = cards.of_results(results_of(tmp_path, path, checkpoints.load(path).sha256))
    said = facts(part)
    assert said["version that judged"] == "0.1.0"
    assert said["run by"] == "gate pytorch cpu float32"
    assert said["what it is"] == "Finds scratches"


def test_the_card_of_another_model_is_not_shown(tmp_path):
    path = folders_of.model(tmp_path / "mine.safetensors")
    for name, sha256 in ((path, "0" * 64), (tmp_path / "nowhere", "0" * 64)):
        part = cards.of_results(results_of(tmp_path, name, sha256))
        assert "what it is" not in facts(part)
        (note,) = (block for block in part.blocks if isinstance(block, Note))
        assert note.text == (
            "The card of the model is not shown: its file is not here any more as it was then."
        )


def test_values_within_each_other_get_a_dot():
    assert cards.flat({"a": 1, "b": {"c": 2, "d": {"e": 3}}}) == {"a": 1, "b.c": 2, "b.d.e": 3}
