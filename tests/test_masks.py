import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from steel_defect_detection import masks
from steel_defect_detection.errors import MaskError

CORNERS_TOUCH = np.ones((3, 3), dtype=bool)

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=10)
ANY_MASK = hnp.arrays(np.bool_, SHAPES)
ANY_LABEL_MAP = hnp.arrays(np.uint8, SHAPES, elements=st.integers(0, 3))
ANY_PROBABILITIES = SHAPES.flatmap(
    lambda shape: hnp.arrays(
        np.float32, (3, *shape), elements=st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.75, 1.0])
    )
)
ANY_THRESHOLDS = st.lists(st.sampled_from([0.0, 0.4, 0.5, 1.0]), min_size=3, max_size=3)
ANY_AREAS = st.lists(st.integers(0, 12), min_size=3, max_size=3)


def planes(*rows):
    return np.array(rows, dtype=np.float32)[:, None, :]


def stack(*rows):
    return np.array(rows, dtype=bool)[:, None, :]


class TestClean:
    def test_the_highest_probability_wins(self):
        label_map = masks.clean(
            planes([0.6, 0.9], [0.8, 0.7]), thresholds=[0.5, 0.5], min_areas=[0, 0]
        )
        assert label_map.tolist() == [[2, 1]]
        assert label_map.dtype == np.uint8

    def test_a_class_below_its_threshold_loses_to_a_lower_one_above_its_own(self):
        label_map = masks.clean(planes([0.8], [0.3]), thresholds=[0.9, 0.2], min_areas=[0, 0])
        assert label_map.tolist() == [[2]]

    def test_no_probability_at_all_is_no_defect_at_any_threshold(self):
        label_map = masks.clean(planes([0.0, 1e-6]), thresholds=[0.0], min_areas=[0])
        assert label_map.tolist() == [[0, 1]]

    def test_a_probability_on_its_threshold_is_enough(self):
        label_map = masks.clean(planes([0.7, 0.6999]), thresholds=np.array([0.7]), min_areas=[0])
        assert label_map.tolist() == [[1, 0]]

    def test_the_first_of_two_equal_classes_wins(self):
        label_map = masks.clean(planes([0.8], [0.8]), thresholds=[0.5, 0.5], min_areas=[0, 0])
        assert label_map.tolist() == [[1]]

    def test_a_component_of_exactly_the_smallest_area_stays(self):
        label_map = masks.clean(planes([1, 1, 0, 1, 1, 1, 0, 1]), thresholds=[0.5], min_areas=[2])
        assert label_map.tolist() == [[1, 1, 0, 1, 1, 1, 0, 0]]

    def test_each_class_has_its_own_smallest_area(self):
        label_map = masks.clean(
            planes([1, 1, 0, 0], [0, 0, 1, 1]), thresholds=[0.5, 0.5], min_areas=[2, 3]
        )
        assert label_map.tolist() == [[1, 1, 0, 0]]

    def test_pixels_that_touch_by_a_corner_are_one_component(self):
        diagonal = np.eye(4, dtype=np.float32)[None]
        label_map = masks.clean(diagonal, thresholds=[0.5], min_areas=[4])
        assert np.count_nonzero(label_map) == 4

    def test_an_image_without_defects_stays_empty(self):
        label_map = masks.clean(
            np.full((4, 6, 8), 0.4, dtype=np.float32), thresholds=[0.5] * 4, min_areas=[0] * 4
        )
        assert label_map.shape == (6, 8)
        assert not label_map.any()

    def test_holes_stay_unless_they_are_to_be_filled(self):
        ring = np.ones((1, 3, 3), dtype=np.float32)
        ring[0, 1, 1] = 0
        kept = masks.clean(ring, thresholds=[0.5], min_areas=[0])
        filled = masks.clean(ring, thresholds=[0.5], min_areas=[0], fill_holes=True)
        assert kept[1, 1] == 0
        assert filled.all()

    def test_a_filled_hole_counts_towards_the_area(self):
        ring = np.ones((1, 3, 3), dtype=np.float32)
        ring[0, 1, 1] = 0
        label_map = masks.clean(ring, thresholds=[0.5], min_areas=[9], fill_holes=True)
        assert label_map.all()

    def test_a_hole_is_not_filled_over_another_class(self):
        probabilities = np.zeros((2, 5, 5), dtype=np.float32)
        probabilities[0] = 1
        probabilities[0, 1:4, 1:4] = 0
        probabilities[1, 2, 2] = 1
        label_map = masks.clean(
            probabilities, thresholds=[0.5, 0.5], min_areas=[0, 0], fill_holes=True
        )
        assert label_map[2, 2] == 2
        assert np.count_nonzero(label_map == 1) == 24

    def test_a_bay_that_opens_to_the_border_is_no_hole(self):
        bay = np.ones((1, 3, 3), dtype=np.float32)
        bay[0, 0, 1] = bay[0, 1, 1] = 0
        label_map = masks.clean(bay, thresholds=[0.5], min_areas=[0], fill_holes=True)
        assert np.count_nonzero(label_map) == 7

    @given(ANY_MASK)
    def test_holes_are_those_that_scipy_fills(self, mask):
        label_map = masks.clean(
            mask[None].astype(np.float32), thresholds=[0.5], min_areas=[0], fill_holes=True
        )
        np.testing.assert_array_equal(label_map == 1, ndimage.binary_fill_holes(mask))

    @given(ANY_MASK, st.integers(0, 12))
    def test_components_are_kept_as_scipy_counts_them(self, mask, min_area):
        labels, count = ndimage.label(mask, structure=CORNERS_TOUCH)
        kept = [part for part in range(1, count + 1) if (labels == part).sum() >= min_area]
        label_map = masks.clean(
            mask[None].astype(np.float32), thresholds=[0.5], min_areas=[min_area]
        )
        np.testing.assert_array_equal(label_map == 1, np.isin(labels, kept))

    @given(ANY_PROBABILITIES, ANY_THRESHOLDS, ANY_AREAS, st.booleans())
    def test_a_larger_smallest_area_only_removes(
        self, probabilities, thresholds, min_areas, fill_holes
    ):
        label_map, stricter = (
            masks.clean(
                probabilities, thresholds=thresholds, min_areas=limits, fill_holes=fill_holes
            )
            for limits in (min_areas, [area + 3 for area in min_areas])
        )
        assert ((stricter == label_map) | (stricter == 0)).all()

    @given(ANY_PROBABILITIES, ANY_THRESHOLDS, ANY_AREAS)
    def test_every_defect_pixel_reaches_its_threshold_and_no_rival_is_higher(
        self, probabilities, thresholds, min_areas
    ):
        label_map = masks.clean(probabilities, thresholds=thresholds, min_areas=min_areas)
        for row, column in np.argwhere(label_map):
            pixel = probabilities[:, row, column]
            winner = pixel[label_map[row, column] - 1]
            assert winner >= np.float32(thresholds[label_map[row, column] - 1])
            assert not ((pixel > winner) & (pixel >= np.float32(thresholds))).any()

    @given(ANY_PROBABILITIES, ANY_THRESHOLDS)
    def test_a_pixel_stays_empty_only_if_no_class_reaches_its_threshold(
        self, probabilities, thresholds
    ):
        label_map = masks.clean(probabilities, thresholds=thresholds, min_areas=[0, 0, 0])
        limits = np.array(thresholds, dtype=np.float32)[:, None, None]
        reach = (probabilities >= limits) & (probabilities > 0)
        np.testing.assert_array_equal(label_map > 0, reach.any(axis=0))

    def test_the_probabilities_are_not_changed(self):
        probabilities = planes([0.6, 0.9], [0.8, 0.7])
        before = probabilities.copy()
        masks.clean(probabilities, thresholds=[0.5, 0.5], min_areas=[9, 9], fill_holes=True)
        np.testing.assert_array_equal(probabilities, before)

    @pytest.mark.parametrize(
        ("probabilities", "message"),
        [
            pytest.param(
                np.zeros((2, 3), dtype=np.float32),
                "expected float probabilities (classes, height, width), "
                "got float32 of shape (2, 3)",
                id="one plane",
            ),
            pytest.param(
                np.zeros((1, 2, 3), dtype=np.uint8),
                "expected float probabilities (classes, height, width), "
                "got uint8 of shape (1, 2, 3)",
                id="integers",
            ),
            pytest.param(
                np.zeros((0, 2, 3), dtype=np.float32),
                "expected float probabilities (classes, height, width), "
                "got float32 of shape (0, 2, 3)",
                id="no class",
            ),
            pytest.param(
                planes([-3.25, 8]),
                "expected probabilities from 0 to 1, got -3.25 to 8",
                id="logits",
            ),
            pytest.param(
                planes([0.5, np.nan]),
                "expected probabilities from 0 to 1, got nan to nan",
                id="nan",
            ),
            pytest.param(
                np.zeros((256, 1, 1), dtype=np.float32),
                "a label map holds at most 255 classes, got 256",
                id="too many classes",
            ),
        ],
    )
    def test_arrays_that_are_no_probabilities_are_refused(self, probabilities, message):
        with pytest.raises(MaskError, match=f"^{re.escape(message)}$"):
            masks.clean(probabilities, thresholds=[0.5], min_areas=[0])

    @pytest.mark.parametrize(
        ("thresholds", "min_areas", "message"),
        [
            pytest.param(
                [0.5],
                [0, 0],
                "expected one threshold and one smallest area for each of 2 classes, got 1 and 2",
                id="a threshold is missing",
            ),
            pytest.param(
                [0.5, 0.5],
                [0, 0, 0],
                "expected one threshold and one smallest area for each of 2 classes, got 2 and 3",
                id="an area too many",
            ),
            pytest.param([0.5, 50], [0, 0], "thresholds must lie in [0, 1], got 50", id="per cent"),
            pytest.param(
                [float("nan"), 0.5], [0, 0], "thresholds must lie in [0, 1], got nan", id="nan"
            ),
            pytest.param(
                [0.5, 0.5], [0, -1], "smallest areas must not be negative, got -1", id="negative"
            ),
        ],
    )
    def test_limits_that_do_not_fit_are_refused(self, thresholds, min_areas, message):
        with pytest.raises(MaskError, match=f"^{re.escape(message)}$"):
            masks.clean(planes([0.6], [0.4]), thresholds=thresholds, min_areas=min_areas)


class TestLabelMaps:
    def test_masks_apart_become_numbers(self):
        label_map = masks.to_label_map(stack([1, 0, 0], [0, 0, 1]))
        assert label_map.tolist() == [[1, 0, 2]]
        assert label_map.dtype == np.uint8

    def test_where_masks_overlap_the_highest_probability_wins(self):
        label_map = masks.to_label_map(
            stack([1, 1, 0], [1, 1, 1]), planes([0.9, 0.2, 0.9], [0.3, 0.4, 0.1])
        )
        assert label_map.tolist() == [[1, 2, 2]]

    def test_a_class_that_is_not_in_the_masks_never_wins(self):
        label_map = masks.to_label_map(stack([1, 0], [0, 0]), planes([0.0, 0.1], [0.9, 0.9]))
        assert label_map.tolist() == [[1, 0]]

    def test_overlap_without_probabilities_names_the_classes(self):
        message = (
            "classes 1, 3 overlap in 2 pixels. Pass probabilities, so that the highest can win"
        )
        with pytest.raises(MaskError, match=f"^{re.escape(message)}$"):
            masks.to_label_map(stack([1, 1, 0], [0, 0, 1], [1, 1, 0]))

    @given(ANY_LABEL_MAP)
    def test_any_label_map_survives_the_round_trip(self, label_map):
        back = masks.to_label_map(masks.from_label_map(label_map, 3))
        np.testing.assert_array_equal(back, label_map)

    @given(ANY_LABEL_MAP)
    def test_every_defect_pixel_is_in_exactly_its_mask(self, label_map):
        separate = masks.from_label_map(label_map, 4)
        assert separate.dtype == np.bool_
        assert separate.shape == (4, *label_map.shape)
        np.testing.assert_array_equal(separate.sum(axis=0), label_map > 0)
        assert all(label_map[row, column] == k + 1 for k, row, column in np.argwhere(separate))

    @given(ANY_LABEL_MAP)
    def test_areas_are_the_pixels_of_each_mask(self, label_map):
        areas = masks.areas(label_map, 4)
        assert areas.dtype == np.int64
        np.testing.assert_array_equal(
            areas, [np.count_nonzero(mask) for mask in masks.from_label_map(label_map, 4)]
        )

    def test_255_classes_fit(self):
        label_map = np.arange(256, dtype=np.uint8).reshape(16, 16)
        separate = masks.from_label_map(label_map, 255)
        np.testing.assert_array_equal(masks.to_label_map(separate), label_map)

    @pytest.mark.parametrize(
        ("array", "message"),
        [
            pytest.param(
                np.zeros((2, 3), dtype=np.int64),
                "expected a uint8 label map (height, width), got int64 of shape (2, 3)",
                id="int64",
            ),
            pytest.param(
                np.zeros((2, 3, 1), dtype=np.uint8),
                "expected a uint8 label map (height, width), got uint8 of shape (2, 3, 1)",
                id="three axes",
            ),
            pytest.param(
                np.full((2, 3), 5, dtype=np.uint8),
                "expected classes up to 4, got class 5 in the label map",
                id="a class too high",
            ),
        ],
    )
    @pytest.mark.parametrize(
        "use", [masks.check_label_map, masks.from_label_map, masks.areas], ids=lambda f: f.__name__
    )
    def test_arrays_that_are_no_label_map_are_refused(self, use, array, message):
        with pytest.raises(MaskError, match=f"^{re.escape(message)}$"):
            use(array, 4)

    def test_more_classes_than_a_byte_can_name_are_refused(self):
        message = "a label map holds at most 255 classes, got 256"
        with pytest.raises(MaskError, match=message):
            masks.check_label_map(np.zeros((2, 2), dtype=np.uint8), 256)
        with pytest.raises(MaskError, match=message):
            masks.to_label_map(np.zeros((256, 2, 2), dtype=bool))

    @pytest.mark.parametrize(
        ("array", "got"),
        [
            (np.zeros((1, 2, 3), dtype=np.uint8), "uint8 of shape (1, 2, 3)"),
            (np.zeros((2, 3), dtype=bool), "bool of shape (2, 3)"),
            (np.zeros((0, 2, 3), dtype=bool), "bool of shape (0, 2, 3)"),
        ],
    )
    def test_arrays_that_are_no_stack_are_refused(self, array, got):
        message = f"expected bool masks (classes, height, width), got {got}"
        with pytest.raises(MaskError, match=f"^{re.escape(message)}$"):
            masks.to_label_map(array)

    def test_probabilities_of_another_shape_are_refused(self):
        message = "masks have shape (1, 1, 2), but probabilities (1, 1, 3)"
        with pytest.raises(MaskError, match=f"^{re.escape(message)}$"):
            masks.to_label_map(stack([1, 0]), planes([0.1, 0.2, 0.3]))


class TestComponents:
    @given(ANY_MASK)
    def test_components_are_those_of_scipy(self, mask):
        labels, count = masks.components(mask)
        expected, expected_count = ndimage.label(mask, structure=CORNERS_TOUCH)
        assert labels.dtype == np.int32
        assert count == expected_count
        pairs = set(zip(labels.ravel().tolist(), expected.ravel().tolist(), strict=True))
        assert len(pairs) == len(np.unique(expected))
        np.testing.assert_array_equal(labels > 0, mask)

    def test_an_empty_mask_has_none(self):
        labels, count = masks.components(np.zeros((2, 3), dtype=bool))
        assert count == 0
        assert not labels.any()

    @pytest.mark.parametrize("use", [masks.components, masks.outlines], ids=lambda f: f.__name__)
    def test_only_bool_masks_are_taken(self, use):
        message = "expected a bool mask (height, width), got uint8 of shape (2, 3)"
        with pytest.raises(MaskError, match=re.escape(message)):
            use(np.zeros((2, 3), dtype=np.uint8))


class TestOutlines:
    @given(ANY_MASK)
    def test_outlines_are_the_pixels_that_an_erosion_takes_away(self, mask):
        traced = np.zeros_like(mask)
        for line in masks.outlines(mask):
            traced[line[:, 1], line[:, 0]] = True
        np.testing.assert_array_equal(traced, mask & ~ndimage.binary_erosion(mask))

    @given(ANY_MASK)
    def test_a_line_goes_from_neighbour_to_neighbour(self, mask):
        for line in masks.outlines(mask):
            assert line.dtype == np.int32
            assert line.shape == (len(line), 2)
            assert np.abs(line - np.roll(line, 1, axis=0)).max() <= 1

    def test_a_hole_has_an_outline_of_its_own(self):
        ring = np.ones((5, 5), dtype=bool)
        ring[2, 2] = False
        assert sorted(len(line) for line in masks.outlines(ring)) == [4, 16]

    def test_an_empty_mask_has_none(self):
        assert masks.outlines(np.zeros((2, 3), dtype=bool)) == []
