import pytest

from steel_defect_detection.datasets.problems import Problem, readable, refuse
from steel_defect_detection.errors import AnnotationError, ImageError, SteelDefectError


def test_nothing_wrong_is_no_error():
    refuse([])


def test_all_problems_are_named_at_once():
    with pytest.raises(AnnotationError, match=r"^line 1: no class; line 7: no image$"):
        refuse(problem for problem in ("line 1: no class", "line 7: no image"))


@pytest.mark.parametrize(("count", "rest"), [(10, "p9$"), (11, "p9; and 1 more problems$")])
def test_ten_are_named_and_the_others_counted(count, rest):
    with pytest.raises(AnnotationError, match=f"^p0; p1; .*; {rest}"):
        refuse(f"p{number}" for number in range(count))


def read(number: int) -> str:
    """The word of each number; that of 1 is damaged."""
    if number == 1:
        msg = "b.png is no image"
        raise ImageError(msg)
    return ("zero", "one", "two")[number]


def test_what_cannot_be_read_is_passed_over_and_noted():
    problems: list[Problem] = []
    assert list(readable(("a.png", "b.png", "c.png"), read, problems)) == [(0, "zero"), (2, "two")]
    assert problems == [("b.png", "b.png is no image")]


def test_without_a_list_the_first_problem_is_an_error():
    found = readable(("a.png", "b.png", "c.png"), read, None)
    assert next(found) == (0, "zero")
    with pytest.raises(ImageError, match=r"b\.png is no image"):
        next(found)


def test_what_goes_wrong_afterwards_is_no_problem_of_the_image():
    problems: list[Problem] = []

    def write_all() -> None:
        for number, _ in readable(("a.png", "b.png"), read, problems):
            msg = f"{number} cannot be written"
            raise SteelDefectError(msg)

    with pytest.raises(SteelDefectError, match="0 cannot be written"):
        write_all()
    assert problems == []


def test_mistakes_in_programs_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        list(readable(("a.png",), lambda number: 1 // number, []))
