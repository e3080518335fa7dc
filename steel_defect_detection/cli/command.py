"""What all commands share: one line per error, exit statuses, remarks on standard error."""

import errno
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from steel_defect_detection import files, wording
from steel_defect_detection.cli.values import Place
from steel_defect_detection.errors import ResultsError, SteelDefectError

FAILED = 1
SOME_INPUTS_FAILED = 3
INTERRUPTED = 130

_MOST_PROBLEMS = 20
_LONGEST_NAME = 100
_VERBOSE = "steel_defect_detection.verbose"

Function = TypeVar("Function", bound=Callable[..., Any])


class Command(click.Command):
    """A command whose expected errors are one line on standard error.

    Exit status: 0 done, 1 failed, 2 wrong usage, 3 finished although some
    inputs were errors, 130 interrupted.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; a file whose name begins with a dash is taken for options."""
        try:
            return super().parse_args(ctx, list(args))
        except click.NoSuchOption as error:
            name = next((one for one in args if one.startswith("-") and Path(one).exists()), None)
            if name is None:
                raise
            msg = f"{error.format_message()} The file of that name is called ./{name}"
            raise click.UsageError(msg, ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        remarks = logging.getLogger("steel_defect_detection")
        saying = _Saying(self.name or "sdd")
        remarks.addHandler(saying)
        remarks.setLevel(logging.INFO)
        remarks.propagate = False
        try:
            self._refuse_unwritable(ctx)
            return super().invoke(ctx)
        except SteelDefectError as error:
            _fail(ctx, f"{error}")
        except OSError as error:
            # What no rule of ours foresaw: a name that is too long, a full disk behind "> log".
            # Whoever reads may stop reading ("| head"): click ends without a word then.
            if error.strerror is None or error.errno == errno.EPIPE:
                raise
            _fail(ctx, _failure_of_system(error))
        except KeyboardInterrupt:
            say("interrupted")
            ctx.exit(INTERRUPTED)
        finally:
            remarks.removeHandler(saying)
            remarks.propagate = True

    def main(self, *arguments: Any, **named: Any) -> Any:
        """Run the command as a program."""
        try:
            return super().main(*arguments, **named)
        except OSError as error:
            # Not even --help has anywhere to go, such as to a full disk.
            say(_failure_of_system(error))
            sys.exit(FAILED)

    def _refuse_unwritable(self, ctx: click.Context) -> None:
        """Refuse at once what could only fail after the work."""
        for parameter in self.params:
            value = ctx.params.get(parameter.name or "")
            if isinstance(parameter.type, Place) and isinstance(value, Path):
                files.refuse_unwritable(value, is_folder=not parameter.type.file_okay)
                _refuse_data(value.resolve())


def command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function, with ``--help``, ``--version`` and ``-v``."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        decorated = click.option(
            "-v",
            "--verbose",
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_remember,
            help="Show where an error came from.",
        )(function)
        decorated = click.version_option(package_name="steel-defect-detection", prog_name=name)(
            decorated
        )
        settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
        return click.command(name, cls=Command, context_settings=settings)(decorated)

    return decorate


def say(message: str) -> None:
    """Print a remark on standard error, after the command's name, in one line.

    What no screen shows in it, or would turn its letters around, is written as escapes.
    """
    context = click.get_current_context(silent=True)
    name = (context.command.name if context else None) or "sdd"
    _print_line(name, message)


def echo(text: str) -> None:
    """Print a result on standard output, whatever letters names in it have."""
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def say_problems(problems: Sequence[tuple[str, str]]) -> None:
    """Print what is wrong with images on standard error, one line each.

    Args:
        problems: Name of the image and its problem; the first 20 are printed.
    """
    for image, problem in problems[:_MOST_PROBLEMS]:
        say(problem if image in problem else f"{image}: {problem}")
    left = len(problems) - _MOST_PROBLEMS
    if left > 0:
        say(f"and {wording.amount(left, 'more image')} with problems")


def _print_line(name: str, message: str) -> None:
    # Nobody hears a remark where the log's disk is full; images are judged all the same.
    with suppress(OSError):
        # A file's name may hold bytes that are no text, or commands to the terminal.
        click.echo(wording.visible(f"{name}: {' '.join(message.split())}"), err=True)


def _refuse_data(place: Path) -> None:
    """Refuse to write among the images or masks of a data set, which could not be read then."""
    from steel_defect_detection.datasets.mask_folders import CLEAN, IMAGES, MASKS

    for folder in (place, *place.parents):
        if folder.name not in {IMAGES, CLEAN, *MASKS} or not (folder.parent / IMAGES).is_dir():
            continue
        if any((folder.parent / name).is_dir() for name in MASKS):
            msg = f"{place} lies among the images of a data set: choose another --output"
            raise ResultsError(msg)


def _fail(ctx: click.Context, message: str) -> None:
    if ctx.meta.get(_VERBOSE):
        click.echo(traceback.format_exc(), err=True)
    say(message)
    ctx.exit(FAILED)


def _failure_of_system(error: OSError) -> str:
    """What the system refused, in one line."""
    if not error.filename:
        return f"{error.strerror}. Is a disk full? Add -v to see where it came from"
    name = str(error.filename)
    return f"{name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + '…'}: {error.strerror}"


class _Saying(logging.Handler):
    """Prints what the package remarks while it works, on whatever thread."""

    def __init__(self, command_name: str) -> None:
        super().__init__(logging.INFO)
        self._command_name = command_name

    def emit(self, record: logging.LogRecord) -> None:
        _print_line(self._command_name, record.getMessage())


def _remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[_VERBOSE] = value
