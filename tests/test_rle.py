import contextlib
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from steel_defect_detection import rle
from steel_defect_detection.errors import MaskError, RunLengthError

ANY_MASK = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))

WORKED_EXAMPLES = [
    pytest.param([[0, 0], [0, 0]], "", id="empty mask"),
    pytest.param([[1, 1], [1, 1]], "1 4", id="full mask is one run"),
    pytest.param([[1, 0], [0, 0]], "1 1", id="first pixel is number one"),
    pytest.param([[0, 0], [1, 0]], "2 1", id="second pixel lies below the first"),
    pytest.param([[1, 1, 1], [0, 0, 0]], "1 1 3 1 5 1", id="a row is a run per column"),
    pytest.param([[0, 1], [0, 1], [0, 1]], "4 3", id="a column is one run"),
    pytest.param([[0, 1], [1, 1], [1, 0]], "2 4", id="run over a column boundary"),
    pytest.param([[0, 0], [0, 1]], "4 1", id="last pixel"),
    pytest.param([[1, 0], [1, 0], [1, 0], [0, 0]], "1 3", id="three pixels from the first on"),
    pytest.param([[1, 0, 1]], "1 1 3 1", id="one row"),
]


@pytest.mark.parametrize(("mask", "runs"), WORKED_EXAMPLES)
def test_encode_lists_runs_down_the_columns(mask, runs):
    assert rle.encode(np.array(mask, dtype=bool)) == runs


@pytest.mark.parametrize(("mask", "runs"), WORKED_EXAMPLES)
def test_decode_fills_runs_down_the_columns(mask, runs):
    decoded = rle.decode(runs, shape=np.shape(mask))
    assert decoded.dtype == np.bool_
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, np.array(mask, dtype=bool))


@given(ANY_MASK)
def test_any_mask_survives_the_round_trip(mask):
    np.testing.assert_array_equal(rle.decode(rle.encode(mask), mask.shape), mask)


@given(ANY_MASK)
def test_lengths_add_up_to_the_area(mask):
    numbers = [int(word) for word in rle.encode(mask).split()]
    assert sum(numbers[1::2]) == np.count_nonzero(mask)


@given(ANY_MASK)
def test_runs_are_in_order_and_do_not_touch(mask):
    numbers = [int(word) for word in rle.encode(mask).split()]
    ends = [start + length for start, length in zip(numbers[::2], numbers[1::2], strict=True)]
    assert all(end < start for end, start in zip(ends, numbers[2::2], strict=False))


@given(ANY_MASK, st.randoms(use_true_random=False))
def test_the_order_of_runs_does_not_matter(mask, random):
    words = rle.encode(mask).split()
    pairs = list(zip(words[::2], words[1::2], strict=True))
    random.shuffle(pairs)
    shuffled = " ".join(f"{start} {length}" for start, length in pairs)
    np.testing.assert_array_equal(rle.decode(shuffled, mask.shape), mask)


@pytest.mark.parametrize("nothing", [None, float("nan"), 1])
def test_what_a_table_has_for_nothing_is_refused(nothing):
    with pytest.raises(RunLengthError, match="expected a text of numbers, got"):
        rle.decode(nothing, (4, 4))


@given(ANY_MASK)
def test_the_layout_in_memory_does_not_matter(mask):
    runs = rle.encode(mask)
    assert rle.encode(np.asfortranarray(mask)) == runs
    assert rle.encode(np.repeat(np.repeat(mask, 2, axis=0), 3, axis=1)[::2, ::3]) == runs
    assert rle.encode(mask[::-1, ::-1][::-1, ::-1]) == runs


def coco_counts(runs, shape):
    """What COCO's own routine makes of our runs: its compressed alternating lengths."""
    numbers = [int(word) for word in runs.split()]
    counts = []
    end = 0
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        counts += [start - 1 - end, length]
        end = start - 1 + length
    if end < shape[0] * shape[1]:
        counts.append(shape[0] * shape[1] - end)
    return coco.frPyObjects({"size": list(shape), "counts": counts}, *shape)["counts"]


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
def test_encode_finds_the_runs_that_coco_finds(share):
    mask = np.random.default_rng(0).random((256, 1600)) < share
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert coco_counts(rle.encode(mask), mask.shape) == theirs["counts"]


def test_decode_sets_the_pixels_that_coco_sets():
    generator = np.random.default_rng(0)
    starts = np.cumsum(generator.integers(20, 60, size=5000)) + 1
    lengths = generator.integers(1, 20, size=5000)
    runs = " ".join(f"{start} {length}" for start, length in zip(starts, lengths, strict=True))
    mask = rle.decode(runs, shape=(256, 1600))
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert coco_counts(runs, mask.shape) == theirs["counts"]
    assert coco.area(theirs) == lengths.sum()


def test_runs_that_touch_are_one_run():
    assert rle.encode(rle.decode("2 2 4 2", shape=(3, 2))) == "2 4"


@pytest.mark.parametrize("runs", ["  2   4 ", "2\t4\n", "02 004"])
def test_spaces_and_leading_zeros_do_not_matter(runs):
    assert rle.encode(rle.decode(runs, shape=(3, 2))) == "2 4"


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        pytest.param(
            "1 2 3", "expected pairs of start and length, got 3 numbers: '1 2 3'", id="odd"
        ),
        pytest.param(
            "409600 2",
            "run 409600 2 ends at pixel 409601, but a 256 x 1600 mask has 409600 pixels",
            id="over the end",
        ),
        pytest.param("5 -1", "expected positive integers, got '-1' in '5 -1'", id="negative"),
        pytest.param("0 4", "expected positive integers, got '0' in '0 4'", id="zero"),
        pytest.param("1 1.5", "expected positive integers, got '1.5' in '1 1.5'", id="fraction"),
        pytest.param("1_0 1", "expected positive integers, got '1_0' in '1_0 1'", id="underscore"),
        pytest.param("१ 2", "expected positive integers, got '१' in '१ 2'", id="other digits"),
        pytest.param("nan", "expected positive integers, got 'nan' in 'nan'", id="a word"),
        pytest.param("5 3 7 2", "runs 5 3 and 7 2 overlap", id="overlap"),
        pytest.param("7 2 5 3", "runs 5 3 and 7 2 overlap", id="unordered overlap"),
        pytest.param("5 3 5 3", "runs 5 3 and 5 3 overlap", id="twice"),
        pytest.param("5 9 6 2 9 1", "runs 5 9 and 6 2 overlap", id="one inside another"),
        pytest.param(
            "9" * 18 + " 1",
            f"run {'9' * 18} 1 ends at pixel {'9' * 18}, but a 256 x 1600 mask has 409600 pixels",
            id="far outside",
        ),
        pytest.param(
            "9" * 400 + " 1",
            f"expected positive integers, got '{'9' * 59}…' in '{'9' * 59}…'",
            id="absurd",
        ),
        pytest.param(
            "1 2 " * 1000 + "3",
            f"expected pairs of start and length, got 2001 numbers: '{('1 2 ' * 20)[:59]}…'",
            id="long strings are shortened",
        ),
    ],
)
def test_decode_says_what_is_wrong(runs, message):
    with pytest.raises(RunLengthError, match=f"^{re.escape(message)}$"):
        rle.decode(runs, shape=(256, 1600))


@given(st.text(alphabet="0123456789 -.x", max_size=20))
def test_decode_gives_a_mask_or_its_own_error(runs):
    with contextlib.suppress(RunLengthError):
        assert rle.decode(runs, shape=(4, 5)).shape == (4, 5)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        pytest.param(
            np.zeros((256, 1600)),
            "expected a bool mask (height, width), got float64 of shape (256, 1600)",
            id="float",
        ),
        pytest.param(
            np.zeros((2, 3), dtype=np.uint8),
            "expected a bool mask (height, width), got uint8 of shape (2, 3)",
            id="uint8",
        ),
        pytest.param(
            np.zeros((4, 2, 3), dtype=bool),
            "expected a bool mask (height, width), got bool of shape (4, 2, 3)",
            id="stack",
        ),
    ],
)
def test_encode_takes_only_bool_masks(mask, message):
    with pytest.raises(MaskError, match=f"^{re.escape(message)}$"):
        rle.encode(mask)


@pytest.mark.parametrize("thing", [None, [[True]], "1 1"])
def test_encode_takes_only_arrays(thing):
    with pytest.raises(MaskError, match="expected a bool mask"):
        rle.encode(thing)


@pytest.mark.parametrize("shape", [None, 12, (3,), (-3, 4), (3.0, 4.0), (float("nan"), 4), "34"])
def test_a_shape_is_two_whole_numbers(shape):
    for read in (rle.decode, rle.pairs):
        with pytest.raises(RunLengthError, match="expected the height and width of a mask"):
            read("1 1", shape)
