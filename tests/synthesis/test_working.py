import os

import numpy as np
import pytest

from steel_defect_detection.errors import ConfigError, SynthesisError
from steel_defect_detection.synthesis.draw import StripDrawer
from steel_defect_detection.synthesis.made import Made
from steel_defect_detection.synthesis.working import Job, work


class Moody:
    """Makes nothing of odd seeds, and nothing at all of class 3."""

    way = "draw"

    def make(self, number, seed):
        if number == 3 or seed % 2:
            msg = f"not with seed {seed}"
            raise SynthesisError(msg)
        if number == 4:
            msg = "no such class"
            raise ConfigError(msg)
        return Made(image=np.full((4, 4, 1), number, np.uint8), masks=None)


def test_another_seed_is_tried_and_written_down():
    (result,) = work({"train": Moody()}, [Job("train", 1, 7)])
    assert result.seed != 7
    assert result.seed % 2 == 0
    assert result.made.image[0, 0, 0] == 1


def test_what_cannot_be_made_is_an_error():
    with pytest.raises(SynthesisError, match="not with seed"):
        list(work({"train": Moody()}, [Job("train", 3, 0)]))
    with pytest.raises(ConfigError, match="no such class"):
        list(work({"train": Moody()}, [Job("train", 4, 0)]))


class Dying:
    """Ends its process, as a system short of memory does."""

    way = "draw"

    def make(self, number, seed):
        os._exit(9)


def test_a_process_that_ends_by_itself_is_named():
    with pytest.raises(SynthesisError, match=r"one of 2 processes ended by itself.*--workers"):
        list(work({"train": Dying()}, [Job("train", 1, 0)] * 40, workers=2))


def test_the_number_of_processes_makes_no_difference():
    jobs = [Job("train", number % 5, number) for number in range(33)]
    makers = {"train": StripDrawer(shape=(64, 64))}
    alone = list(work(makers, jobs))
    together = list(work(makers, jobs, workers=2))
    assert [result.seed for result in alone] == [result.seed for result in together]
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.made.image, other.made.image)
        assert np.array_equal(one.made.masks, other.made.masks)


def test_errors_of_other_processes_arrive():
    with pytest.raises(ConfigError, match="at least 64 x 64 and at most"):
        list(work({"train": StripDrawer(shape=(8, 8))}, [Job("train", 1, 0)] * 40, workers=2))
