"""Law of the first pass: along a row it knows the two nearest distinct objects of every pixel, and who is nearest."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet.weight_maps.two_nearest import first_pass

REACH = 12
rows = arrays(np.int32, st.tuples(st.integers(1, 3), st.integers(1, 30)), elements=st.sampled_from([0, 0, 0, 1, 2, 3]))


def states(ids):
    near, far, who = (np.zeros(ids.shape, kind) for kind in (np.float32, np.float32, np.int32))
    squares = np.arange(REACH, dtype=np.float32) ** 2
    first_pass(ids, squares, near, far, who)
    return near, far, who


@given(rows)
def test_the_two_nearest_of_a_row_are_those_of_a_walk_over_all_its_pixels(ids):
    near, far, who = states(ids)
    for y, x in np.ndindex(*ids.shape):
        squares = {}
        for at, found in enumerate(ids[y]):
            if found and abs(at - x) < REACH:
                squares[found] = min(squares.get(found, np.inf), (at - x) ** 2)
        first, second, *_ = [*sorted(squares.values()), np.inf, np.inf]
        assert (near[y, x], far[y, x]) == (first, second)
        assert first == np.inf or squares[who[y, x]] == first
