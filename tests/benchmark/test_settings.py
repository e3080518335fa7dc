import pytest

from steel_defect_detection.benchmark.settings import Settings
from steel_defect_detection.errors import ConfigError


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"mixes": ("all",)}, "mixes must be among clean, half, got 'all'"),
        ({"mixes": ()}, "mixes must be among clean, half, got none"),
        ({"count": 1}, "count must be at least 2, got 1"),
        ({"size": (50, 64)}, "the reference way takes sizes that 32 divides, got (50, 64)"),
    ],
)
def test_impossible_settings_are_refused(wrong, text):
    with pytest.raises(ConfigError) as error:
        Settings(**wrong)
    assert str(error.value) == text
