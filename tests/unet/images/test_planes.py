"""Laws of the endless image: what lies beyond the edges is what numpy.pad would put there, however far."""

import itertools

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.images.planes import Plane, mirrored, planes
from unet.images.windows import Window

few = settings(deadline=None, max_examples=60)
FAR = 40


@given(st.integers(1, 12), st.integers(-FAR, FAR), st.integers(1, FAR))
def test_mirrored_equals_padding_again_and_again(size, start, length):
    padded = np.pad(np.arange(size), 2 * FAR, mode="reflect")
    expected = padded[2 * FAR + start : 2 * FAR + start + length]
    np.testing.assert_array_equal(mirrored(start, start + length, size), expected)


def in_zarr(array):
    stored = zarr.create_array({}, shape=array.shape, dtype=array.dtype, chunks=(1,) * (array.ndim - 2) + (4, 4))
    stored[...] = array
    return stored


@st.composite
def windows(draw):
    """A plane down to 1 px, and a window of any size and place, wholly beyond the edges too."""
    shape = draw(st.tuples(*[st.integers(1, 9)] * 2))
    y, x, height, width = draw(st.tuples(*[st.integers(-FAR, FAR)] * 2, *[st.integers(1, FAR)] * 2))
    return shape, Window(y, x, height, width)


@few
@given(windows(), st.sampled_from([np.asarray, in_zarr]))
def test_a_window_equals_a_padded_plane(drawn, as_array):
    shape, window = drawn
    array = np.random.default_rng(0).integers(0, 999, (2, 3, *shape)).astype(np.uint16)
    padded = np.pad(array[1], ((0, 0), (2 * FAR, 2 * FAR), (2 * FAR, 2 * FAR)), mode="reflect")
    expected = padded[[2, 0]][:, *Window(window.y + 2 * FAR, window.x + 2 * FAR, window.height, window.width).slices]
    read = Plane(as_array(array), ((1, 2), (1, 0))).read(window)
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, expected)


class Watched:
    """An array that remembers what was asked of it."""

    shape = (100, 100)

    def __init__(self):
        self.asked = []

    def __getitem__(self, index):
        self.asked.append(index)
        return np.zeros(self.shape)[index]


@pytest.mark.parametrize(
    ("window", "hull"),
    [
        (Window(10, 20, 30, 40), (slice(10, 40), slice(20, 60))),
        (Window(-3, 95, 8, 9), (slice(0, 5), slice(95, 100))),
        (Window(-8, 100, 5, 3), (slice(4, 9), slice(96, 99))),
    ],
)
def test_only_the_pixels_asked_for_are_read(window, hull):
    array = Watched()
    Plane(array, ((),)).read(window)
    assert array.asked == [hull]


def test_the_whole_plane_is_its_window():
    image = np.arange(12).reshape(3, 4)
    plane = Plane(image, ((),))
    np.testing.assert_array_equal(plane.read(plane.window), image[None])


ORDERS = ["".join(some) for n in range(4) for some in itertools.permutations("tcz", n)]


@pytest.mark.parametrize("leading", ORDERS)
def test_planes_of_any_order_of_axes(leading):
    """Every t and z once, in the order of the array, each with the chosen channels in the chosen order."""
    lengths = {"t": 2, "c": 3, "z": 4}
    array = np.random.default_rng(0).random([*(lengths[axis] for axis in leading), 5, 6])
    channels = (2, 0) if "c" in leading else (0,)
    rest = leading.replace("c", "")
    expected = [
        [array[tuple(c if axis == "c" else at[rest.index(axis)] for axis in leading)] for c in channels]
        for at in itertools.product(*(range(lengths[axis]) for axis in rest))
    ]
    found = [plane.read(plane.window) for plane in planes(array, leading + "yx", channels)]
    np.testing.assert_array_equal(found, expected)
