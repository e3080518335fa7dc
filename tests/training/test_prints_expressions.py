"""Expressions as values, compared with what Python itself reads, and never run."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.training.prints_expressions import LONGEST, Call, Name, parse

LITERALS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
).filter(lambda value: len(repr(value)) < LONGEST)


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inner), default=0)


@given(LITERALS.filter(lambda value: depth(value) < 5))
def test_plain_values_are_what_python_reads(value):
    assert parse(repr(value)) == ast.literal_eval(repr(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nn", Name("nn")),
        ("ResNet18_Weights.DEFAULT", Name("ResNet18_Weights.DEFAULT")),
        ('hyp_dict["model"]', Name('hyp_dict["model"]')),
        ("nn.CrossEntropyLoss()", Call("nn.CrossEntropyLoss")),
        ("SGD(lr = 0.1)", Call("SGD", (), {"lr": 0.1})),
        (
            'SGD(hyp_dict["model"].parameters(), -1)',
            Call("SGD", (Call('hyp_dict["model"].parameters'), -1)),
        ),
        ("(30, 35)", [30, 35]),
        ("  7  ", 7),
    ],
)
def test_names_and_calls_stay_words(text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 +", "is no value, name or call"),
        ("1 + 1", "holds a Python BinOp"),
        ("lambda: 1", "holds a Python Lambda"),
        ("[x for x in y]", "holds a Python ListComp"),
        ("f()()", "holds a Python Call where a plain name is expected"),
        ("not True", "holds an operator"),
        ("1j", "holds a constant of type complex"),
        ("9007199254740993", "holds a constant of type int"),
        ("{'a': 1, 'a': 2}", "keys are not all strings that differ"),
        ("f(**x)", r"gives the setting \*\* in a form"),
        ("[[[[[[1]]]]]]", "is nested more than 6 deep"),
        ("x" * (LONGEST + 1), "is 1001 characters long, expected at most 1000"),
    ],
)
def test_what_is_more_than_a_value_is_refused(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse(text)


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_a_value_error(text):
    try:
        parse(text)
    except ValueError:
        return
