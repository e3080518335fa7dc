from threading import Barrier, Event

import pytest

from steel_defect_detection.web.queue import Queue
from steel_defect_detection.web.refusals import RefusedError


@pytest.fixture
def gate():
    """Holds all work up until it is set."""
    event = Event()
    yield event
    event.set()


@pytest.fixture
def queue(gate):
    """A line for four, with one thread, whose work is to double a number."""

    def double(number):
        assert gate.wait(20)
        return 2 * number

    made = Queue(double, threads=1, most=4)
    yield made
    gate.set()
    made.stop()


def test_outcomes_come_in_the_order_of_the_work(queue, gate):
    gate.set()
    assert [future.result(20) for future in queue.add([1, 2, 3])] == [2, 4, 6]


def test_a_line_that_would_get_too_long_takes_nothing_of_a_request(queue):
    queue.add([1, 2, 3])
    with pytest.raises(RefusedError) as caught:
        queue.add([4, 5])
    assert caught.value.status == 503
    assert str(caught.value).startswith("3 images are waiting already, of at most 4. Try again in")
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 60
    assert len(queue) == 3
    queue.add([4])


def test_what_is_cancelled_leaves_the_line_and_is_not_done(queue, gate):
    first, second = queue.add([1, 2])
    while not first.running():
        pass
    assert second.cancel()
    assert len(queue) == 1
    gate.set()
    assert first.result(20) == 2


def test_work_is_done_by_several_threads_at_the_same_time():
    together = Barrier(3)
    queue = Queue(lambda _: together.wait(20), threads=3, most=9)
    assert sorted(future.result(20) for future in queue.add([0, 0, 0])) == [0, 1, 2]
    queue.stop()


def test_a_failure_is_the_outcome_of_its_own_work_only():
    queue = Queue(lambda number: 1 / number, threads=1, most=9)
    broken, whole = queue.add([0, 2])
    with pytest.raises(ZeroDivisionError):
        broken.result(20)
    assert whole.result(20) == 0.5
    assert len(queue) == 0
    queue.stop()


def test_a_line_that_does_not_move_is_stuck(queue, gate):
    assert not queue.is_stuck(0)
    (future,) = queue.add([1])
    assert queue.is_stuck(0)
    assert not queue.is_stuck(60)
    gate.set()
    future.result(20)


def test_after_the_end_nothing_is_taken_and_all_is_finished(queue, gate):
    (future,) = queue.add([1])
    gate.set()
    queue.stop()
    assert future.result(0) == 2
    with pytest.raises(RefusedError, match="the server is stopping"):
        queue.add([2])
