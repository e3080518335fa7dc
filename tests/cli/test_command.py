import errno
import logging
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import FAILED, INTERRUPTED, command, echo, say, say_problems
from steel_defect_detection.errors import ImageError


def run(action, *words):
    @command("sdd-try")
    def main():
        action()

    return CliRunner().invoke(main, words)


def test_an_expected_error_is_one_line_and_status_1():
    def fail():
        raise ImageError("a.png is cut short:\n  12 bytes")

    said = run(fail)
    assert said.exit_code == FAILED == 1
    assert said.stderr == "sdd-try: a.png is cut short: 12 bytes\n"
    assert said.stdout == ""


def test_verbose_shows_where_an_error_came_from():
    def fail():
        raise ImageError("a.png is cut short")

    said = run(fail, "-v")
    assert "Traceback" in said.stderr
    assert said.stderr.endswith("sdd-try: a.png is cut short\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENAMETOOLONG, "File name too long", "y" * 300), "…: File name too long\n"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "device. Is a disk full? Add -v to see",
        ),
    ],
)
def test_what_the_system_refuses_is_one_line(error, line):
    def fail():
        raise error

    said = run(fail)
    assert said.exit_code == FAILED
    assert line in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert len(said.stderr) < 200


def test_a_reader_who_stops_reading_hears_nothing():
    def fail():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    said = run(fail)
    assert (said.exit_code, said.output) == (FAILED, "")


def test_a_remark_that_nobody_hears_stops_nothing(monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    def work():
        with monkeypatch.context() as patch:
            patch.setattr(click, "echo", full)
            say("a.png is cut short")
        echo("done")

    said = run(work)
    assert (said.exit_code, said.stdout) == (0, "done\n")


def test_a_mistake_of_ours_is_not_hidden():
    def fail():
        raise ZeroDivisionError

    assert isinstance(run(fail).exception, ZeroDivisionError)


def test_an_interruption_is_status_130():
    def stop():
        raise KeyboardInterrupt

    said = run(stop)
    assert said.exit_code == INTERRUPTED == 130
    assert "sdd-try: interrupted" in said.stderr


def test_results_and_remarks_go_to_streams_of_their_own():
    def speak():
        echo("12 images")
        say("one of them is grey")
        logging.getLogger("steel_defect_detection.somewhere").info("converting")

    said = run(speak)
    assert said.stdout == "12 images\n"
    assert said.stderr == "sdd-try: one of them is grey\nsdd-try: converting\n"


def test_names_that_are_no_text_can_be_said():
    said = run(lambda: say("cannot read \udcff.png"))
    assert said.stderr == "sdd-try: cannot read \\udcff.png\n"


def test_commands_to_the_terminal_in_names_are_shown_and_not_obeyed():
    said = run(lambda: say("cannot read \x1b[31m\u202egnp.exe"))
    assert said.stderr == "sdd-try: cannot read \\x1b[31m\\u202egnp.exe\n"


def test_of_many_problems_the_first_twenty_are_named():
    problems = [(f"{number}.png", "is damaged") for number in range(23)]
    lines = run(lambda: say_problems(problems)).stderr.splitlines()
    assert lines[0] == "sdd-try: 0.png: is damaged"
    assert lines[19] == "sdd-try: 19.png: is damaged"
    assert lines[20:] == ["sdd-try: and 3 more images with problems"]
    lines = run(lambda: say_problems(problems[:21])).stderr.splitlines()
    assert lines[20:] == ["sdd-try: and 1 more image with problems"]


def test_a_problem_that_names_its_image_is_not_named_twice():
    said = run(lambda: say_problems([("a.png", "cannot read a.png")]))
    assert said.stderr == "sdd-try: cannot read a.png\n"


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_there_under_both_names(word):
    assert run(lambda: None, word).stdout.startswith("Usage: ")


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    said = run(lambda: None, "--version").stdout
    assert said == f"sdd-try, version {version('steel-defect-detection')}\n"


def test_outside_of_a_command_remarks_are_printed_all_the_same(capsys):
    assert click.get_current_context(silent=True) is None
    say("hello")
    assert capsys.readouterr().err == "sdd: hello\n"


def test_help_that_cannot_be_written_is_one_line():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is always full")
    program = "from steel_defect_detection.cli.split import main; main()"
    words = [sys.executable, "-c", program, "--help"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == FAILED
    assert len(done.stderr.splitlines()) == 1
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize(("is_file", "name"), [(False, "file/out"), (True, "file/out.html")])
def test_an_output_that_cannot_be_written_is_told_before_the_work(tmp_path, is_file, name):
    @command("sdd-try")
    @options.output("Where to.", is_file=is_file)
    def main(output):
        pytest.fail("the work has begun")

    (tmp_path / "file").write_text("x")
    said = CliRunner().invoke(main, ["--output", str(tmp_path / name)])
    assert said.exit_code == FAILED
    assert f"{tmp_path / name} cannot be written: {tmp_path / 'file'} is no folder" in said.stderr


@pytest.mark.parametrize("name", ["images", "images/more", "masks", "clean/run"])
@pytest.mark.parametrize("is_data", [True, False])
def test_nothing_is_written_among_the_images_of_a_data_set(tmp_path, name, is_data):
    @command("sdd-try")
    @options.output("Where to.")
    def main(output):
        echo("worked")

    (tmp_path / "images").mkdir()
    if is_data:
        (tmp_path / "masks").mkdir()
    said = CliRunner().invoke(main, ["--output", str(tmp_path / name)])
    assert said.exit_code == (FAILED if is_data else 0)
    assert ("lies among the images of a data set" in said.stderr) == is_data
    assert CliRunner().invoke(main, ["--output", str(tmp_path / "outputs")]).exit_code == 0


def test_a_name_that_begins_with_a_dash_is_explained(tmp_path, monkeypatch):
    @command("sdd-try")
    @click.argument("names", nargs=-1)
    def main(names):
        echo(names[0])

    monkeypatch.chdir(tmp_path)
    (tmp_path / "-7.png").write_text("x")
    said = CliRunner().invoke(main, ["-7.png"])
    assert said.exit_code == 2
    assert "The file of that name is called ./-7.png" in said.stderr
    assert CliRunner().invoke(main, ["./-7.png"]).stdout == "./-7.png\n"
    assert "The file" not in CliRunner().invoke(main, ["--nothing"]).stderr
