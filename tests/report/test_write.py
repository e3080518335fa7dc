import json
import os

import pandas as pd
import pytest

from steel_defect_detection import report
from steel_defect_detection.errors import ConfigError, ResultsError
from tests.report import folders_of, reading
from tests.report.folders_of import prediction


def read(written):
    return reading.read(written.path.read_text(encoding="utf-8"))


def test_results_become_one_page_with_the_numbers_of_their_table(tmp_path):
    folder = folders_of.results(
        tmp_path / "outputs",
        prediction("one.png", "defect"),
        prediction("two.png"),
        prediction("three.png", "unfamiliar", familiarity=0.01),
        prediction("four.png", "error"),
    )
    written = report.write([folder], tmp_path / "report.html")
    page = read(written)
    table = pd.read_csv(folder / "images.csv")
    counted = {row[0]: int(row[1]) for row in page.tables["Verdicts on 4 images"][1:]}
    assert counted == table.verdict.value_counts().to_dict()
    assert [row[0] for row in page.tables["4 images"][1:]] == table.file.tolist()
    classes = {row[0]: row[3] for row in page.tables["Defects by class"][1:]}
    assert classes["patch"] == str(int(table.area_patch.sum()))
    assert reading.addresses(page.html) == []
    assert written.size_bytes == written.path.stat().st_size
    # One of the worst, one unfamiliar, and both again in the list.
    assert len(page.all("img")) == 4
    (section,) = written.as_json()["sections"]
    assert section["verdicts"] == {"defect": 1, "unfamiliar": 1, "error": 1, "clean": 1}
    assert json.loads(json.dumps(written.as_json())) == written.as_json()


def test_folders_of_all_kinds_stand_in_one_file(tmp_path):
    sources = [
        folders_of.results(tmp_path / "outputs", prediction("one.png", "defect")),
        folders_of.evaluation(tmp_path / "measured"),
        folders_of.calibration(tmp_path / "calibrated"),
        folders_of.run(tmp_path / "a"),
        folders_of.run(tmp_path / "b"),
    ]
    written = report.write(sources, tmp_path / "report.html", title="Coil 7")
    titles = [section.title for section in written.sections]
    runs = ["Training run", "Training run"]
    assert titles == ["Comparison", "Results", "Evaluation", "Calibration", *runs]
    page = read(written)
    assert "Coil 7" in page.text
    assert len(page.all("section")) == 6


HOSTILE = [
    "<script>alert(1)</script>.png",
    "a\"b'c & d.png",
    "two\nlines.png",
    "\u202egnp.exe.png",
    os.fsdecode(b"caf\xe9-\xff.png"),
    "{{ 7*7 }}.png",
]


def test_names_from_strangers_do_nothing(tmp_path):
    classes = ("<b>bold</b>", 'class, with "quotes"\nand lines')
    made = [prediction(name, "defect", classes=classes) for name in HOSTILE]
    # A name with a slash is a path.
    made[0] = prediction("<script>alert(1)<script>.png", "defect", classes=classes)
    made.append(prediction("<img src=x onerror=alert(1)>", "error", classes=classes))
    page = read(report.write([folders_of.results(tmp_path / "o", *made)], tmp_path / "r.html"))
    listed = [row[0] for row in page.tables["7 images"][1:]]
    assert listed == [
        "<script>alert(1)<script>.png",
        "a\"b'c & d.png",
        r"two\nlines.png",
        r"\u202egnp.exe.png",
        r"caf\udce9-\udcff.png",
        "{{ 7*7 }}.png",
        "<img src=x onerror=alert(1)>",
    ]
    assert len(page.all("img")) == 12  # six of the worst, and again in the list
    assert "<b>bold</b>" in page.text


@pytest.mark.parametrize("classes", [("scratch", "patch"), ()], ids=["two classes", "none"])
def test_results_without_images_are_a_page_too(tmp_path, classes):
    folder = folders_of.results(tmp_path / "outputs")
    if not classes:
        table = pd.read_csv(folder / "images.csv")
        kept = [name for name in table if not name.startswith(("score_", "area_"))]
        table[kept].to_csv(folder / "images.csv", index=False)
    page = read(report.write([folder], tmp_path / "report.html"))
    assert "No image was judged yet." in page.text
    assert page.tables["0 images"][1:] == []


def test_results_without_pictures_are_told_all_the_same(tmp_path):
    made = [prediction("one.png", "defect"), prediction("two.png")]
    folder = folders_of.results(tmp_path / "outputs", *made, overlays=False)
    page = read(report.write([folder], tmp_path / "report.html"))
    assert page.all("img") == []
    assert "no picture" in page.text
    assert page.tables["2 images"][1][0] == "one.png"


def test_pictures_that_are_damaged_are_told(tmp_path):
    folder = folders_of.results(tmp_path / "outputs", prediction("one.png", "defect"))
    (folder / "overlays/one.png").write_text("no picture")
    written = report.write([folder], tmp_path / "report.html")
    ((name, problem),) = written.problems
    assert name == "one.png"
    assert "is not an image" in problem
    assert "Files that could not be shown" in read(written).text


def test_the_number_of_pictures_is_bounded(tmp_path):
    made = [prediction(f"{number}.png", "defect") for number in range(5)]
    folder = folders_of.results(tmp_path / "outputs", *made)
    page = read(report.write([folder], tmp_path / "report.html", worst=2, pictures=1))
    assert len(page.all("img")) == 3


def test_an_earlier_report_is_replaced_and_other_files_are_not(tmp_path):
    folder = folders_of.results(tmp_path / "outputs", prediction("one.png"))
    target = tmp_path / "report.html"
    report.write([folder], target, title="first")
    report.write([folder], target, title="second")
    assert "<h1>second</h1>" in target.read_text()
    target.write_text("<p>my page</p>")
    message = r"report\.html is there already: choose another --output, or add --overwrite$"
    with pytest.raises(ResultsError, match=message):
        report.write([folder], target)
    assert target.read_text() == "<p>my page</p>"
    report.write([folder], target, overwrite=True)
    assert "my page" not in target.read_text()


def test_nothing_is_written_when_a_folder_is_unknown(tmp_path):
    folder = folders_of.results(tmp_path / "outputs", prediction("one.png"))
    with pytest.raises(ResultsError, match="does not exist"):
        report.write([folder, tmp_path / "nowhere"], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
    with pytest.raises(ResultsError, match="cannot be written: it is a folder"):
        report.write([folder], tmp_path)
    with pytest.raises(ConfigError, match=r"^expected at least one folder, got none$"):
        report.write([], tmp_path / "report.html")


@pytest.mark.parametrize("content", ["", "{", "[1]"], ids=["empty", "cut short", "a list"])
def test_a_record_that_is_damaged_is_told(tmp_path, content):
    folder = folders_of.results(tmp_path / "outputs", prediction("one.png", "defect"))
    (folder / "run.json").write_text(content)
    written = report.write([folder], tmp_path / "report.html")
    text = "it is no record of a run, so model and thresholds are not known"
    assert written.problems == [(str(folder / "run.json"), text)]
    assert f"{folder / 'run.json'}: {text}" in read(written).text


def test_a_record_that_is_not_there_is_no_problem(tmp_path):
    folder = folders_of.results(tmp_path / "outputs", prediction("one.png", "defect"))
    (folder / "run.json").unlink()
    assert report.write([folder], tmp_path / "report.html").problems == []
