import numpy as np

from steel_defect_detection.coil import sight
from tests.coil import built


def test_places_on_images_that_were_not_read_are_not_seen():
    seen = sight.of_coil(built.coil([], length=5000.0, images=5, unread=[1, 3]))
    places = np.array([0.0, 999.0, 1000.0, 1999.0, 2000.0, 3500.0, 4000.0])
    assert seen.of(places).tolist() == [True, True, False, False, True, False, True]


def test_all_is_seen_where_all_was_read():
    seen = sight.of_coil(built.coil([], length=5000.0, images=5))
    assert seen.of(np.array([0.0, 4999.0])).all()
