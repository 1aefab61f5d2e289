"""What is stated beside files takes the place of what they say, and nothing else does."""

from dataclasses import replace

import numpy as np
import pytest

from unet.formats.stack import Opened
from unet.formats.stated import as_stated, renamed, require_known_axes
from unet.sources.stacks import Stated

OPENED = Opened(
    "czyx",
    (2, 3, 4, 5),
    np.dtype(np.uint8),
    {"y": 0.5, "x": 0.5},
    {"y": "nanometer", "x": "nanometer"},
    ("0", "1"),
    lambda index: np.zeros((4, 5), np.uint8),
)


def test_sizes_and_channels_are_those_stated():
    stated = Stated(channels=("DAPI", "GFP"), pixel_size=(("t", 3.0), ("x", 0.1), ("z", 2.0)))
    found = as_stated(OPENED, stated, "a.tif")
    assert found.channels == ("DAPI", "GFP")
    assert found.spacing == {"y": 0.5, "x": 0.1, "z": 2.0}  # it has no t
    assert found.units == {"y": "nanometer", "x": "micrometer", "z": "micrometer"}


def test_nothing_stated_changes_nothing():
    assert as_stated(OPENED, Stated(), "a.tif") == OPENED


def test_channels_must_name_each():
    with pytest.raises(ValueError, match=r"channels must name each channel of a\.tif, got 1 names for 2"):
        as_stated(OPENED, Stated(channels=("DAPI",)), "a.tif")


@pytest.mark.parametrize(("axes", "index"), [("tzyx", (1, 2)), ("ztyx", (2, 1)), ("zcyx", (2, 1))])
def test_axes_are_renamed_in_the_order_of_the_file_and_come_in_ours(axes, index):
    pixels = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    found = renamed(replace(OPENED, plane=lambda at: pixels[at]), axes)
    expected = "".join(sorted(axes, key="tczyx".index))
    assert (found.axes, found.shape[:2]) == (expected, (2, 3) if axes == expected else (3, 2))
    np.testing.assert_array_equal(found.plane(index), pixels[1, 2])


@pytest.mark.parametrize(
    ("axes", "advice"),
    [
        ("Vzyx", "say what each is to be by `axes` of its source, as --axes czyx"),
        ("VIyx", "say what each is to be by `axes` of its source, as --axes ctyx"),
        ("Vczyx", "say what each is to be by `axes` of its source, as --axes tczyx"),
        ("VIczyx", "export it with fewer axes"),
    ],
)
def test_axes_that_no_network_knows_are_refused_with_what_names_them(axes, advice):
    shape = (2, 3, 4, 5, 6, 7)[: len(axes)]
    opened = replace(OPENED, axes=axes, shape=shape)
    with pytest.raises(ValueError, match=f"got {' '.join(axes)} of lengths 2 × 3 .*; {advice}$"):
        require_known_axes(opened, "a.tif")
    if "--axes" in advice:
        require_known_axes(renamed(opened, advice.split()[-1]), "a.tif")


def test_axes_that_are_not_those_of_the_file_are_refused():
    with pytest.raises(ValueError, match=r"axes must be those of a\.tif, got zyx for 2 × 3 × 4 × 5 pixels"):
        as_stated(renamed(OPENED, "zyx"), Stated(axes="zyx"), "a.tif")
