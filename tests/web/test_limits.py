import pytest

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.web.limits import Limits


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_bytes": 0}, "max_bytes must be positive, got 0"),
        ({"timeout": -1.0}, "timeout must be positive, got -1"),
        ({"timeout": float("nan")}, "timeout must be positive, got nan"),
        ({"max_pixels": 200_000_000}, "max_pixels must be at most 100,000,000, got 200,000,000"),
        (
            {"max_images": 9, "queue": 8},
            "a request of 9 images would never fit into a queue of 8. Raise queue or lower "
            "max_images",
        ),
    ],
)
def test_limits_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ConfigError) as caught:
        Limits(**settings)
    assert str(caught.value) == said


def test_four_of_the_largest_requests_fit_into_memory():
    assert Limits(max_bytes=10).held_bytes == 40
