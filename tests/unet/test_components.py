"""Laws of components: objects are those of scikit-image across corners, background those across faces."""

import numpy as np
import skimage.measure
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.components import beside, components

few = settings(deadline=None, max_examples=60)


@st.composite
def volumes(draw):
    """One to three volumes of few ids; how many of their axes connect."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (*random.integers(1, 4, 2), *random.integers(1, 10, 2))
    return random.choice([0, 0, 0, 3, 7], shape), draw(st.sampled_from([2, 3]))


def slow_components(labels, dimensions):
    """Each plane or volume by scikit-image, objects and background apart, numbered in the raster order of all."""
    groups = labels.reshape(-1, *labels.shape[4 - dimensions :])
    found = np.zeros(groups.shape, np.int64)
    for out, group in zip(found, groups, strict=True):
        objects = skimage.measure.label(group, connectivity=dimensions)
        ground = skimage.measure.label(group == 0, connectivity=1)
        out[...] = np.where(group > 0, objects, ground + objects.max()) + found.max()
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse.ravel()] + 1, np.sort(first)


@few
@given(volumes())
def test_components_are_those_of_scikit_image_in_raster_order(drawn):
    labels, dimensions = drawn
    local, first = components(labels, dimensions)
    expected, starts = slow_components(labels, dimensions)
    np.testing.assert_array_equal(local, expected)
    np.testing.assert_array_equal(first, starts)


@few
@given(volumes())
def test_what_lies_beside_is_what_a_walk_over_all_faces_meets(drawn):
    labels, dimensions = drawn
    local, first = components(labels, dimensions)
    low, high = beside(labels, local, dimensions, len(first))
    numbers = local.reshape(labels.shape)
    for number in range(1, len(first) + 1):
        met = set()
        for place in np.argwhere(numbers == number):
            for axis in range(4 - dimensions, 4):
                for step in (-1, 1):
                    there = place.copy()
                    there[axis] += step
                    if 0 <= there[axis] < labels.shape[axis]:
                        met.add(int(labels[tuple(there)]))
        met -= {0, int(labels.ravel()[first[number - 1]])}
        assert (
            (low[number - 1], high[number - 1]) == (min(met), max(met)) if met else low[number - 1] > high[number - 1]
        )
