import re
from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from steel_defect_detection import drawing
from steel_defect_detection.errors import ImageError, MaskError

STEEL = ("pitted", "crazed", "scratched", "patched")

CORNERS_TOUCH = np.ones((3, 3), dtype=bool)


def steel(height=256, width=512, grey=128):
    return np.full((height, width, 3), grey, dtype=np.uint8)


def one_defect(height=256, width=512, number=1):
    """A square of 40 pixels in the middle, with room around it."""
    label_map = np.zeros((height, width), dtype=np.uint8)
    label_map[height // 2 - 20 : height // 2 + 20, width // 2 - 20 : width // 2 + 20] = number
    return label_map


def has_color(picture, number):
    return (picture == drawing.color(number)).all(axis=-1)


def label_boxes(picture, number):
    """Rows and columns of the filled boxes in the colour of a class: outlines are thinner."""
    filled = ndimage.binary_opening(has_color(picture, number), np.ones((3, 12)))
    # Letters may cut a box in two; what lies this near belongs together.
    groups, count = ndimage.label(ndimage.binary_dilation(filled, np.ones((25, 9))))
    return ndimage.find_objects(groups * filled, count)


class TestColor:
    def test_classes_count_from_one_and_colours_repeat(self):
        assert drawing.color(1) == drawing.COLORS[0]
        assert drawing.color(len(drawing.COLORS)) == drawing.COLORS[-1]
        assert drawing.color(len(drawing.COLORS) + 1) == drawing.COLORS[0]

    @pytest.mark.parametrize(
        "blindness",
        [
            # Viénot, Brettel and Mollon 1999, in linear red, green and blue.
            pytest.param([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
                         id="protanopia"),
            pytest.param([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
                         id="deuteranopia"),
            pytest.param(np.eye(3), id="none"),
        ],
    )  # fmt: skip
    def test_the_colours_can_be_told_apart(self, blindness):
        linear = (np.array(drawing.COLORS) / 255) ** 2.2
        seen = np.clip(linear @ np.array(blindness).T, 0, 1) ** (1 / 2.2) * 255
        assert all(np.abs(one - other).max() > 20 for one, other in combinations(seen, 2))


class TestOverlay:
    def test_the_picture_has_the_size_of_the_image(self):
        picture = drawing.overlay(steel(100, 333), np.zeros((100, 333), dtype=np.uint8), STEEL)
        assert picture.shape == (100, 333, 3)
        assert picture.dtype == np.uint8

    def test_an_image_without_defects_stays_as_it_is(self):
        image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        picture = drawing.overlay(image, np.zeros((64, 64), dtype=np.uint8), STEEL)
        np.testing.assert_array_equal(picture, image)
        assert not np.shares_memory(picture, image)

    def test_grey_becomes_colour(self):
        image = np.random.default_rng(0).integers(0, 256, (64, 64, 1), dtype=np.uint8)
        picture = drawing.overlay(image, np.zeros((64, 64), dtype=np.uint8), STEEL)
        np.testing.assert_array_equal(picture, np.dstack([image[..., 0]] * 3))

    @pytest.mark.parametrize("channels", [1, 3])
    def test_neither_image_nor_label_map_is_changed(self, channels):
        image = steel()[..., :channels].copy()
        label_map = one_defect()
        drawing.overlay(image, label_map, STEEL)
        assert (image == 128).all()
        np.testing.assert_array_equal(label_map, one_defect())

    @pytest.mark.parametrize("number", [1, 2, 3, 4])
    def test_the_outline_has_the_colour_of_the_class(self, number):
        picture = drawing.overlay(steel(), one_defect(number=number), STEEL)
        assert has_color(picture, number)[128, 234:236].all()
        assert not any(has_color(picture, other).any() for other in {1, 2, 3, 4} - {number})

    def test_the_outline_is_two_pixels_just_outside_with_a_dark_rim(self):
        picture = drawing.overlay(steel(), one_defect(), STEEL)
        row = picture[140, 230:240]
        assert row[:3].tolist() == [[128] * 3] * 3
        assert row[3].max() < 40
        assert row[4:6].tolist() == [list(drawing.color(1))] * 2
        assert row[6:].tolist() == [[128] * 3] * 4

    def test_the_defect_itself_stays_visible(self):
        label_map = one_defect()
        picture = drawing.overlay(steel(), label_map, STEEL)
        assert (picture[label_map > 0] == 128).all()

    def test_the_outline_is_closed(self):
        label_map = one_defect()
        picture = drawing.overlay(steel(), label_map, STEEL)
        inside, _ = ndimage.label(~has_color(picture, 1), structure=CORNERS_TOUCH)
        assert inside[128, 256] not in {0, inside[0, 0]}

    def test_an_outline_does_not_cover_a_neighbouring_defect(self):
        label_map = one_defect()
        label_map[108:148, 277:300] = 2
        picture = drawing.overlay(steel(), label_map, ("", ""))
        assert (picture[label_map > 0] == 128).all()
        assert has_color(picture, 1).any()
        assert has_color(picture, 2).any()

    def test_classes_that_touch_are_parted_by_both_colours(self):
        label_map = one_defect()
        label_map[108:148, 276:300] = 2
        picture = drawing.overlay(steel(), label_map, ("", ""))
        assert picture[140, 274:278].tolist() == [
            [128] * 3,
            list(drawing.color(2)),
            list(drawing.color(1)),
            [128] * 3,
        ]

    @pytest.mark.parametrize("grey", [0, 255])
    def test_the_outline_shows_on_dark_and_on_bright_steel(self, grey):
        picture = drawing.overlay(steel(grey=grey), one_defect(), STEEL).astype(int)
        steps = np.abs(np.diff(picture[140, 230:240], axis=0)).max(axis=1)
        assert steps.max() > 150

    def test_lines_grow_with_the_image_but_more_slowly(self):
        widths = []
        for side in (64, 256, 1024, 4096):
            picture = drawing.overlay(steel(side, side), one_defect(side, side), ("",))
            widths.append(int(has_color(picture, 1)[side // 2, : side // 2].sum()))
        assert widths == [1, 2, 4, 8]

    @pytest.mark.parametrize(
        "shape", [(3, 3), (3, 200), (200, 3), (16, 16), (200, 200), (2000, 90)]
    )
    def test_every_size_can_be_drawn(self, shape):
        label_map = np.zeros(shape, dtype=np.uint8)
        label_map[1, 1] = 1
        picture = drawing.overlay(steel(*shape), label_map, STEEL)
        assert picture.shape == (*shape, 3)
        assert has_color(picture, 1).any()

    def test_an_image_that_is_all_defect_still_bears_its_name(self):
        picture = drawing.overlay(steel(200, 200), np.ones((200, 200), dtype=np.uint8), STEEL)
        assert has_color(picture, 1).any()


class TestNames:
    def test_a_defect_is_named_once_in_a_filled_box(self):
        assert len(label_boxes(drawing.overlay(steel(), one_defect(), STEEL), 1)) == 1

    def test_an_empty_name_draws_no_box(self):
        assert label_boxes(drawing.overlay(steel(), one_defect(), ("",)), 1) == []

    def test_the_name_does_not_lie_on_the_defect_where_there_is_room(self):
        label_map = one_defect()
        picture = drawing.overlay(steel(), label_map, STEEL)
        assert not any((label_map[box] > 0).any() for box in label_boxes(picture, 1))

    @pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
    def test_the_name_of_a_defect_in_a_corner_is_whole(self, corner):
        label_map = np.zeros((256, 512), dtype=np.uint8)
        label_map[corner] = 1
        sizes = [
            [(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in boxes]
            for boxes in (
                label_boxes(drawing.overlay(steel(), labels, STEEL), 1)
                for labels in (label_map, one_defect())
            )
        ]
        assert sizes[0] == sizes[1]

    def test_only_the_largest_of_many_defects_are_named(self):
        label_map = np.zeros((1024, 2048), dtype=np.uint8)
        for row in range(100, 1000, 120):
            for column in range(60, 2000, 200):
                label_map[row : row + 5, column : column + 5] = 1
        label_map[340:350, 660:670] = 1
        boxes = label_boxes(drawing.overlay(steel(1024, 2048), label_map, ("x" * 6,)), 1)
        assert len(boxes) == 20
        assert any(abs(rows.stop - 340) < 30 and abs(cols.start - 660) < 30 for rows, cols in boxes)

    def test_names_do_not_cover_each_other(self):
        label_map = np.zeros((256, 512), dtype=np.uint8)
        label_map[100:110, 100:110] = 1
        label_map[100:110, 115:125] = 2
        label_map[100:110, 130:140] = 3
        picture = drawing.overlay(steel(), label_map, STEEL)
        boxes = [label_boxes(picture, number) for number in (1, 2, 3)]
        assert [len(found) for found in boxes] == [1, 1, 1]

    def test_a_crowd_of_defects_leaves_names_out(self):
        label_map = np.zeros((60, 60), dtype=np.uint8)
        label_map[::6, ::6] = 1
        picture = drawing.overlay(steel(60, 60), label_map, ("scratched",))
        assert not has_color(picture, 1).all()
        assert has_color(picture, 1).any()

    @pytest.mark.parametrize("number", range(1, 8))
    def test_the_letters_stand_out_from_their_box(self, number):
        picture = drawing.overlay(steel(), one_defect(number=number), ("HHHH",) * 7)
        rows, columns = label_boxes(picture, number)[0]
        box = picture[rows, columns].astype(int)
        ink = [(box < 30).all(axis=-1).sum(), (box > 225).all(axis=-1).sum()]
        linear = (np.array(drawing.color(number)) / 255) ** 2.2 @ (0.2126, 0.7152, 0.0722)
        contrasts = [(linear + 0.05) / 0.05, 1.05 / (linear + 0.05)]
        # 4.5 to 1 is what the Web's guidelines ask of text.
        assert contrasts[int(np.argmax(ink))] >= 4.5

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("Größe", id="German"),
            pytest.param("Царапина", id="Russian"),
            pytest.param("表面缺陷", id="Chinese"),
            pytest.param("scratch \N{WRENCH}", id="emoji"),
            pytest.param("a\nb\tc\0d", id="control characters"),
            pytest.param("bad\udcff", id="undecodable file name"),
            pytest.param("n" * 5000, id="endless"),
            pytest.param("\N{RIGHT-TO-LEFT OVERRIDE}x", id="right to left"),
        ],
    )
    def test_any_name_can_be_drawn(self, name):
        picture = drawing.overlay(steel(), one_defect(), (name,))
        assert len(label_boxes(picture, 1)) == 1

    def test_a_picture_too_low_for_text_bears_no_names(self):
        label_map = np.zeros((32, 200), dtype=np.uint8)
        label_map[16, 100] = 1
        assert label_boxes(drawing.overlay(steel(32, 200), label_map, STEEL), 1) == []

    def test_a_name_too_long_for_the_picture_is_cut(self):
        label_map = one_defect(200, 200)
        picture = drawing.overlay(steel(200, 200), label_map, ("a name without end " * 3,))
        (_, columns) = label_boxes(picture, 1)[0]
        assert columns.stop - columns.start > 150


@pytest.mark.parametrize(
    ("image", "label_map", "error", "message"),
    [
        pytest.param(
            steel(4, 5),
            np.zeros((5, 4), dtype=np.uint8),
            MaskError,
            "expected a label map of shape (4, 5) like the image, got (5, 4)",
            id="another shape",
        ),
        pytest.param(
            steel(4, 5),
            np.zeros((4, 5), dtype=np.int64),
            MaskError,
            "expected a uint8 label map (height, width), got int64 of shape (4, 5)",
            id="int64 label map",
        ),
        pytest.param(
            steel(4, 5),
            np.full((4, 5), 5, dtype=np.uint8),
            MaskError,
            "expected classes up to 4, got class 5 in the label map",
            id="a class too high",
        ),
        pytest.param(
            steel(4, 5) / 255,
            np.zeros((4, 5), dtype=np.uint8),
            ImageError,
            "image: expected a uint8 image (height, width, 1 or 3 channels), "
            "got float64 of shape (4, 5, 3)",
            id="float image",
        ),
        pytest.param(
            steel(4, 5)[..., 0],
            np.zeros((4, 5), dtype=np.uint8),
            ImageError,
            "image: expected a uint8 image (height, width, 1 or 3 channels), "
            "got uint8 of shape (4, 5)",
            id="image without channels",
        ),
    ],
)
def test_what_does_not_fit_is_refused(image, label_map, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        drawing.overlay(image, label_map, STEEL)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(200, 200), (8, 9), (256, 1600)])
def test_a_caption_stands_below_the_image_and_its_bar_is_as_long_as_it_is_probable(shape, channels):
    image = np.full((*shape, channels), 77, dtype=np.uint8)
    picture = drawing.caption(image, "scratch", 0.25, (1, 200, 3))
    assert picture.dtype == np.uint8
    assert (picture[: shape[0], : shape[1]] == 77).all()
    assert picture.shape[0] > shape[0]
    filled = (picture[-1] == (1, 200, 3)).all(axis=1)
    assert filled.mean() == pytest.approx(0.25, abs=1 / picture.shape[1])
    assert filled[: filled.sum()].all()
    written = picture[shape[0] : -4]
    assert (written > 200).any()


def test_a_caption_survives_any_name():
    image = np.zeros((20, 20, 1), dtype=np.uint8)
    for name in ("", "\udc80" * 100, "ä" * 3000):
        assert drawing.caption(image, name, 1.0, drawing.CLEAN).shape[1] < 2000
