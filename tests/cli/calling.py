"""Call a command as a shell would."""

from typing import Any

import click
from click.testing import CliRunner, Result


def call(main: click.Command, *words: Any, exit_status: int = 0, **settings: Any) -> Result:
    """Call a command with words of any kind, and see that it ends as it should.

    Args:
        main: The command.
        *words: Its arguments and options.
        exit_status: How it is to end; what it prints on standard error is shown
            if it ends otherwise.
        **settings: What ``CliRunner.invoke`` takes.
    """
    result = CliRunner().invoke(main, [str(word) for word in words], **settings)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_status, result.stderr
    return result
