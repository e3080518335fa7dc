from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.results import Names, name_all
from tests.results.runs import defect, write


def test_very_long_names_are_cut_and_stay_apart(tmp_path):
    write(tmp_path, *(defect("x" * 240 + f"{number}.png") for number in range(3)))
    assert len(list((tmp_path / "masks").iterdir())) == 3


def test_inputs_of_one_stem_get_names_of_their_own():
    names = name_all([Path("roll.png"), Path("roll.jpg"), Path("Roll.bmp"), Path("roll-2.png")])
    assert names == [
        Names("roll.png", "roll"),
        Names("roll.jpg", "roll-2"),
        Names("Roll.bmp", "Roll-3"),
        Names("roll-2.png", "roll-2-2"),
    ]


def test_file_names_that_repeat_are_told_apart_by_their_folders():
    names = name_all([Path("x/a/roll.png"), Path("x/b/roll.png"), Path("x/c/sheet.png")])
    assert names == [
        Names("a/roll.png", "roll"),
        Names("b/roll.png", "roll-2"),
        Names("sheet.png", "sheet"),
    ]


@given(
    st.lists(
        st.from_regex(r"(?:[ab]/)?[ab](?:-2){0,2}\.(?:png|jpg)", fullmatch=True),
        max_size=12,
        unique=True,
    )
)
def test_no_result_ever_overwrites_another(paths):
    names = name_all([Path(path) for path in paths])
    assert len({name.stem.casefold() for name in names}) == len(paths)
    assert len({name.image_id for name in names}) == len(paths)


def test_thousands_of_inputs_of_one_stem_get_numbers_in_turn():
    paths = [Path(f"{number}/roll.png") for number in range(5_000)]
    names = name_all(paths)
    assert [name.stem for name in names[:3]] == ["roll", "roll-2", "roll-3"]
    assert names[-1] == Names("4999/roll.png", "roll-5000")
