import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.coil import joining
from steel_defect_detection.coil.pieces import Pieces


def pieces(*boxes):
    """Full boxes: class, first and last along, first and last across."""
    class_number, a, b, c, d = np.array(boxes, dtype=np.int64).reshape(-1, 5).T
    return Pieces(
        class_number=class_number,
        area=(b - a + 1) * (d - c + 1),
        along=(a + b + 1) / 2,
        across=(c + d + 1) / 2,
        along_first=a,
        along_last=b,
        across_first=c,
        across_last=d,
    )


def test_pieces_with_as_many_pixels_between_them_are_joined():
    # Pixels 10 to 14 lie between 0..9 and 15..19: five of them.
    two = pieces((1, 0, 9, 0, 3), (1, 15, 19, 0, 3))
    assert len(joining.join(two, 4)) == 2
    found = joining.join(two, 5)
    assert found.area.tolist() == [60]
    # 40 pixels about 5 and 20 about 17.5.
    assert np.isclose(found.along, (40 * 5 + 20 * 17.5) / 60).all()
    assert (found.along_first.tolist(), found.along_last.tolist()) == ([0], [19])


def test_distance_counts_across_too():
    two = pieces((1, 0, 9, 0, 3), (1, 0, 9, 9, 12))
    assert len(joining.join(two, 4)) == 2
    assert len(joining.join(two, 5)) == 1


def test_classes_stay_apart():
    assert len(joining.join(pieces((1, 0, 9, 0, 3), (2, 11, 19, 0, 3)), 8)) == 2


def test_a_row_of_specks_is_one_defect():
    specks = pieces(*((1, 10 * number, 10 * number + 4, 0, 3) for number in range(6)))
    assert joining.join(specks, 5).area.tolist() == [120]


BOXES = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.integers(0, 40),
        st.integers(0, 6),
        st.integers(0, 40),
        st.integers(0, 6),
    ),
    max_size=12,
).map(lambda found: [(k, a, a + b, c, c + d) for k, a, b, c, d in found])


def groups(boxes, distance):
    """How many groups there are, pair by pair."""
    left, count = set(range(len(boxes))), 0
    while left:
        count, waiting = count + 1, [left.pop()]
        while waiting:
            k, a, b, c, d = boxes[waiting.pop()]
            near = {
                other
                for other in left
                if boxes[other][0] == k
                and max(boxes[other][1] - b, a - boxes[other][2]) - 1 <= distance
                and max(boxes[other][3] - d, c - boxes[other][4]) - 1 <= distance
            }
            left -= near
            waiting += near
    return count


@given(BOXES, st.integers(0, 9))
def test_groups_are_those_that_comparing_all_pairs_gives(boxes, distance):
    found = joining.join(pieces(*boxes), distance)
    assert len(found) == groups(boxes, distance)
    assert found.area.sum() == pieces(*boxes).area.sum()
