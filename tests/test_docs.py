"""What the documentation shows is there: commands, options, files, names and links."""

import ast
import doctest
import re
import shlex
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
COMMANDS = {
    script.name: script
    for script in entry_points(group="console_scripts")
    if script.name.startswith("sdd-")
}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def shown() -> list[tuple[str, str, list[str]]]:
    """Page, command and words of each call in a block or between backticks."""
    calls = []
    for page in PAGES:
        if page.name == "cli.md":  # made of the commands themselves
            continue
        text = text_of(page)
        pieces = [block.replace("\\\n", " ") for _, block in BLOCK.findall(text)]
        inline = re.findall(r"`(sdd-[^`]*)`", BLOCK.sub("", text))
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
    spec = spec_from_file_location("writer", ROOT / "scripts" / "write_cli_reference.py")
    writer = module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert writer.PAGE.read_text(encoding="utf-8") == writer.reference(), (
        "run: python scripts/write_cli_reference.py"
    )


def python_of(page: Path) -> list[str]:
    return [block for kind, block in BLOCK.findall(text_of(page)) if kind == "python"]


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
