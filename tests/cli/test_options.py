"""Options of one name are the same in every command."""

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest


def all_commands() -> dict[str, click.Command]:
    """Every command by its words, those of a group one by one."""
    found = {}
    for script in entry_points(group="console_scripts"):
        if script.name.startswith("sdd-"):
            main = getattr(import_module(script.module), script.attr)
            found[script.name] = main
            if isinstance(main, click.Group):
                found |= {f"{script.name} {word}": way for word, way in main.commands.items()}
    return found


COMMANDS = all_commands()


def options_of(name: str) -> dict[str, click.Option]:
    found = {}
    for command, main in COMMANDS.items():
        for parameter in main.params:
            if isinstance(parameter, click.Option) and name in parameter.opts:
                found[command] = parameter
    return found


@pytest.mark.parametrize(
    ("name", "least"),
    [("--layout", 5), ("--seed", 4), ("--device", 3), ("--runtime", 2), ("--flips", 5)],
)
def test_an_option_has_one_kind_in_all_commands(name, least):
    found = options_of(name)
    # sdd-benchmark takes several engines, sdd-train any setting of a run.
    kinds = {
        repr(option.type.to_info_dict())
        for command, option in found.items()
        if command != "sdd-train" and not option.multiple
    }
    assert len(found) >= least
    assert len(kinds) == 1


def test_outputs_are_paths_and_what_is_there_by_default_is_shown():
    found = options_of("--output")
    assert len(found) >= 9
    for option in found.values():
        assert isinstance(option.type, click.Path)
        assert isinstance(option.type.convert("some-place", option, None), Path)
        assert not isinstance(option.default, Path) or option.show_default


@pytest.mark.parametrize("main", COMMANDS.values(), ids=COMMANDS)
def test_every_option_says_what_it_is(main):
    assert main.help
    for option in main.params:
        if isinstance(option, click.Option):
            assert option.help, option.name
            assert option.help.endswith((".", "]")), option.name
