from pathlib import Path

import click
import pytest

from steel_defect_detection.cli.values import (
    CountOrAuto,
    FiniteRange,
    FolderOrAddress,
    Numbers,
    PerClass,
    PerPart,
    Place,
    Range,
    Shares,
    Size,
    per_class,
)


def read(kind: click.ParamType, text: str):
    return kind.convert(text, None, None)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (FiniteRange(), "-0.5", -0.5),
        (FiniteRange(min=0), "3", 3.0),
        (Size(), "256x1600", (256, 1600)),
        (Shares(), "train=0.8, validation=0.2", {"train": 0.8, "validation": 0.2}),
        (CountOrAuto(), "7", 7),
        (CountOrAuto(), "Auto", None),
        (PerClass(), "0.5", ("", 0.5)),
        (PerClass(), "pit=0.5", ("pit", 0.5)),
        (PerClass(), "a=b=3", ("a=b", 3.0)),
        (PerClass(most=1), "pit=1", ("pit", 1.0)),
        (PerClass(whole=True), "0", ("", 0.0)),
        (FiniteRange(0, 1), "0", 0.0),
        (FiniteRange(0, 1), "1", 1.0),
        (PerPart(int), "50", {"train": 50}),
        (PerPart(float), "train=0.5, validation=1", {"train": 0.5, "validation": 1.0}),
        (Range(), "0.2:0.8", (0.2, 0.8)),
        (Range(), "3", (3.0, 3.0)),
        (Numbers(), "256,320", (256.0, 320.0)),
        (Numbers(), "256x320", (256.0, 320.0)),
        (Numbers(), "none", None),
        (Numbers(single=True), "0.1", 0.1),
        (Numbers(single=True), "NONE", None),
        (Place(), ".", Path()),
        (FolderOrAddress(), "out", Path("out")),
        (FolderOrAddress(), "s3://bucket/out", "s3://bucket/out"),
    ],
)
def test_words_become_values(kind, text, value):
    assert read(kind, text) == value
    assert value is None or kind.convert(value, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (FiniteRange(min=0), "nan", "nan is no finite number"),
        (FiniteRange(min=0), "inf", "inf is no finite number"),
        (FiniteRange(min=0, min_open=True), "0", "0.0 is not in the range x>0"),
        (FiniteRange(), "wide", "'wide' is not a valid float"),
        (Size(), "256", "'256' is no HEIGHTxWIDTH, such as 256x1600"),
        (Size(), "0x5", "'0x5' is no HEIGHTxWIDTH"),
        (CountOrAuto(), "1", "'1' is neither 'auto' nor a whole number from 2 on"),
        (CountOrAuto(), "-3", "'-3' is neither 'auto'"),
        (Shares(), "train", "'train' is no list like train=0.8,validation=0.2"),
        (Shares(), "a=1,a=2", "names a part twice or not at all"),
        (Shares(), "=1", "names a part twice or not at all"),
        (PerClass(), "pit=high", "'pit=high' is neither a number nor CLASS=NUMBER"),
        (PerClass(), "nan", "'nan' is not a number from 0 on"),
        (PerClass(most=1), "pit=1.01", "'1.01' is not a number from 0 to 1"),
        (PerClass(whole=True), "inf", "'inf' is not a whole number from 0 on"),
        (PerClass(whole=True), "pit=-1", "'-1' is not a whole number from 0 on"),
        (FiniteRange(0, 1), "nan", "nan is no finite number in the range 0<=x<=1"),
        (FiniteRange(0, 1), "-0.001", "-0.001 is not in the range 0<=x<=1"),
        (FiniteRange(0.01, 86_400), "much", "'much' is not a valid float range"),
        (PerPart(int), "0.5", "'0.5' is no whole number, or list like train=50,validation=5"),
        (PerPart(float), "a=1,a=2", "names a part twice or not at all"),
        (Range(), "nan:5", "'nan:5' is no number"),
        (Range(), "1:1e999", "'1:1e999' is no number"),
        (Range(), "a:b", "'a:b' is no number, or range like 0.2:0.8"),
        (Place(), "", "the name is empty: write . for the folder you are in"),
        (Place(is_file=True), " ", "the name is empty"),
        (FolderOrAddress(), "", "the name is empty"),
        (Numbers(), "a,b", "'a,b' is not a list of numbers like 256,320"),
        (Numbers(single=True), "a", "'a' is not a number or 'none'"),
    ],
)
def test_what_has_no_value_is_refused(kind, text, message):
    with pytest.raises(click.BadParameter, match=message):
        read(kind, text)


def test_values_of_an_option_are_joined():
    assert per_class(()) is None
    assert per_class((("", 0.5),)) == 0.5
    assert per_class((("a", 0.5), ("b", 0.2))) == {"a": 0.5, "b": 0.2}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((("", 0.5), ("a", 0.2)), "one number for all classes, or CLASS=NUMBER for each"),
        ((("a", 0.5), ("a", 0.2)), "give each class one number only"),
    ],
)
def test_values_that_contradict_each_other_are_refused(values, message):
    with pytest.raises(click.UsageError, match=message):
        per_class(values)


def test_a_number_with_a_comma_is_explained():
    with pytest.raises(click.BadParameter, match=r"'0,5' has a comma: write 0\.5"):
        FiniteRange(0, 1).convert("0,5", None, None)
    with pytest.raises(click.BadParameter, match=r"'0,5' has a comma: write 0\.5"):
        PerClass(most=1).convert("pits=0,5", None, None)
