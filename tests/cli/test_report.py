import json
from functools import partial

from steel_defect_detection.cli.report import main
from tests.cli.calling import call
from tests.report import folders_of, reading
from tests.report.folders_of import prediction

run = partial(call, main)


def test_a_report_is_written_and_named(tmp_path):
    folder = folders_of.results(tmp_path / "outputs", prediction("one.png", "defect"))
    target = tmp_path / "shift.html"
    result = run(folder, "--output", target, "--title", "Shift 3", "--worst", 1, "--images", 0)
    assert result.stdout == f"1 section, 0.0 MB. The report is {target}\n"
    page = reading.read(target.read_text(encoding="utf-8"))
    assert "Shift 3" in page.text
    assert len(page.all("img")) == 1


def test_counts_are_json(tmp_path):
    folder = folders_of.results(tmp_path / "outputs", prediction("one.png", "defect"))
    target = tmp_path / "report.html"
    found = json.loads(run(folder, "--output", target, "--json").stdout)
    assert found["output"] == str(target)
    assert found["bytes"] == target.stat().st_size
    assert found["sections"][0]["verdicts"]["defect"] == 1


def test_a_damaged_picture_is_named_and_the_status_is_3(tmp_path):
    folder = folders_of.results(tmp_path / "outputs", prediction("one.png", "defect"))
    (folder / "overlays/one.png").write_text("no picture")
    result = run(folder, "--output", tmp_path / "report.html", exit_status=3)
    assert result.stderr.startswith("sdd-report: ")
    assert "overlays/one.png is not an image" in result.stderr
    assert (tmp_path / "report.html").is_file()


def test_a_damaged_record_is_named_and_the_status_is_3(tmp_path):
    folder = folders_of.results(tmp_path / "outputs", prediction("one.png", "defect"))
    (folder / "run.json").write_text("{")
    result = run(folder, "--output", tmp_path / "report.html", exit_status=3)
    assert result.stderr == (
        f"sdd-report: {folder / 'run.json'}: it is no record of a run, so model and thresholds are "
        "not known\n"
    )


def test_a_folder_of_something_else_is_one_line_and_status_1(tmp_path):
    result = run(tmp_path, "--output", tmp_path / "report.html", exit_status=1)
    assert result.stderr.startswith(f"sdd-report: nothing to report in '{tmp_path}': expected ")
    assert result.stderr.count("\n") == 1


def test_no_folder_is_wrong_usage():
    assert "Missing argument 'RUN_OR_RESULTS...'" in run(exit_status=2).stderr
