import re

import numpy as np
import pytest

from steel_defect_detection.errors import ConfigError
from tests.coil import built


def test_a_coil_reaches_to_the_end_of_its_last_image():
    assert built.coil([], length=5000.0, images=5).length == 5000


def test_what_was_not_read_is_unseen_and_neighbours_are_one_stretch():
    coil = built.coil([], length=5000.0, images=5, unread=[1, 2, 4])
    assert coil.unseen().tolist() == [[1000, 3000], [4000, 5000]]
    assert coil.seen == 2000


def test_gaps_between_images_are_unseen():
    from dataclasses import replace

    coil = replace(built.coil([], length=3000.0, images=3), starts=np.array([0.0, 1500.0, 2500.0]))
    assert coil.unseen().tolist() == [[1000, 1500]]


def test_what_was_seen_before_a_place_leaves_out_the_unseen():
    coil = built.coil([], length=5000.0, images=5, unread=[1])
    places = np.array([0.0, 500.0, 1500.0, 2000.0, 2600.0])
    assert coil.seen_before(places).tolist() == [0, 500, 1000, 1000, 1600]


def test_all_is_seen_where_all_was_read():
    coil = built.coil([], length=5000.0, images=5)
    assert coil.seen_before(np.array([1234.0])).tolist() == [1234]


def test_defects_come_in_their_order_along_the_coil():
    coil = built.coil([(300, 5, 1), (100, 9, 2), (200, 1, 1)])
    assert coil.defects.along.tolist() == [100, 200, 300]
    assert len(coil.defects.take(np.array([2]))) == 1


def test_images_on_top_of_each_other_are_refused():
    from dataclasses import replace

    message = (
        "0001.png begins before 0000.png ends: images must follow each other along the coil. "
        "Mend the order, or the starts in it"
    )
    with pytest.raises(ConfigError, match=re.escape(message)):
        replace(built.coil([], length=2000.0, images=2), starts=np.array([0.0, 500.0]))


def test_pixels_have_a_size():
    with pytest.raises(ConfigError, match="mm_per_pixel must be positive, got 0"):
        built.coil([], mm_per_pixel=0.0)
