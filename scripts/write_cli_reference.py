"""Write docs/reference/cli.md: what each command says with ``--help``.

python scripts/write_cli_reference.py
"""

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import click

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
HEAD = """# Commands

What each command says with `--help`, written by `python scripts/write_cli_reference.py`.
A command ends with the exit status 0 when done, 1 after an error, 2 for wrong usage, 3 where some
of its inputs could not be read, and 130 after Ctrl-C or SIGTERM.
"""


def reference() -> str:
    """The page, made of the commands as they are."""
    scripts = sorted(entry_points(group="console_scripts"), key=lambda script: script.name)
    pieces = [HEAD]
    for script in scripts:
        if script.name.startswith("sdd-"):
            main = getattr(import_module(script.module), script.attr)
            pieces += _sections(main, script.name, None, level=2)
    return "\n".join(pieces)


def _sections(
    command: click.Command, name: str, parent: click.Context | None, level: int
) -> list[str]:
    settings = command.context_settings | {"terminal_width": 80}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    help_text = command.get_help(context)
    pieces = [f"{'#' * level} {context.command_path}\n\n```\n{help_text}\n```\n"]
    if isinstance(command, click.Group):
        for word, child in sorted(command.commands.items()):
            pieces += _sections(child, word, context, level + 1)
    return pieces


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
