import click
import pytest

from steel_defect_detection.cli import ways
from tests.synthesis.sheets_and_defects import dataset


def test_classes_are_chosen_by_name():
    parts = {"train": dataset()}
    assert ways.numbers_of(parts, ()) == (1, 2)
    assert ways.numbers_of(parts, ("pit",)) == (2,)
    with pytest.raises(click.UsageError, match="there is no class 'rust'; the classes are scratch"):
        ways.numbers_of(parts, ("rust",))


def test_sheets_are_clean_ones_unless_others_are_named():
    assert ways.supply(dataset(), None, None).kinds == ("clean",)
    assert ways.supply(dataset(clean=0), None, None).kinds == ("as-is",)
    assert ways.supply(dataset(), "drawn,cleaned", (64, 64)).kinds == ("drawn", "cleaned")


def test_every_way_has_the_same_options():
    @ways.amounts
    def way(**shared):
        return shared

    names = {option.name for option in way.__click_params__}
    assert {"output", "per_class", "ratio", "no_combine", "only", "split", "fold"} <= names
