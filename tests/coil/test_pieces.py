import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from steel_defect_detection import rle
from steel_defect_detection.coil import pieces
from steel_defect_detection.coil.pieces import Segments

MASKS = st.tuples(st.integers(1, 9), st.integers(1, 12)).flatmap(
    lambda shape: arrays.arrays(np.bool_, shape)
)


def segments_of(mask, class_number=1):
    starts, lengths = rle.pairs(rle.encode(mask), mask.shape)
    return pieces.segments(
        starts,
        lengths,
        np.full(len(starts), mask.shape[0]),
        np.full(len(starts), class_number),
    )


def rows(found):
    """Area, middle and box of each piece, sorted."""
    columns = (
        found.area,
        found.along,
        found.across,
        found.along_first,
        found.along_last,
        found.across_first,
        found.across_last,
    )
    return sorted(zip(*(np.round(one, 6).tolist() for one in columns), strict=True))


def reference(mask):
    """The same by OpenCV, whose middles count from the middle of the first pixel."""
    count, _, stats, middles = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    found = []
    for (x, y, width, height, area), middle in zip(stats[1:], middles[1:], strict=True):
        box = (x, x + width - 1, y, y + height - 1)
        found.append((area, *(round(float(one) + 0.5, 6) for one in middle), *map(int, box)))
    assert len(found) == count - 1
    return sorted(found)


def test_a_run_is_cut_where_its_column_ends():
    cut = pieces.segments(np.array([3]), np.array([8]), np.array([4]), np.array([2]))
    assert cut.column.tolist() == [0, 1, 2]
    assert cut.first.tolist() == [2, 0, 0]
    assert cut.last.tolist() == [3, 3, 1]
    assert cut.class_number.tolist() == [2, 2, 2]


@given(MASKS)
def test_pieces_are_those_that_opencv_finds_in_the_mask(mask):
    assert rows(pieces.connect(segments_of(mask), "x")) == reference(mask)


@given(MASKS)
def test_along_and_across_change_places_with_the_axis(mask):
    along_x = rows(pieces.connect(segments_of(mask), "x"))
    along_y = rows(pieces.connect(segments_of(np.ascontiguousarray(mask.T)), "y"))
    assert along_x == along_y


@given(MASKS, MASKS)
def test_pieces_of_two_images_side_by_side_are_those_of_one_long_image(left, right):
    height = min(len(left), len(right))
    left, right = left[:height], right[:height]
    first, second = segments_of(left), segments_of(right)
    both = Segments(
        class_number=np.concatenate([first.class_number, second.class_number]),
        column=np.concatenate([first.column, second.column + left.shape[1]]),
        first=np.concatenate([first.first, second.first]),
        last=np.concatenate([first.last, second.last]),
    )
    assert rows(pieces.connect(both, "x")) == reference(np.hstack([left, right]))


def test_classes_do_not_join():
    mask = np.ones((3, 3), dtype=np.bool_)
    one, other = segments_of(mask, 1), segments_of(mask, 2)
    both = Segments(
        class_number=np.concatenate([one.class_number, other.class_number]),
        column=np.concatenate([one.column, other.column + 3]),
        first=np.concatenate([one.first, other.first]),
        last=np.concatenate([one.last, other.last]),
    )
    found = pieces.connect(both, "x")
    assert found.class_number.tolist() == [1, 2]
    assert found.area.tolist() == [9, 9]


@pytest.mark.parametrize("axis", ["x", "y"])
def test_no_pixels_are_no_pieces(axis):
    assert len(pieces.connect(segments_of(np.zeros((3, 3), dtype=np.bool_)), axis)) == 0
