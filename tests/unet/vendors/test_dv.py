"""Laws of DeltaVision files: what was saved is read; what was cut short, while it is read, too, is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
from mrc import DVFile

from tests.unet.formats.files import cut, noise, read
from tests.unet.formats.vendor_files import dv
from unet.formats.readers import open_stack

DATA = os.environ.get("UNET_FLOWS_DATA", "")
IMAGE = noise(3, 32, 24)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "a.dv").write_bytes(dv(IMAGE))
    return tmp_path / "a.dv"


@pytest.mark.skipif(not DATA, reason="a real DV file lies where UNET_FLOWS_DATA says, which is not set")
def test_a_real_file():
    file = Path(DATA, "vendor_formats/toxo.dv")
    opened, values = read(file)
    assert (opened.axes, opened.shape, opened.channels) == ("czyx", (2, 17, 128, 128), ("525 nm", "632 nm"))
    assert opened.spacing == pytest.approx({"z": 0.3, "y": 0.13262, "x": 0.13262}, rel=1e-5)
    with DVFile(file) as said:
        np.testing.assert_array_equal(values, said.asarray())


def test_what_was_saved_is_read(file):
    opened, values = read(file)
    assert opened.spacing == pytest.approx({"z": 0.5, "y": 0.1, "x": 0.1})
    np.testing.assert_array_equal(values, IMAGE)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.999])
def test_a_file_that_was_cut_short_is_refused(file, part):
    cut(file, part)
    with pytest.raises(ValueError, match=r"a\.dv is not a readable DeltaVision file"):
        read(file)


def test_a_file_that_shrinks_while_it_is_read_is_refused(file):
    with open_stack([str(file)]) as opened:
        os.truncate(file, 3000)
        with pytest.raises(ValueError, match=r"a\.dv is not a readable DeltaVision file"):
            opened.plane((2,))
