"""Law of pixel sizes: what is believed is what a microscope can have, and of all else a note says why not."""

import math

from hypothesis import given
from hypothesis import strategies as st

from unet.formats.pixel_sizes import LARGEST, NO_UNIT, SMALLEST, believed_sizes
from unet.images.units import metres


@given(st.dictionaries(st.sampled_from("tzyx"), st.tuples(st.floats() | st.text(max_size=5), st.text(max_size=5))))
def test_what_is_not_believed_is_absent_and_what_is_believed_can_be_true(said):
    spacing, units, notes = believed_sizes(said, "tzyx")
    assert spacing.keys() == units.keys() <= said.keys()
    for axis, size in spacing.items():
        assert 0 < size < math.inf
        assert axis == "t" or SMALLEST <= size * metres(units[axis]) < LARGEST
    silent = [axis for axis in said if said[axis][1].strip().lower() in NO_UNIT]
    assert bool(notes) == (len(spacing) + len(silent) < len(said))


def test_an_axis_that_is_not_there_needs_no_note():
    assert believed_sizes({"z": (0, "µm"), "t": ("x", "s")}, "yx").notes == ()


def test_the_same_doubt_of_several_axes_is_one_note():
    said = {"z": (0, "µm"), "y": (0, "µm"), "x": (1, "furlong")}
    assert believed_sizes(said, "zyx").notes == (
        "size along z and y taken as unknown: 0 µm is no size",
        "size along x taken as unknown: 1 furlong is of no known unit",
    )
