"""The words on how the numbers of a study are to be read."""

from steel_defect_detection.experiments import report
from steel_defect_detection.experiments.grid import variants
from steel_defect_detection.experiments.parts import deal
from tests.experiments.small_studies import TINY, entries, record, study

LABELS = [(True, False)] * 10 + [(False, True)] * 10


def asked(**changes):
    of = study(**changes)
    found = variants(of)
    return of, found, deal(of, found[0].stages()[0], entries(LABELS))


def words(**changes) -> str:
    return " ".join(report.reading(*asked(**changes)))


def test_it_is_said_that_the_epoch_was_chosen_on_what_is_measured():
    said = words()
    assert "Measured on 5 validation images, on which the epoch that is kept was chosen" in said
    assert "15 images to learn from" in said


def test_it_is_not_said_where_the_last_epoch_is_kept():
    assert "on which no epoch was chosen" in words(base=TINY | {"keep": "last"})


def test_test_images_are_said_to_have_taken_no_part():
    said = words(part="test")
    assert "Measured on 4 test images, which took no part" in said
    assert "4 to validate on" in said


def test_what_the_intervals_tell_is_said():
    assert "tell the chance in training, and not that of other images" in words()
    assert "The training images of folds overlap" in words(folds=2)
    assert "One run of each variant: nothing says" in words(runs=1)


def test_many_comparisons_are_warned_of():
    assert "The other variant is compared with learning_rate=0.001" in words()
    assert "compared with" not in words(axes={"learning_rate": [0.1]})
    assert "not corrected" not in words()
    assert "With 2 comparisons" in words(axes={"learning_rate": [0.1, 0.2, 0.3]})


def test_all_files_are_written_and_failures_are_told(tmp_path):
    of, found, images = asked(description="Two rates.")
    records = [record(found[0].name, 1, classes__accuracy=0.5)]
    for one in records:
        place = tmp_path / "runs" / one.variant / "run-1"
        place.mkdir(parents=True)
        (place / "epochs.csv").write_text("epoch,train_loss\n1,0.5\n")
    failures = {(found[1].name, 1): "the loss is not finite"}
    rows, names = report.write(tmp_path, of, found, images, records, failures)
    assert names == ("classes.accuracy",)
    assert [row.runs for row in rows] == [1, 0]
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert text.startswith("# rates\n\nTwo rates.\n")
    assert "Finished are 1 of 4 runs." in text
    assert "* learning_rate=0.01, run 1: the loss is not finite" in text
    assert {path.name for path in tmp_path.iterdir()} == {
        "runs",
        "runs.csv",
        "table.csv",
        "table.md",
        "curves.csv",
        "curves-train_loss.png",
    }
