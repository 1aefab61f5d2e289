"""Laws of blocks: a pixel of a block is that pixel of the whole, and outer layers are the array's edges."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unet.labels.blocks import in_whole, outer_layers


@st.composite
def placed(draw):
    """Shape of an array, and the slices of a block of it."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=2, max_size=4)))
    starts = [draw(st.integers(0, size - 1)) for size in shape]
    return shape, tuple(slice(at, draw(st.integers(at + 1, size))) for at, size in zip(starts, shape, strict=True))


@given(placed())
def test_indices_of_a_block_are_those_of_the_whole(drawn):
    shape, block = drawn
    whole = np.arange(np.prod(shape)).reshape(shape)
    cut, origin = whole[block], [part.start for part in block]
    np.testing.assert_array_equal(in_whole(np.arange(cut.size), cut.shape, origin, shape), cut.ravel())


@given(placed(), st.integers(1, 2))
def test_outer_layers_are_those_that_lie_at_an_edge_of_a_linked_axis(drawn, dimensions):
    shape, block = drawn
    places = np.indices(shape)[(slice(None), *block)]
    expected = {
        (axis, at)
        for axis in range(-dimensions, 0)
        for at, edge in ((0, 0), (-1, shape[axis] - 1))
        if np.take(places[axis], at, axis).flat[0] == edge
    }
    origin, sides = [part.start for part in block], places.shape[1:]
    assert set(outer_layers(origin, sides, shape, dimensions)) == expected
