"""Laws of components: objects are those of scikit-image across corners, background those across faces."""

import numpy as np
import skimage.measure
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.labels.components import components

few = settings(deadline=None, max_examples=150)


@st.composite
def volumes(draw):
    """One to three volumes of few ids; how many of their axes connect."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (*random.integers(1, 4, 2), *random.integers(1, 10, 2))
    values = draw(st.sampled_from([[0, 0, 0, 3, 7], [0, 5], [3, 7, 7, 7]]))
    return random.choice(values, shape), draw(st.sampled_from([2, 3]))


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
    found = components(labels, dimensions)
    expected, starts = slow_components(labels, dimensions)
    np.testing.assert_array_equal(found.local.ravel(), expected)
    np.testing.assert_array_equal(found.first, starts)
    np.testing.assert_array_equal(found.size, np.bincount(expected)[1:])


@few
@given(volumes())
def test_what_lies_beside_is_what_a_walk_over_all_faces_meets(drawn):
    labels, dimensions = drawn
    found = components(labels, dimensions)
    assert found.value.tolist() == labels.ravel()[found.first].tolist()
    for number, (value, low, high) in enumerate(zip(found.value, found.low, found.high, strict=True), start=1):
        met = set()
        for place in np.argwhere(found.local == number):
            for axis in range(4 - dimensions, 4):
                for step in (-1, 1):
                    there = place.copy()
                    there[axis] += step
                    if 0 <= there[axis] < labels.shape[axis]:
                        met.add(int(labels[tuple(there)]))
        met -= {0, int(value)}
        assert (low, high) == (min(met), max(met)) if met else low > high
