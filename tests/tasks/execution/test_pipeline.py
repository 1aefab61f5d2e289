"""Laws of overlap: the order is kept, errors come through, and no more is held than was said."""

import threading
import time

import pytest

from tasks.execution.pipeline import READERS, Clock, overlapped


def test_everything_is_read_computed_and_written_once_in_order():
    written = {}
    done = list(overlapped(range(9), lambda i: i * i, lambda i, v: (i, v), written.__setitem__, Clock()))
    assert done == list(range(9))
    assert written == {i: (i, i * i) for i in range(9)}


@pytest.mark.parametrize("where", ["read", "compute", "write"])
def test_the_first_error_is_raised_and_what_was_written_before_it_stays(where):
    written = []

    def failing(stage, result):
        def work(item, *values):
            if stage == where and item == 3:
                raise OSError(f"{stage} failed")
            return result(item)

        return work

    with pytest.raises(OSError, match=f"{where} failed"):
        list(
            overlapped(
                range(6),
                failing("read", lambda i: i),
                failing("compute", lambda i: i),
                failing("write", written.append),
                Clock(),
            )
        )
    assert written[:3] == [0, 1, 2]
    assert 3 not in written


def test_no_more_is_held_than_was_said():
    held, most, lock = set(), [0], threading.Lock()

    def read(item):
        with lock:
            held.add(item)
            most[0] = max(most[0], len(held))
        return item

    def write(item, _):
        time.sleep(0.02)
        with lock:
            held.remove(item)

    list(overlapped(range(20), read, lambda i, v: v, write, Clock()))
    assert most[0] <= READERS - 1 + 1 + 1 + 2  # read or being read, ordered, in work, being written


def test_reading_goes_on_while_one_is_computed():
    """By events, not by time: the second is read before the first is computed to its end."""
    second = threading.Event()

    def read(item):
        if item == 1:
            second.set()
        return item

    def compute(item, _):
        assert item > 0 or second.wait(10)

    assert list(overlapped(range(2), read, compute, lambda *_: None, Clock())) == [0, 1]


def test_waiting_is_counted():
    clock = Clock()
    list(overlapped(range(3), lambda _: time.sleep(0.5), lambda *_: None, lambda *_: None, clock))
    assert clock.waited > 0.05
