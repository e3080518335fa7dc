import pandas as pd
import pytest

from steel_defect_detection.report import judged, verdicts
from steel_defect_detection.report.album import Album
from steel_defect_detection.report.blocks import Facts, Gallery, Histogram, Note, Shares, Table
from tests.report import folders_of
from tests.report.folders_of import prediction


@pytest.fixture
def folder(tmp_path):
    return folders_of.results(
        tmp_path / "outputs",
        prediction("one.png", "defect"),
        prediction("two.png"),
        prediction("three.png", "unfamiliar", familiarity=0.05),
        prediction("four.png", "unfamiliar", familiarity=0.01),
        prediction("five.png", "error"),
        prediction("six.png", "defect", gate_probability=0.95),
    )


def block(part, kind):
    (found,) = (each for each in part.blocks if isinstance(each, kind))
    return found


def notes(part):
    return [each.text for each in part.blocks if isinstance(each, Note)]


def cells(table, column):
    place = [each.title for each in table.columns].index(column)
    return [row[place] for row in table.rows]


def test_verdicts_are_those_of_the_table(folder):
    part = verdicts.summary(judged.read(folder))
    counted = pd.read_csv(folder / "images.csv").verdict.value_counts()
    table = block(part, Table)
    shown = {row[0].word: int(row[1]) for row in table.rows}
    assert shown == counted.to_dict()
    assert block(part, Shares).counts == shown
    assert cells(table, "share")[0] == "33.33 %"
    facts = block(part, Facts).items
    assert facts["threshold of any defect"] == "0.5"
    assert facts["thresholds of pixels"] == "scratch 0.5, patch 0.4"
    assert facts["least areas, pixels"] == "scratch 10, patch 20"
    assert facts["least familiarity"] == "0.1"
    assert "flips" not in facts


@pytest.mark.parametrize(("flips", "shown"), [("none", None), ("both", "both"), (["x"], None)])
def test_flips_are_shown_if_there_were_any(tmp_path, flips, shown):
    run = folders_of.RUN | {"options": {"flips": flips}}
    folder = folders_of.results(tmp_path / "turned", prediction("a.png"), run=run)
    part = verdicts.summary(judged.read(folder))
    assert block(part, Facts).items.get("flips") == shown


def test_the_worst_come_first_and_as_many_as_asked_for(folder):
    found = judged.read(folder)
    part = verdicts.worst(found, Album(found), 1)
    (shown,) = block(part, Gallery).shown
    assert (shown.title, shown.verdict) == ("six.png", "defect")  # the same share, but surer
    assert shown.lines == ["patch: 12 pixels, 1.5 %", "any defect 0.95"]
    assert notes(part)[0].startswith("1 of 2 images with defects")


def test_the_least_familiar_come_first(folder):
    found = judged.read(folder)
    part = verdicts.unfamiliar(found, Album(found), 24)
    assert [shown.title for shown in block(part, Gallery).shown] == ["four.png", "three.png"]


def test_errors_are_told_with_their_reason(folder):
    table = block(verdicts.errors(judged.read(folder)), Table)
    assert table.rows == [["five.png", "five.png is broken"]]


def test_classes_are_counted(folder):
    found = judged.read(folder)
    table = block(verdicts.classes(found, Album(found)), Table)
    areas = pd.read_csv(folder / "images.csv")[["area_scratch", "area_patch"]]
    assert [name.name for name in cells(table, "class")] == ["scratch", "patch"]
    assert cells(table, "images") == [str(int((areas[name] > 0).sum())) for name in areas]
    assert cells(table, "pixels") == [str(int(areas[name].sum())) for name in areas]
    assert cells(table, "defects") == ["0", "4"]
    assert cells(table, "share") == ["0 %", "0.6 %"]  # 24 of 5 x 800 pixels


def test_what_nobody_can_count_is_a_dash(folder):
    for mask in (folder / "masks").iterdir():
        mask.unlink()
    for overlay in (folder / "overlays").iterdir():
        overlay.unlink()
    found = judged.read(folder)
    table = block(verdicts.classes(found, Album(found)), Table)
    assert cells(table, "pixels") == ["0", "24"]
    assert cells(table, "defects") == cells(table, "share") == ["–", "–"]


def test_a_classifiers_classes_are_what_images_are_called(tmp_path):
    made = [prediction("a.png", "defect", label_map=None), prediction("b.png", label_map=None)]
    found = judged.read(folders_of.results(tmp_path, *made))
    table = block(verdicts.classes(found, Album(found)), Table)
    assert cells(table, "images") == ["0", "1"]
    assert cells(table, "pixels") == cells(table, "defects") == ["–", "–"]


def test_histograms_hold_each_image_once(folder):
    part = verdicts.histograms(judged.read(folder))
    table = pd.read_csv(folder / "images.csv")
    drawn = {each.title: each for each in part.blocks if isinstance(each, Histogram)}
    bins = pd.cut(table.gate_probability, [number / 10 for number in range(11)], right=False)
    assert list(drawn["any defect"].counts) == bins.value_counts(sort=False).tolist()
    assert drawn["any defect"].mark == 0.5
    assert sum(drawn["patch"].counts) == table.score_patch.notna().sum()


def test_the_present_threshold_stands_out(folder):
    table = block(verdicts.thresholds(judged.read(folder)), Table)
    (marked,) = table.marked
    assert table.rows[marked] == ["0.5 (present)", "2", "2"]
    assert table.rows[0] == ["0.05", "5", "2 to 3"]


def test_times_are_those_of_the_middle_image(folder):
    facts = block(verdicts.times(judged.read(folder)), Facts).items
    assert facts["whole image"] == "4.0 ms in the middle, of 6 images"
    assert facts["images per second"] == "3.00"


def test_all_images_are_listed_and_few_have_pictures(folder):
    found = judged.read(folder)
    table = block(verdicts.everything(Album(found), 2), Table)
    assert cells(table, "image") == [image.name for image in found.images]
    pictures = [cell is not None for cell in cells(table, "picture")]
    assert pictures == [True, False, True, False, False, False]
    assert table.is_folded
    assert table.is_sortable


def test_doubts_stand_before_all_numbers(folder):
    part = verdicts.summary(judged.read(folder), ["It was cut."])
    assert part.blocks[0] == Note(text="It was cut.", is_warning=True)


def test_results_without_images_say_so(tmp_path):
    found = judged.read(folders_of.results(tmp_path))
    assert "No image was judged yet." in notes(verdicts.summary(found))
    assert notes(verdicts.worst(found, Album(found), 24)) == ["No image has a defect."]
    assert verdicts.histograms(found) is None
    assert verdicts.thresholds(found) is None
    assert verdicts.errors(found) is None
    assert verdicts.unfamiliar(found, Album(found), 24) is None
