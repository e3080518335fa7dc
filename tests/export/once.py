"""Conversions that several tests need, each made once."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import pytest

from steel_defect_detection.export.formats import FORMATS
from steel_defect_detection.runtimes.converted import _hash


@contextmanager
def converting_once() -> Iterator[None]:
    """Give a copy of what was converted where a graph, its weights and the shapes are the same."""
    with pytest.MonkeyPatch.context() as patch:
        for form in FORMATS.values():
            patch.setattr(form, "convert", _remembering(form.convert))
        yield


def _remembering(convert: Callable[..., Any]) -> Callable[..., Any]:
    made: dict[tuple, Any] = {}

    @wraps(convert)
    def converted(config, tensors, inputs):
        shapes = tuple((name, array.shape) for name, array in inputs.items())
        key = (config, _hash(tensors), shapes)
        if key not in made:
            made[key] = convert(config, tensors, inputs)
        return copy.deepcopy(made[key])

    return converted
