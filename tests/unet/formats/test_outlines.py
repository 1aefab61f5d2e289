"""Laws of outlines: a pixel is within where its centre is; neighbours share nothing; what is odd is told."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.formats.outlines import Filling, Outline, inside

corners = st.lists(st.tuples(*[st.integers(-8, 40).map(lambda n: n / 4)] * 2), min_size=3, max_size=9)


def slow_inside(rings, height, width):
    """The ray to the left of each centre, edge by edge, in fractions."""
    found = np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            cx, cy = Fraction(2 * column + 1, 2), Fraction(2 * row + 1, 2)
            for ring in rings:
                exact = [tuple(map(Fraction, corner)) for corner in ring]
                for (x0, y0), (x1, y1) in zip(exact, [*exact[1:], exact[0]], strict=True):
                    if (y0 <= cy) != (y1 <= cy) and x0 + (cy - y0) * (x1 - x0) / (y1 - y0) <= cx:
                        found[row, column] ^= True
    return found


def box(height, width):
    return slice(0, height), slice(0, width)


@given(st.lists(corners, min_size=1, max_size=3))
def test_a_pixel_is_within_where_a_ray_from_its_centre_crosses_an_odd_number_of_edges(rings):
    found = inside([np.array(ring, float) for ring in rings], box(9, 8))
    np.testing.assert_array_equal(found, slow_inside(rings, 9, 8))


@given(st.lists(st.tuples(*[st.floats(0, 8)] * 2), min_size=1, max_size=5))
def test_two_that_share_a_line_share_no_pixel_and_leave_none_out(line):
    """The square is cut in two by a line from the middle of its upper edge to that of its lower one."""
    line = [(4.0, 0.0), *line, (4.0, 8.0)]
    left = np.array([(0.0, 0.0), *line, (0.0, 8.0)])
    right = np.array([(8.0, 8.0), *line[::-1], (8.0, 0.0)])
    parts = [inside([ring], box(8, 8)) for ring in (left, right)]
    assert (parts[0] ^ parts[1]).all()


def test_by_hand():
    triangle = np.array([(0, 0), (4, 0), (0, 4)])
    hole = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    assert inside([triangle], box(4, 4)).astype(int).tolist() == [
        [1, 1, 1, 0],
        [1, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert inside([triangle, hole], box(2, 3)).astype(int).tolist() == [[0, 1, 1], [1, 1, 0]]


def square(left, top, side, **at):
    ring = np.array([(left, top), (left + side, top), (left + side, top + side), (left, top + side)], float)
    return Outline((ring,), at, "one")


def test_each_lies_on_its_planes_with_its_id_and_the_later_one_on_top():
    filling = Filling((square(0, 0, 2, z=0), square(1, 0, 2), square(-1, 1, 2, z=1)), "zyx", (2, 3, 4))
    assert filling.plane((0,)).tolist() == [[1, 2, 2, 0], [1, 2, 2, 0], [0, 0, 0, 0]]
    assert filling.plane((1,)).tolist() == [[0, 2, 2, 0], [3, 2, 2, 0], [3, 0, 0, 0]]
    pixels, covered = filling.counts
    assert (pixels.tolist(), covered) == ([4, 8, 2], 2)


def test_a_large_one_is_filled_in_parts(monkeypatch):
    angle = np.linspace(0, 2 * np.pi, 999)
    ring = np.stack([50 + 40 * np.cos(angle), 50 + 40 * np.sin(angle)], axis=1)
    whole = inside([ring], box(100, 100))
    monkeypatch.setattr("unet.formats.outlines.CROSSED_AT_ONCE", 7)
    np.testing.assert_array_equal(inside([ring], box(100, 100)), whole)
    assert whole.sum() == pytest.approx(np.pi * 40**2, rel=0.01)
