"""Laws of elapsed time: pieces add up to the time in which any was in work, whatever ran beside what."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.execution.timing import Shares, elapsed, timed

moments = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 10)), min_size=1, max_size=8)


@given(moments)
def test_shares_add_up_to_the_time_in_which_any_was_in_work(works):
    """Works as (begin, length); the clock is moved by hand from one moment to the next."""
    at = [0.0]
    shares = Shares(now=lambda: at[0])
    changes = sorted(
        (moment, step, n) for n, (b, long) in enumerate(works) for moment, step in ((b, 1), (b + long, -1))
    )
    began, taken = {}, 0.0
    for moment, step, number in changes:
        at[0] = float(moment)
        read = shares.read(step)
        if step > 0:
            began[number] = read
        else:
            taken += read - began[number]
    seconds = sorted({moment for moment, _, _ in changes})
    busy = sum(b - a for a, b in pairwise(seconds) if any(s <= a < s + long for s, long in works))
    assert taken == pytest.approx(busy)


def test_pieces_beside_each_other_share_the_seconds():
    together = Barrier(4)

    @timed
    def piece(_):
        together.wait()
        return elapsed()

    with ThreadPoolExecutor(4) as pool:
        assert all(seconds >= 0 for seconds in pool.map(piece, range(4)))


def test_a_piece_that_fails_is_in_work_no_longer():
    from tasks.execution import timing as module

    @timed
    def fails():
        raise OSError("gone")

    before = module._shares.at_work
    with pytest.raises(OSError, match="gone"):
        fails()
    assert module._shares.at_work == before
