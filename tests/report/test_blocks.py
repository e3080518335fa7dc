import pytest

from steel_defect_detection.report.blocks import Histogram, Picture, Shares


def test_the_pieces_of_a_bar_follow_each_other_and_fill_it():
    pieces = Shares(counts={"defect": 1, "error": 0, "clean": 3}).pieces
    assert pieces == [("defect", 1, 0.0, 25.0), ("clean", 3, 25.0, 75.0)]


def test_bars_are_as_high_as_there_are_images_and_one_can_be_seen():
    drawn = Histogram(title="any defect", counts=[1000, 0, 500, 1], color="#000000").bars
    assert [bar.height for bar in drawn] == [150, 0, 75, 2]
    assert [bar.y + bar.height for bar in drawn] == [150] * 4
    assert [bar.x for bar in drawn] == [0, 100, 200, 300]
    assert drawn[2].words == "0.5 to 0.75: 500"


def test_a_histogram_can_be_read_aloud():
    shown = Histogram(title="scratch", counts=[3, 0], color="#000000", mark=0.5)
    assert shown.words == "scratch, images by probability. 0 to 0.5: 3. Threshold 0.5."
    empty = Histogram(title="scratch", counts=[0, 0], color="#000000")
    assert empty.words == "scratch, images by probability. No images."


@pytest.mark.parametrize(("width", "is_wide"), [(960, True), (400, False)])
def test_strips_are_wide(width, is_wide):
    assert Picture(alt="a", source="data:,", width=width, height=200).is_wide is is_wide
