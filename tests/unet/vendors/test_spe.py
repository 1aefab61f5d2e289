"""Laws of SPE files: frames are planes; what was cut short is refused, and is no shorter stack."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.unet.formats.files import cut, read

DATA = os.environ.get("UNET_FLOWS_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="a real SPE file lies where UNET_FLOWS_DATA says, which is not set")
FILE = Path(DATA, "vendor_formats/spestack_test.spe")
HEADER = 4100
"""Bytes before the first frame."""


@pytest.mark.parametrize("axis", [None, "z", "t"])
def test_a_real_file(axis):
    opened, values = read(FILE, axis=axis)
    assert (opened.axes, opened.shape, opened.dtype.name) == (f"{axis or 'z'}yx", (5, 128, 128), "uint16")
    stored = np.frombuffer(FILE.read_bytes()[HEADER:][: values.nbytes], "<u2").reshape(values.shape)
    np.testing.assert_array_equal(values, stored)


@pytest.mark.parametrize("part", [0.0, 0.001, 0.1, 0.5, 0.98])
def test_a_file_that_was_cut_short_is_refused(tmp_path, part):
    (tmp_path / "a.spe").write_bytes(FILE.read_bytes())
    cut(tmp_path / "a.spe", part)
    with pytest.raises(ValueError, match=r"a\.spe is not a readable SPE"):
        read(tmp_path / "a.spe")
