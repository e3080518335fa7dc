"""Small Python expressions as values: parsed with ``ast``, never evaluated."""

import ast
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

LONGEST = 1000
"""Characters that an expression may have."""

DEEPEST = 6
"""Expressions within expressions that are followed."""

# Whole numbers that a float holds exactly.
_LARGEST = 2**53


@dataclass(frozen=True)
class Name:
    """A name with its dots, such as ``MobileNet_V2_Weights.DEFAULT``; what it names is not read."""

    text: str


@dataclass(frozen=True)
class Call:
    """A call that was not made.

    Args:
        function: Name of the function, with its dots.
        arguments: Values given by place.
        settings: Values given by name.
    """

    function: str
    arguments: tuple["Value", ...] = ()
    settings: dict[str, "Value"] = field(default_factory=dict)


Value: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | Name | Call | None


def parse(text: str) -> Value:
    """Read numbers, strings, lists, dictionaries, names and calls from an expression.

    Names and calls stay what they are, words: nothing is looked up or run.

    Args:
        text: The expression, at most ``LONGEST`` characters long.

    Returns:
        The value. Tuples become lists; a name may contain
        ``hyp_dict["model"]`` where Python has an item of a dictionary.

    Raises:
        ValueError: If it is no expression, or holds anything else.

    Example:
        >>> parse("MultiStepLR(milestones = [30, 35])").settings
        {'milestones': [30, 35]}
    """
    if len(text) > LONGEST:
        msg = f"is {len(text)} characters long, expected at most {LONGEST}"
        raise ValueError(msg)
    try:
        with warnings.catch_warnings():
            # What Python finds odd about a string is of no interest here.
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        msg = "is no value, name or call"
        raise ValueError(msg) from error
    return _value(tree.body, DEEPEST)


def _value(node: ast.expr, depth: int) -> Value:
    if depth == 0:
        msg = f"is nested more than {DEEPEST} deep"
        raise ValueError(msg)
    if isinstance(node, ast.Constant):
        return _constant(node)
    read = _READERS.get(type(node))
    if read is None:
        msg = f"holds {_what(node)}, expected values, names and plain calls only"
        raise ValueError(msg)
    return read(node, depth - 1)


def _constant(node: ast.Constant) -> Value:
    value = node.value
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and abs(value) <= _LARGEST:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    msg = f"holds a constant of type {type(value).__name__} that no setting can have"
    raise ValueError(msg)


def _negative(node: ast.UnaryOp, depth: int) -> Value:
    number = _value(node.operand, depth)
    if isinstance(node.op, ast.USub) and type(number) in {int, float}:
        return -number  # type: ignore[operator]  # the types are checked in the line above
    msg = "holds an operator, expected values, names and plain calls only"
    raise ValueError(msg)


def _list(node: ast.List | ast.Tuple, depth: int) -> Value:
    return [_value(item, depth) for item in node.elts]


def _dictionary(node: ast.Dict, depth: int) -> Value:
    keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
    names = [key for key in keys if isinstance(key, str)]
    if len(set(names)) != len(node.values):
        msg = "holds a dictionary whose keys are not all strings that differ"
        raise ValueError(msg)
    return dict(zip(names, (_value(item, depth) for item in node.values), strict=True))


def _call(node: ast.Call, depth: int) -> Value:
    settings: dict[str, Value] = {}
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg in settings:
            msg = f"gives the setting {keyword.arg or '**'} in a form or number that is not read"
            raise ValueError(msg)
        settings[keyword.arg] = _value(keyword.value, depth)
    arguments = tuple(_value(argument, depth) for argument in node.args)
    return Call(_name(node.func, depth).text, arguments, settings)


def _name(node: ast.expr, depth: int) -> Name:
    if isinstance(node, ast.Name):
        return Name(node.id)
    if isinstance(node, ast.Attribute) and depth:
        return Name(f"{_name(node.value, depth - 1).text}.{node.attr}")
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return Name(f'{node.value.id}["{key.value}"]')
    msg = f"holds {_what(node)} where a plain name is expected"
    raise ValueError(msg)


def _what(node: ast.expr) -> str:
    return f"a Python {type(node).__name__}"


_READERS: dict[type[ast.expr], Callable[[Any, int], Value]] = {
    ast.UnaryOp: _negative,
    ast.List: _list,
    ast.Tuple: _list,
    ast.Dict: _dictionary,
    ast.Call: _call,
    ast.Name: _name,
    ast.Attribute: _name,
    ast.Subscript: _name,
}
