"""Laws of windows: indices of their pixels wherever they are counted from, and the least one that holds others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unet.images.windows import Window, hull

windows = st.builds(Window, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 9), st.integers(1, 9))


def pixels(window):
    ys, xs = window.slices
    return {(y, x) for y in range(ys.start, ys.stop) for x in range(xs.start, xs.stop)}


@given(st.lists(windows, min_size=1, max_size=4))
def test_a_hull_holds_all_pixels_and_each_of_its_edges_touches_one(some):
    held = set().union(*map(pixels, some))
    around = hull(some)
    assert held <= pixels(around)
    ys, xs = ({pixel[axis] for pixel in held} for axis in (0, 1))
    assert (around.y, around.x) == (min(ys), min(xs))
    assert around.slices == (slice(min(ys), max(ys) + 1), slice(min(xs), max(xs) + 1))


@given(windows)
def test_within_another_it_has_the_same_pixels(window):
    plane = np.arange(40 * 40).reshape(40, 40)
    outer = Window(window.y - 3, window.x - 1, window.height + 5, window.width + 2)
    moved = Window(window.y + 15, window.x + 15, window.height, window.width)
    cut = plane[Window(outer.y + 15, outer.x + 15, outer.height, outer.width).slices]
    np.testing.assert_array_equal(cut[window.within(outer).slices], plane[moved.slices])
