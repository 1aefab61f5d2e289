"""Laws of layouts: regions are the shards, shards are whole chunks, and a region that is no shard is refused."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unet.store.shards import (
    PLANE_SHARD,
    SHARD_BYTES,
    SMALLEST,
    Layout,
    averaged,
    grow,
    plane_layout,
    pyramid_shapes,
    regions,
    require_whole_shards,
    sampled,
    shard_index,
    stack_layout,
    within,
)

shapes = st.builds(
    lambda leading, plane: (*leading, *plane),
    st.lists(st.integers(1, 200), max_size=3),
    st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)),
)


@st.composite
def small(draw):
    """A layout of an array small enough to be counted."""
    shape = tuple(draw(st.lists(st.integers(1, 13), min_size=1, max_size=4)))
    shard = tuple(draw(st.integers(1, 15)) for _ in shape)
    return Layout(shape, shard, (1,) * len(shape))


@settings(deadline=None)
@given(small())
def test_regions_partition_the_array_and_each_is_exactly_one_shard(layout):
    count, indices = np.zeros(layout.shape, int), set()
    for region in regions(layout):
        count[region] += 1
        indices.add(shard_index(region, layout))
    assert (count == 1).all()
    grid = [range(math.ceil(size / step)) for size, step in zip(layout.shape, layout.shard, strict=True)]
    assert len(indices) == math.prod(len(axis) for axis in grid)
    assert all(i in axis for index in indices for i, axis in zip(index, grid, strict=True))


@given(small(), st.data())
def test_any_other_region_is_refused(layout, data):
    bounds = st.integers(-16, 30)
    region = tuple(slice(data.draw(bounds), data.draw(bounds)) for _ in layout.shape)
    assume(region not in list(regions(layout)))
    with pytest.raises(ValueError, match="a region must be one whole shard"):
        require_whole_shards(region, layout)


@pytest.mark.parametrize(
    ("region", "says"),
    [
        ((slice(0, 4), slice(0, 4)), r"a region must be one whole shard, got \[0, 4\) on axis 0"),
        ((slice(0, 8, 2), slice(0, 8)), "a region must be one whole shard"),
        ((slice(None), slice(0, 8)), "a region must be one whole shard"),
        ((slice(-8, 0), slice(0, 8)), "a region must be one whole shard"),
        ((slice(16, 12), slice(0, 8)), "a region must be one whole shard"),
        ((slice(0, 8),), "a region must have 2 axes, got 1"),
    ],
)
def test_regions_that_look_like_shards_are_refused(region, says):
    with pytest.raises(ValueError, match=says):
        require_whole_shards(region, Layout((12, 12), (8, 8), (4, 4)))


@given(shapes, st.sampled_from([1, 2, 4, 8]))
def test_shards_are_whole_chunks_and_no_larger_than_they_may_be(shape, itemsize):
    for layout in (plane_layout(shape, itemsize), stack_layout(shape, itemsize)):
        assert layout.shape == shape
        assert all(shard % chunk == 0 for shard, chunk in zip(layout.shard, layout.chunk, strict=True))
        assert max(layout.shard[-2:]) <= PLANE_SHARD
        assert math.prod(layout.chunk) * itemsize <= 2**21
    assert math.prod(plane_layout(shape, itemsize).shard[:-2]) == 1
    layout = stack_layout(shape, itemsize)
    assert math.prod(layout.shard) * itemsize <= SHARD_BYTES or math.prod(layout.shard[:-2]) == 1


@given(shapes, st.sampled_from([1, 2, 4]))
def test_shards_of_a_plane_begin_at_multiples_of_every_networks_2_to_the_depth(shape, itemsize):
    layout = plane_layout(shape, itemsize)
    for size, shard in zip(shape[-2:], layout.shard[-2:], strict=True):
        assert shard >= size or shard % 2**8 == 0


@given(shapes)
def test_a_pyramid_halves_y_and_x_until_both_are_small(shape):
    levels = pyramid_shapes(shape)
    assert levels[0] == shape
    assert max(levels[-1][-2:]) <= SMALLEST
    for finer, coarser in itertools.pairwise(levels):
        assert max(finer[-2:]) > SMALLEST
        assert coarser == (*finer[:-2], *((size + 1) // 2 for size in finer[-2:]))


@given(small(), st.integers(0, 5))
def test_a_grown_region_holds_the_region_where_within_says(layout, halo):
    whole = np.arange(math.prod(layout.shape)).reshape(layout.shape)
    for region in regions(layout):
        outer = grow(region, (halo,) * whole.ndim, whole.shape)
        np.testing.assert_array_equal(whole[outer][within(region, outer)], whole[region])


@given(shapes)
def test_levels_of_labels_lie_on_those_of_the_image_to_within_half_a_pixel(shape):
    labels, image = sampled(shape), averaged(shape)
    assert [level.shape for level in labels] == [level.shape for level in image] == pyramid_shapes(shape)
    for number, (one, other) in enumerate(zip(labels, image, strict=True)):
        for start, middle, size, whole in zip(one.first, other.first, one.shape[-2:], shape[-2:], strict=True):
            assert abs(start - middle) < 2**number / 2
            assert 0 <= start <= start + 2**number * (size - 1) < whole  # each pixel is one that is there


@given(st.integers(1, 20), st.integers(1, 12))
def test_where_all_sizes_are_even_it_is_a_quarter_of_a_pixel(size, halvings):
    shape = (size * 2**halvings,) * 2
    for number, (one, other) in enumerate(zip(sampled(shape), averaged(shape), strict=True)):
        if number <= halvings:
            assert abs(one.first[0] - other.first[0]) <= 2**number / 4
