"""What any format's pages become: axes, names and sizes as the law of a stack has them."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet.formats.stack import Pages, stack_of_pages
from unet.images.units import UNITS, unit_named

LENGTHS = {"t": 2, "c": 3, "z": 4, "y": 5, "x": 6}
ORDERS = ["".join(order) for n in range(4) for order in permutations("tcz", n)]


def pages_of(array, axes, inner, alpha=False):
    """Pages whose last `inner` axes lie within a page."""
    return Pages("a.raw", axes, array.shape, array.dtype, inner, lambda index: array[index], alpha)


@pytest.mark.parametrize("leading", ORDERS)
@pytest.mark.parametrize("interleaved", [False, True])
def test_planes_of_pages_in_any_order(leading, interleaved):
    """The order on disk is the file's, that of the planes ours; samples may lie within a page, behind y and x."""
    axes = leading.replace("c", "") + "yxc" if interleaved else leading + "yx"
    array = np.random.default_rng(0).random([LENGTHS[a] for a in axes])
    stack = stack_of_pages(pages_of(array, axes, 3 if interleaved else 2), {}, ())
    assert stack.axes == "".join(a for a in "tczyx" if a in axes)
    found = np.reshape([stack.plane(index) for index in np.ndindex(stack.shape[:-2])], stack.shape)
    np.testing.assert_array_equal(found, array.transpose([axes.index(a) for a in stack.axes]))


def test_axes_of_length_1_are_left_out_but_for_y_and_x():
    array = np.arange(3.0).reshape(1, 3, 1, 1, 1)
    stack = stack_of_pages(pages_of(array, "tzcyx", 2), {}, ())
    assert (stack.axes, stack.shape, stack.channels) == ("zyx", (3, 1, 1), ("0",))
    assert stack.plane((2,)) == 2


@given(st.lists(st.sampled_from(["", "0", "1", "2", "a", "a 1", "a 2", "a 1 2"]), max_size=6), st.integers(1, 6))
def test_no_two_channels_have_one_name(given_names, count):
    array = np.zeros((count, 1, 1))
    names = stack_of_pages(pages_of(array, "cyx", 2), {}, given_names).channels
    assert len(set(names)) == len(names) == count
    assert all(names)
    assert names[0] == ((given_names or [""])[0] or "0")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((0.5, "\u00b5m"), (0.5, "micrometer")),
        ((0.5, " Micron "), (0.5, "micrometer")),
        ((3, "\u212b"), (3, "angstrom")),
        ((2, "pixel"), None),
        ((2, ""), None),
        ((0, "nm"), None),
        ((-1, "nm"), None),
        ((math.inf, "nm"), None),
        ((math.nan, "nm"), None),
    ],
)
def test_a_size_is_known_with_its_unit_or_not_at_all(size, expected):
    stack = stack_of_pages(pages_of(np.zeros((5, 6)), "yx", 2), {"x": size, "z": (1, "nm")}, ())
    assert (stack.spacing, stack.units) == (({"x": expected[0]}, {"x": expected[1]}) if expected else ({}, {}))


def test_every_unit_is_known_by_its_own_name():
    assert all(unit_named(unit) == unit for unit in UNITS)


def test_an_alpha_channel_is_left_out_and_said():
    array = np.full((5, 6, 4), 255, np.uint8)
    array[..., :3] = 7
    stack = stack_of_pages(pages_of(array, "yxc", 3, alpha=True), {}, ())
    assert (stack.axes, stack.shape) == ("cyx", (3, 5, 6))
    array[2, 3, 3] = 254
    assert (stack.plane((0,)) == 7).all()
    assert stack.notes == ("its alpha channel, which says how opaque pixels are, is left out",)


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match=r"pixels of a\.raw must be numbers or bits, got complex128; convert them"):
        stack_of_pages(pages_of(np.zeros((5, 6), complex), "yx", 2), {}, ())


@pytest.mark.parametrize("shape", [(0, 8, 9), (3, 0, 9), (3, 8, 0)])
def test_a_stack_of_no_size_is_refused(shape):
    pages = Pages("a.dv", "zyx", shape, np.dtype("u1"), 2, lambda _: np.zeros(shape[1:]))
    with pytest.raises(ValueError, match=r"a\.dv must hold planes of some size, got"):
        stack_of_pages(pages, {}, ())
