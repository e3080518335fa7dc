"""From sections to the text of one HTML file."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from steel_defect_detection import wording
from steel_defect_detection.coil import map as coil_map
from steel_defect_detection.report.blocks import Block, Section

MADE_BY = '<meta name="generator" content="sdd-report">'
"""Stands at the beginning of every report."""


def render(title: str, sections: Sequence[Section]) -> str:
    """Write a report down.

    Args:
        title: Its heading.
        sections: What it says, folder by folder.

    Returns:
        The page. It holds everything that it needs, and a policy that keeps a
        browser from loading anything or running what is not part of it.
    """
    environment = _environment()
    style, script = (_source(environment, name) for name in ("style.css", "script.js"))
    style = f"{style}\n{coil_map.STYLE}"
    return environment.get_template("page.html.jinja").render(
        title=title,
        sections=sections,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        made_by=Markup(MADE_BY),
        version=version("steel-defect-detection"),
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("steel_defect_detection.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["groups"] = _groups
    return environment


def _finalize(value: object) -> object:
    """Make all letters of what somebody else named visible, before it is escaped."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return wording.visible(value)
    return value


def _groups(found: Sequence[Block]) -> list[tuple[str, list[Block]]]:
    """Put blocks of one kind together that follow each other."""
    return [(kind, list(group)) for kind, group in groupby(found, key=lambda block: block.kind)]


def _source(environment: Environment, name: str) -> str:
    """Text of a file that becomes part of the page, as a browser reads it."""
    return environment.get_template(name).render().strip()


def _policy(style: str, script: str) -> str:
    """Allow pictures that stand in the page, its own style and script, and nothing else."""
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; "
        f"script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
