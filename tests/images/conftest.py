import numpy as np
import pytest

from tests.images.pictures import HEIGHT, WIDTH


@pytest.fixture
def pixels():
    """A picture with a different number in every corner and no two channels alike."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([rows * 10, columns * 6, rows * 5 + columns * 3], axis=-1).astype(np.uint8)
