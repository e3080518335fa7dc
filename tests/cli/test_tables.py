from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.cli import tables


def test_words_begin_below_each_other():
    rows = [("NAME", "SIZE", "LICENCE"), ("severstal", "1.7 GB", "own"), ("x", "9 kB", "")]
    assert list(tables.words(rows)) == [
        "NAME       SIZE    LICENCE",
        "severstal  1.7 GB  own",
        "x          9 kB",
    ]


def test_numbers_end_below_each_other():
    rows = [("class", "images"), ("pits", "7"), ("scratches", "1234567")]
    assert list(tables.numbers(rows)) == [
        "class       images",
        "pits             7",
        "scratches  1234567",
    ]


cells = st.text("abc0.", min_size=1, max_size=6)
rows_of_three = st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=6)


@given(rows_of_three, st.sampled_from([tables.words, tables.numbers]))
def test_nothing_is_lost_and_columns_lie_at_the_same_place(rows, lay_out):
    lines = list(lay_out(rows))
    assert [tuple(line.split()) for line in lines] == rows
    width = sum(max(map(len, column)) for column in zip(*rows, strict=True)) + 4
    assert max(map(len, lines)) <= width
    for number in range(1, 3):
        place = sum(max(map(len, column)) for column in list(zip(*rows, strict=True))[:number])
        place += 2 * (number - 1)
        assert {line.ljust(width)[place : place + 2] for line in lines} == {"  "}
