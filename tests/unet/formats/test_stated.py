"""What is stated beside files takes the place of what they say, and nothing else does."""

import numpy as np
import pytest

from unet.dataset.stacks import Stated
from unet.formats.stack import Opened
from unet.formats.stated import as_stated

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
