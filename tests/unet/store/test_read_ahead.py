"""Laws of reading ahead: in order, no further than was said, faults at their place, and no thread is left."""

import threading
import time
from contextlib import closing

import pytest

from unet.store.read_ahead import read_ahead

AHEAD = 4


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read ahead")]


def values(read, items):
    with closing(read_ahead(read, items, 2, AHEAD)) as coming:
        for _, value in coming:
            yield value.result()


def test_work_is_done_ahead_in_order():
    """The last of the first few is begun before the first is asked for twice; late ones do not overtake."""
    begun, are_ahead = [], threading.Event()

    def work(step):
        begun.append(step)
        if len(begun) > AHEAD:
            are_ahead.set()
        time.sleep(0.02 * (step % 2))
        return step

    with closing(values(work, range(3, 20))) as steps:
        assert next(steps) == 3
        assert are_ahead.wait(60)
        assert sorted(begun) == list(range(3, 3 + AHEAD + 1))
        assert list(steps) == list(range(4, 20))
    assert not readers()


def test_a_fault_of_a_thread_is_raised_at_its_step_and_no_thread_is_left():
    def work(step):
        if step >= 2:
            raise OSError(f"step {step}")
        return step

    steps = values(work, range(9))
    assert [next(steps), next(steps)] == [0, 1]
    with pytest.raises(OSError, match="step 2"):
        next(steps)
    assert not readers()


def test_whoever_asks_no_more_leaves_no_thread():
    with closing(read_ahead(str, range(1000), 2, AHEAD)) as coming:
        assert next(coming)[0] == 0
        assert readers()
    assert not readers()
