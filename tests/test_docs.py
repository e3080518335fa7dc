"""What the documentation shows is there: commands, options, files, names and links."""

import ast
import doctest
import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest

from tests import scripts
from tests.reading import pages
from tests.reading.shorten import COMMANDS

ROOT, PAGES = pages.ROOT, pages.ALL
# Beside those of the package: what any terminal has.
OTHER_COMMANDS = {"cat", "cd", "cp", "curl", "echo", "export", "kill", "ls", "make", "mkdir", "mv"}
OTHER_COMMANDS |= {"do", "done", "fi", "for", "if", "pip", "python", "rm", "sleep", "touch"}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def shown() -> list[tuple[str, str, list[str]]]:
    """Page, command and words of each call in a block or between backticks."""
    calls = []
    for page in PAGES:
        if page.name == "cli.md":  # made of the commands themselves
            continue
        pieces = [line for block in pages.blocks(page) for line in pages.commands(block)]
        inline = re.findall(r"`(sdd-[^`]*)`", pages.without_blocks(page))
        pieces += [" ".join(call.split()) for call in inline]
        # Several calls may stand in one line.
        for line in re.split(r"\n|&&|\|", "\n".join(pieces)):
            start = re.search(r"\b(sdd-[a-z]+)\b", line)
            if start and start[1] in COMMANDS:
                words = shlex.split(
                    re.sub(r"\$\([^)]*\)", "", line[start.start() :]), comments=True
                )
                calls.append((page.name, words[0], words[1:]))
    return calls


CALLS = shown()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_shown(command):
    assert [call for call in CALLS if call[1] == command and call[2]]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_that_is_shown_is_there(command):
    script = COMMANDS[command]
    main: click.Command = getattr(import_module(script.module), script.attr)
    for page, name, words in CALLS:
        if name != command:
            continue
        way = main.commands.get(words[0]) if isinstance(main, click.Group) and words else main
        assert way, f"{page}: {command} has no {words[0]}"
        known = {"--help", "-h", *(name for option in way.params for name in option.opts)}
        known |= {name for option in way.params for name in option.secondary_opts}
        wrong = [word for word in words if re.match(r"-[-a-z]", word) and word not in known]
        assert not wrong, f"{page}: {command} has no {wrong[0]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_somewhere(page):
    text = text_of(page)
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target
    for target, anchor in re.findall(r"\]\(([^):#]*)#([^)]+)\)", text):
        goal = page.parent / target if target else page
        headings = re.findall(r"^#+ (.*)$", text_of(goal), re.MULTILINE)
        assert anchor in {
            re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings
        }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_is_there(page):
    homes = [ROOT, ROOT / "steel_defect_detection", ROOT / "tests", ROOT / "scripts"]
    for name in re.findall(r"`([\w./-]+/[\w.-]*\.(?:py|md|csv|json|toml))`", text_of(page)):
        # What a reader is to write, or what a command leaves, is not there yet.
        if "NAME" in name or name.split("/")[0] in {"runs", "outputs", "masks", "overlays", "mine"}:
            continue
        if page.name == "architecture.md" or name.startswith(("steel_defect", "tests/", "docs/")):
            assert any((home / name).exists() for home in homes), name


def test_the_page_of_commands_says_what_the_commands_say():
    writer = scripts.load("write_cli_reference")
    assert writer.PAGE.read_text(encoding="utf-8") == writer.reference(), (
        "run: python scripts/write_cli_reference.py"
    )


def python_of(page: Path) -> list[str]:
    return [block.text for block in pages.blocks(page) if block.kind == "python"]


@pytest.mark.parametrize("page", pages.RUN, ids=pages.named)
def test_every_block_says_what_it_is(page):
    silent = [block.line for block in pages.blocks(page) if not block.kind]
    assert not silent, f"lines {silent}: sh and python are run, text is not"


@pytest.mark.parametrize("page", pages.RUN, ids=pages.named)
def test_every_line_that_is_run_by_a_shell_begins_with_a_command(page):
    lines = [
        line for block in pages.blocks(page) if block.kind == "sh" for line in pages.commands(block)
    ]
    for line in lines:
        command = re.match(r" *(?:[A-Z_]+=\S+ +)*(\S+)", line)
        assert command, line
        assert command[1] in OTHER_COMMANDS | COMMANDS.keys(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_that_is_shown_imports_what_is_there(page):
    for block in python_of(page):
        if not block.startswith(">>>"):
            tree = ast.parse(block)
            tree.body = [
                node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
            ]
            exec(compile(tree, page.name, "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_with_an_answer_give_it(page):
    examples = "\n".join(block for block in python_of(page) if block.startswith(">>>"))
    parsed = doctest.DocTestParser().get_doctest(examples, {}, page.name, str(page), 0)
    assert doctest.DocTestRunner().run(parsed).failed == 0
